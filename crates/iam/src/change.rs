//! A fact of IAM state that appeared, changed or disappeared. The store reads these, commands write them, a Snapshot
//! applies them.

use std::fmt;
use std::sync::Arc;

use crate::bucket::Bucket;
use crate::entity::{
    AccountAlias, AccountPublicAccessBlock, GroupRecord, InlinePolicyRecord, InstanceProfile, OidcProvider,
    PolicyRecord, RoleRecord, ServiceAccount, UserRecord,
};
use crate::identity_provider::OidcKeys;
use crate::mfa_device::MfaDevice;
use crate::revocation::Revocation;
use crate::weed_policies::WeedPolicies;

/// A stored document, or the reason why it cannot be read.
pub type Read<T> = Result<T, Unreadable>;

/// Why a stored document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub Arc<str>);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One document, identified by kind and name; `None` means that it does not exist.
#[derive(Debug, Clone)]
pub enum Change {
    /// A user's document.
    User(Arc<str>, Option<Read<UserRecord>>),
    /// A service account's document, by its id.
    ServiceAccount(Arc<str>, Option<Read<ServiceAccount>>),
    /// A group's document.
    Group(Arc<str>, Option<Read<GroupRecord>>),
    /// A managed policy in one of the places where it may be stored.
    Policy(Arc<str>, PolicyPlace, Option<Read<PolicyRecord>>),
    /// A role's document.
    Role(Arc<str>, RolePlace, Option<Read<RoleRecord>>),
    /// One of our inline policies: the holder, then the policy's name.
    Inline(Holder, Arc<str>, Option<Read<InlinePolicyRecord>>),
    /// SeaweedFS's shared document of inline policies, as a whole.
    WeedPolicies(Option<Read<WeedPolicies>>),
    /// An OIDC provider, by the stem of its file: [`OidcProvider::file_stem`] of its ARN.
    OidcProvider(Arc<str>, Option<Read<OidcProvider>>),
    /// The keys of an OIDC provider, by [`IdentityProvider::keys_stem`](crate::IdentityProvider::keys_stem).
    OidcKeys(Arc<str>, Option<Read<OidcKeys>>),
    /// A revocation of sessions, by the stem of its file: [`Revocation::file_stem`].
    Revocation(Arc<str>, Option<Read<Revocation>>),
    /// An MFA device, by the stem of its file: [`MfaDevice::file_stem`].
    MfaDevice(Arc<str>, Option<Read<MfaDevice>>),
    /// An instance profile.
    InstanceProfile(Arc<str>, Option<Read<InstanceProfile>>),
    /// The alias of an account, by the account's number.
    AccountAlias(Arc<str>, Option<Read<AccountAlias>>),
    /// The public access block of an account, by the account's number.
    AccountPublicAccessBlock(Arc<str>, Option<Read<AccountPublicAccessBlock>>),
    /// A bucket.
    Bucket(Arc<str>, Option<Arc<Bucket>>),
}

/// What a change is about, for `kelpgate.fence.off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Access keys.
    Keys,
    /// Users, with their attached and inline policies, tags and boundaries.
    Users,
    /// Groups.
    Groups,
    /// Roles.
    Roles,
    /// Managed policies.
    Policies,
    /// OpenID Connect providers and everything else that IAM keeps.
    Others,
    /// Bucket policies and other settings of buckets.
    Buckets,
}

impl ChangeKind {
    /// All kinds, with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("keys", Self::Keys),
        ("users", Self::Users),
        ("groups", Self::Groups),
        ("roles", Self::Roles),
        ("policies", Self::Policies),
        ("others", Self::Others),
        ("buckets", Self::Buckets),
    ];

    /// The kind of a change. A user's keys are in the document of the user: `is_about_keys` says that nothing else of it changes.
    pub fn of(change: &Change, is_about_keys: bool) -> Self {
        match change {
            Change::User(..) if is_about_keys => Self::Keys,
            Change::ServiceAccount(..) => Self::Keys,
            Change::User(..) | Change::Inline(Holder::User(_), ..) => Self::Users,
            Change::Group(..) | Change::Inline(Holder::Group(_), ..) => Self::Groups,
            Change::Role(..) | Change::Inline(Holder::Role(_), ..) => Self::Roles,
            Change::Policy(..) => Self::Policies,
            Change::Bucket(..) | Change::AccountPublicAccessBlock(..) => Self::Buckets,
            _ => Self::Others,
        }
    }
}

