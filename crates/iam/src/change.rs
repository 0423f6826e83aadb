//! One fact of IAM state that appeared, changed or went away: what the store reads, what commands write, what a Snapshot applies.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::bucket::Bucket;
use crate::documents::{Facts, GroupDocument, RoleDocument, ServiceAccountDocument, UserDocument};
use crate::instance_profile::{AccountAliasDocument, InstanceProfileDocument};
use crate::oidc_provider::OidcProviderDocument;

/// A stored document that was found, or the reason why it cannot be read.
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
    User(Arc<str>, Option<Read<UserDocument>>),
    /// A service account's document, by its id.
    ServiceAccount(Arc<str>, Option<Read<ServiceAccountDocument>>),
    /// A group's document.
    Group(Arc<str>, Option<Read<GroupDocument>>),
    /// A managed policy in one of the places where it may live.
    Policy(Arc<str>, PolicyPlace, Option<Read<PolicyText>>),
    /// A role's document.
    Role(Arc<str>, RolePlace, Option<Read<RoleDocument>>),
    /// An inline policy of ours: holder, then the policy's name.
    Inline(Holder, Arc<str>, Option<Read<PolicyText>>),
    /// weed's one document of inline policies, all of it.
    WeedPolicies(Option<Read<WeedPolicies>>),
    /// An OIDC provider, by the stem of its file: [`OidcProviderDocument::file_stem`] of its ARN.
    OidcProvider(Arc<str>, Option<Read<OidcProviderDocument>>),
    /// An instance profile.
    InstanceProfile(Arc<str>, Option<Read<InstanceProfileDocument>>),
    /// The alias of an account, by the account's number.
    AccountAlias(Arc<str>, Option<Read<AccountAliasDocument>>),
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
    /// OpenID Connect providers and whatever else IAM keeps.
    Others,
    /// Bucket policies and other settings of buckets.
    Buckets,
}

impl ChangeKind {
    /// All of them, with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("keys", Self::Keys),
        ("users", Self::Users),
        ("groups", Self::Groups),
        ("roles", Self::Roles),
        ("policies", Self::Policies),
        ("others", Self::Others),
        ("buckets", Self::Buckets),
    ];

    /// The kind of a change that a command makes.
    pub fn of(command: &str, change: &Change) -> Self {
        match change {
            Change::User(..) | Change::ServiceAccount(..) if command.contains("AccessKey") => Self::Keys,
            Change::ServiceAccount(..) => Self::Keys,
            Change::User(..) | Change::Inline(Holder::User(_), ..) => Self::Users,
            Change::Group(..) | Change::Inline(Holder::Group(_), ..) => Self::Groups,
            Change::Role(..) | Change::Inline(Holder::Role(_), ..) => Self::Roles,
            Change::Policy(..) => Self::Policies,
            Change::Bucket(..) => Self::Buckets,
            _ => Self::Others,
        }
    }
}

/// A document that a command reads afresh before it runs, so that it writes on what is stored and not on what was heard.
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
    /// An inline policy of ours.
    Inline(Holder, Arc<str>),
    /// weed's shared document of inline policies.
    WeedPolicies,
    /// An OIDC provider, by the stem of its file.
    OidcProvider(Arc<str>),
    /// An instance profile.
    InstanceProfile(Arc<str>),
    /// The alias of an account, by the account's number.
    AccountAlias(Arc<str>),
}

/// Who holds a policy.
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
    pub fn document(&self) -> DocumentKey {
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

/// A policy's text, with what Kelpgate keeps beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText {
    /// JSON.
    pub text: Arc<str>,
    /// Id, dates, path.
    pub facts: Facts,
}

/// Where a managed policy lives. All places share one namespace.
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
    /// The place in words.
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

/// Where a role lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RolePlace {
    /// The memory of this gateway.
    Memory,
    /// `<roleStore basePath>/<name>.json`.
    Base,
}

/// `/etc/iam/policies.json`: weed keeps all inline policies in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WeedPolicies {
    /// Managed policies of old versions, name to text.
    pub managed: BTreeMap<Arc<str>, Arc<str>>,
    /// Inline policies of weed's: holder, policy name, text.
    pub inline: BTreeMap<Holder, BTreeMap<Arc<str>, Arc<str>>>,
    /// Inline policies of ours, restated for weed: they are in the document for weed alone, and none of its own.
    pub mirrored: BTreeMap<Holder, BTreeMap<Arc<str>, Arc<str>>>,
}
