//! Access control lists: who may do what with a bucket or an object, beside the policies.

use std::sync::Arc;

use crate::AccountId;

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AclPermission {
    /// All of the others.
    FullControl,
    /// To list a bucket, or to read an object.
    Read,
    /// To write objects into a bucket. It has no meaning for objects.
    Write,
    /// To read the ACL.
    ReadAcp,
    /// To replace the ACL.
    WriteAcp,
}

impl AclPermission {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::FullControl, Self::Read, Self::Write, Self::ReadAcp, Self::WriteAcp];

    /// S3's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullControl => "FULL_CONTROL",
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadAcp => "READ_ACP",
            Self::WriteAcp => "WRITE_ACP",
        }
    }

    /// From S3's word for it.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// Whether a grant of this permission allows what `wanted` allows.
    pub fn covers(self, wanted: Self) -> bool {
        self == Self::FullControl || self == wanted
    }
}

/// A group of callers that S3 defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AclGroup {
    /// Everyone, with or without a signature.
    AllUsers,
    /// The identities of every account.
    AuthenticatedUsers,
    /// The writer of access logs.
    LogDelivery,
}

impl AclGroup {
    /// The URI that names it.
    pub fn uri(self) -> &'static str {
        match self {
            Self::AllUsers => "http://acs.amazonaws.com/groups/global/AllUsers",
            Self::AuthenticatedUsers => "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
            Self::LogDelivery => "http://acs.amazonaws.com/groups/s3/LogDelivery",
        }
    }

    /// From its URI.
    pub fn named(uri: &str) -> Option<Self> {
        [Self::AllUsers, Self::AuthenticatedUsers, Self::LogDelivery].into_iter().find(|known| known.uri() == uri)
    }

    /// Whether anyone can be a member. Source: S3 User Guide, "The meaning of public", "ACLs".
    pub fn is_public(self) -> bool {
        matches!(self, Self::AllUsers | Self::AuthenticatedUsers)
    }
}

/// Whom a grant is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Grantee {
    /// The identities of an account, whose own policies decide.
    Account(AccountId),
    /// A group.
    Group(AclGroup),
    /// An id or a URI that SeaweedFS stored and that names no account and no group here. It gets nothing.
    Unknown(Arc<str>),
}

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AclGrant {
    /// To whom.
    pub grantee: Grantee,
    /// What.
    pub permission: AclPermission,
}

impl AclGrant {
    /// A grant to an account.
    pub fn to_account(account: AccountId, permission: AclPermission) -> Self {
        Self { grantee: Grantee::Account(account), permission }
    }

    /// A grant to a group.
    pub fn to_group(group: AclGroup, permission: AclPermission) -> Self {
        Self { grantee: Grantee::Group(group), permission }
    }
}

/// An access control list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessControlList {
    /// The grants, in order.
    pub grants: Vec<AclGrant>,
}

impl AccessControlList {
    /// The most grants. Source: S3 User Guide, "Access control list (ACL) overview".
    pub const GRANTS_MAX: usize = 100;

    /// The list of something that only its owner may use.
    pub fn private(owner: AccountId) -> Self {
        Self { grants: vec![AclGrant::to_account(owner, AclPermission::FullControl)] }
    }

    /// Whether it grants anything to everyone, or to every account.
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(|grant| matches!(grant.grantee, Grantee::Group(group) if group.is_public()))
    }

    /// Whether it grants nothing to anyone but this account.
    pub fn is_private(&self, owner: AccountId) -> bool {
        self.grants.iter().all(|grant| grant.grantee == Grantee::Account(owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for permission in AclPermission::ALL {
            assert_eq!(AclPermission::named(permission.as_str()), Some(permission));
            assert!(AclPermission::FullControl.covers(permission) && permission.covers(permission));
            let others = AclPermission::ALL.into_iter().filter(|other| *other != permission);
            let covered = others.filter(|other| permission.covers(*other)).count();
            assert_eq!(covered, if permission == AclPermission::FullControl { 4 } else { 0 }, "{permission:?}");
        }
        for word in ["", "read", "FULL-CONTROL", "READ "] {
            assert_eq!(AclPermission::named(word), None, "{word}");
        }
        for group in [AclGroup::AllUsers, AclGroup::AuthenticatedUsers, AclGroup::LogDelivery] {
            assert_eq!(AclGroup::named(group.uri()), Some(group));
        }
        assert_eq!(AclGroup::named("http://acs.amazonaws.com/groups/global/allusers"), None);
    }

    #[test]
    fn who_else_has_something() {
        let (owner, other) = (AccountId::DEFAULT, "111122223333".parse().unwrap());
        let with = |grant| {
            let mut list = AccessControlList::private(owner);
            list.grants.push(grant);
            (list.is_private(owner), list.is_public())
        };
        let read = AclPermission::Read;
        assert_eq!(with(AclGrant::to_account(owner, read)), (true, false));
        assert_eq!(with(AclGrant::to_account(other, read)), (false, false));
        assert_eq!(with(AclGrant::to_group(AclGroup::AllUsers, read)), (false, true));
        assert_eq!(with(AclGrant::to_group(AclGroup::AuthenticatedUsers, read)), (false, true));
        assert_eq!(with(AclGrant::to_group(AclGroup::LogDelivery, read)), (false, false));
        assert_eq!(with(AclGrant { grantee: Grantee::Unknown("al".into()), permission: read }), (false, false));
    }
}
