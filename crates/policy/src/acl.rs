//! What access control lists grant. They are not policies: they only allow, and only what follows from their five words.

use ids::{AclGrant, AclGroup, AclPermission, Grantee};

use crate::action::{Action, RequestAction};
use crate::request::Request;

/// The ACL that counts for a request.
#[derive(Clone, Copy, Debug)]
pub struct Acl<'a> {
    /// Its grants.
    pub grants: &'a [AclGrant],
    /// What it belongs to.
    pub of: AclSubject,
}

/// What an ACL belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AclSubject {
    /// A bucket.
    Bucket,
    /// A bucket into which an object is written: a caller that may write the object may also set its ACL.
    BucketOfNewObject,
    /// An object.
    Object,
}

/// The first grant of each kind that allows a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct AclVerdict {
    /// To a group of which the caller is a member.
    pub group: Option<u32>,
    /// To the caller's account: its own policies decide.
    pub account: Option<u32>,
}

use AclPermission::{Read, ReadAcp, Write, WriteAcp};

/// Source: S3 User Guide, "Mapping of ACL permissions and access policy permissions".
const OF_BUCKET: [(Action, AclPermission); 6] = [
    (Action::at("s3:ListBucket"), Read),
    (Action::at("s3:ListBucketVersions"), Read),
    (Action::at("s3:ListBucketMultipartUploads"), Read),
    (Action::at("s3:PutObject"), Write),
    (Action::at("s3:GetBucketAcl"), ReadAcp),
    (Action::at("s3:PutBucketAcl"), WriteAcp),
];
const OF_NEW_OBJECT: [(Action, AclPermission); 2] =
    [(Action::at("s3:PutObject"), Write), (Action::at("s3:PutObjectAcl"), Write)];
const OF_OBJECT: [(Action, AclPermission); 6] = [
    (Action::at("s3:GetObject"), Read),
    (Action::at("s3:GetObjectVersion"), Read),
    (Action::at("s3:GetObjectAcl"), ReadAcp),
    (Action::at("s3:GetObjectVersionAcl"), ReadAcp),
    (Action::at("s3:PutObjectAcl"), WriteAcp),
    (Action::at("s3:PutObjectVersionAcl"), WriteAcp),
];

/// Whether the ACL of an object can allow an action.
pub fn is_of_object_acl(action: Action) -> bool {
    OF_OBJECT.iter().any(|(known, _)| *known == action)
}

impl Acl<'_> {
    pub(crate) fn evaluate(&self, request: &Request<'_>) -> AclVerdict {
        let mut verdict = AclVerdict::default();
        let Some(wanted) = self.of.wanted(request.action) else { return verdict };
        for (place, grant) in (0_u32..).zip(self.grants).filter(|(_, grant)| grant.permission.covers(wanted)) {
            let slot = match grant.grantee {
                Grantee::Group(AclGroup::AllUsers) => &mut verdict.group,
                Grantee::Group(AclGroup::AuthenticatedUsers) if request.principal.has_account() => &mut verdict.group,
                Grantee::Account(account) if request.principal.is_of(&account) => &mut verdict.account,
                _ => continue,
            };
            slot.get_or_insert(place);
        }
        verdict
    }
}

impl AclSubject {
    /// The permission with which a grant allows an action; `None` if no grant does.
    fn wanted(self, action: RequestAction<'_>) -> Option<AclPermission> {
        let RequestAction::Known(action) = action else { return None };
        let table: &[_] = match self {
            Self::Bucket => &OF_BUCKET,
            Self::BucketOfNewObject => &OF_NEW_OBJECT,
            Self::Object => &OF_OBJECT,
        };
        table.iter().find(|(known, _)| *known == action).map(|(_, permission)| *permission)
    }
}

impl AclVerdict {
    /// The first grant of any kind.
    pub fn any(&self) -> Option<u32> {
        self.group.into_iter().chain(self.account).min()
    }
}