/// A document that a command reads again before it runs, so that its write is based on what is stored, not on what the
/// feed delivered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentKey {
    /// A user.
    User(Arc<str>),
    /// A service account, by its id.
    ServiceAccount(Arc<str>),
    /// A group.
    Group(Arc<str>),
    /// A role, in all its places.
    Role(Arc<str>),
    /// A managed policy, in all its places.
    Policy(Arc<str>),
    /// One of our inline policies.
    Inline(Holder, Arc<str>),
    /// SeaweedFS's shared document of inline policies.
    WeedPolicies,
    /// An OIDC provider, by the stem of its file.
    OidcProvider(Arc<str>),
    /// The keys of an OIDC provider, by the stem of their file.
    OidcKeys(Arc<str>),
    /// A revocation of sessions, by the stem of its file.
    Revocation(Arc<str>),
    /// An MFA device, by the stem of its file.
    MfaDevice(Arc<str>),
    /// An instance profile.
    InstanceProfile(Arc<str>),
    /// The alias of an account, by the account's number.
    AccountAlias(Arc<str>),
    /// The public access block of an account, by the account's number.
    AccountPublicAccessBlock(Arc<str>),
}

impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::User(name) => ("user", name),
            Self::ServiceAccount(id) => ("service account", id),
            Self::Group(name) => ("group", name),
            Self::Role(name) => ("role", name),
            Self::Policy(name) => ("policy", name),
            Self::Inline(holder, name) => return write!(f, "inline policy `{name}` of {holder}"),
            Self::WeedPolicies => return f.write_str("/etc/iam/policies.json"),
            Self::OidcProvider(stem) => ("OIDC provider", stem),
            Self::OidcKeys(stem) => ("OIDC keys", stem),
            Self::Revocation(stem) => ("revocation of sessions", stem),
            Self::MfaDevice(stem) => ("MFA device", stem),
            Self::InstanceProfile(name) => ("instance profile", name),
            Self::AccountAlias(account) => ("alias of account", account),
            Self::AccountPublicAccessBlock(account) => ("public access block of account", account),
        };
        write!(f, "{kind} `{name}`")
    }
}

/// The holder of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// A user.
    User(Arc<str>),
    /// A group.
    Group(Arc<str>),
    /// A role.
    Role(Arc<str>),
}

impl Holder {
    /// The holder's name.
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::User(name) | Self::Group(name) | Self::Role(name) => name,
        }
    }

    /// The document of the holder itself.
    pub fn document_key(&self) -> DocumentKey {
        match self.clone() {
            Self::User(name) => DocumentKey::User(name),
            Self::Group(name) => DocumentKey::Group(name),
            Self::Role(name) => DocumentKey::Role(name),
        }
    }

    /// `user`, `group` or `role`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Group(_) => "group",
            Self::Role(_) => "role",
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind(), self.name())
    }
}

/// Where a managed policy is stored. All places share one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyPlace {
    /// The identities file.
    Identities,
    /// `policies[]` of `-iam.config` with a memory store, or the memory of this gateway.
    Memory,
    /// `<policy basePath>/<name>.json`.
    Base,
    /// `<policy basePath>/policy_<name>.json`.
    BasePrefixed,
    /// `/etc/iam/policies/<name>.json`.
    Api,
    /// `policies` in `/etc/iam/policies.json`.
    Weed,
}

impl PolicyPlace {
    /// The name of the place, for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Identities => "the identities file",
            Self::Memory => "the memory of this gateway",
            Self::Base => "<policy basePath>/<name>.json",
            Self::BasePrefixed => "<policy basePath>/policy_<name>.json",
            Self::Api => "/etc/iam/policies",
            Self::Weed => "/etc/iam/policies.json",
        }
    }
}

/// Where a role is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RolePlace {
    /// The memory of this gateway.
    Memory,
    /// `<roleStore basePath>/<name>.json`.
    Base,
}
