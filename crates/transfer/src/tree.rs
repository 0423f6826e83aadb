//! The IAM state of one account as a tree of readable files: one file for each entity, and never a secret.
//!
//! docs/iam-as-files.md describes the form, docs/iam-tree.schema.json is its JSON Schema. `kelpgate iam apply` makes a
//! gateway's state the same as a tree, `kelpgate iam diff` compares them.

mod answers;
mod plan;
mod read;
mod records;
mod write;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use iam::SmallMap;
use serde_json::Value;

pub use answers::{BadAnswer, Found, Keys, error_of};
pub use plan::{Call, Plan, TreeStep};
pub use read::TreeError;

/// The name of the format, in every tree.
pub const FORMAT: &str = "kelpgate-iam-tree";
/// Its version.
pub const VERSION: i64 = 1;
/// The file at the top of a directory that says that it is a tree.
pub const MARKER: &str = "kelpgate-iam.json";

/// The kinds of entities, in the order in which they can be created. Each has a directory of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A managed policy of the account.
    Policy,
    /// An OpenID Connect provider. Its name is its URL without `https://`.
    OidcProvider,
    /// A group.
    Group,
    /// A user, without access keys.
    User,
    /// A role.
    Role,
    /// An instance profile.
    InstanceProfile,
    /// The policy of a bucket. Its name is the bucket's.
    BucketPolicy,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Policy,
        Self::OidcProvider,
        Self::Group,
        Self::User,
        Self::Role,
        Self::InstanceProfile,
        Self::BucketPolicy,
    ];

    /// Its directory, and its field in a tree of one file.
    pub fn directory(self) -> &'static str {
        match self {
            Self::Policy => "policies",
            Self::OidcProvider => "oidcProviders",
            Self::Group => "groups",
            Self::User => "users",
            Self::Role => "roles",
            Self::InstanceProfile => "instanceProfiles",
            Self::BucketPolicy => "bucketPolicies",
        }
    }

    /// The fields of its files.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Policy => &["path", "description", "tags", "document"],
            Self::OidcProvider => &["clientIds", "thumbprints", "tags"],
            Self::Group => &["path", "members", "policies", "inlinePolicies"],
            Self::User => &["path", "tags", "disabled", "boundary", "policies", "inlinePolicies"],
            Self::Role => &[
                "path",
                "description",
                "maxSessionDuration",
                "tags",
                "trustPolicy",
                "boundary",
                "policies",
                "inlinePolicies",
            ],
            Self::InstanceProfile => &["path", "tags", "roles"],
            Self::BucketPolicy => &["document"],
        }
    }

    /// ``user `al` ``, for messages.
    fn named(self, name: &str) -> String {
        let what = match self {
            Self::Policy => "policy",
            Self::OidcProvider => "OIDC provider",
            Self::Group => "group",
            Self::User => "user",
            Self::Role => "role",
            Self::InstanceProfile => "instance profile",
            Self::BucketPolicy => "policy of bucket",
        };
        format!("{what} `{name}`")
    }
}

/// One entity. Of its fields, those of its kind count ([`Kind::fields`]); the others have their defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entity {
    /// `/a/b/`; `/` if it has none. Empty for kinds without paths.
    pub path: String,
    /// Free text.
    pub description: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether the keys of a user are refused.
    pub disabled: bool,
    /// The policy that is the permissions boundary: its name, or the ARN of a policy of AWS.
    pub boundary: Option<String>,
    /// The attached policies, named in the same way.
    pub policies: BTreeSet<String>,
    /// Inline policies by name.
    pub inline: BTreeMap<String, Document>,
    /// The users of a group, or the role of an instance profile.
    pub members: BTreeSet<String>,
    /// The text of a managed policy or of a bucket's policy.
    pub document: Option<Document>,
    /// Who may assume a role.
    pub trust: Option<Document>,
    /// The longest session of a role, in seconds; `None` for an hour.
    pub max_session_s: Option<i64>,
    /// The audiences of a provider.
    pub client_ids: BTreeSet<String>,
    /// SHA-1 fingerprints of a provider's certificates.
    pub thumbprints: BTreeSet<String>,
}

/// A policy document. Two are equal if they are the same JSON, however it is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document(Value);

impl Document {
    /// A text that is JSON already.
    fn of(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// Without white space.
    fn text(&self) -> String {
        self.0.to_string()
    }

    /// Whether a statement denies something.
    fn denies(&self) -> bool {
        let denies = |statement: &Value| statement.get("Effect").and_then(Value::as_str) == Some("Deny");
        match self.0.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().any(denies),
            Some(statement) => denies(statement),
            None => false,
        }
    }
}

/// The state: entities by kind and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// A kind that is absent is left alone; an empty one says that there are none.
    pub kinds: BTreeMap<Kind, BTreeMap<String, Entity>>,
    /// The alias of the account, if the tree names one.
    pub account_alias: Option<String>,
}

impl Tree {
    /// The entities of a kind; none if it is absent.
    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&String, &Entity)> {
        self.kinds.get(&kind).into_iter().flatten()
    }

    fn get(&self, kind: Kind, name: &str) -> Option<&Entity> {
        self.kinds.get(&kind)?.get(name)
    }

    fn put(&mut self, kind: Kind, name: impl Into<String>, entity: Entity) {
        self.kinds.entry(kind).or_default().insert(name.into(), entity);
    }
}

/// Whether a name in `policies` or `boundary` is the ARN of a policy of AWS.
fn is_of_aws(policy: &str) -> bool {
    policy.starts_with("arn:aws:iam::aws:policy/")
}

fn tags_of(tags: &SmallMap<String, String>) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
