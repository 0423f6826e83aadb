//! The stored records of IAM state: users, groups, roles, policies and so on, each as plain fields.
//!
//! Nothing here says how these are stored. What a stored document says beyond these fields is in [`UnknownFields`].

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ids::{AccountId, PublicAccessBlock, SecretAccessKey};

use crate::policy_ids::PolicyIds;
use crate::small_map::SmallMap;

/// Tags: key to value.
pub type Tags = SmallMap<String, String>;

/// What a stored document says beyond the fields of its entity: fields of a newer SeaweedFS or Kelpgate.
///
/// Only the reader and the writer of stored documents make and open it. Everyone else passes it on, so that a document
/// that is written again loses nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnknownFields(Option<Arc<str>>);

impl UnknownFields {
    /// Wraps what the reader of the document did not know; `None` if it knew everything.
    pub fn new(sealed: Option<String>) -> Self {
        Self(sealed.map(Into::into))
    }

    /// What [`UnknownFields::new`] was given.
    pub fn sealed(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// The stored record of a user.
#[derive(Debug, Clone, Default)]
pub struct UserRecord {
    /// Its name.
    pub name: String,
    /// `AIDA...`; empty if SeaweedFS created the user.
    pub id: String,
    /// `/a/b/`; empty for `/`.
    pub path: String,
    /// Long-term keys.
    pub credentials: Vec<Credential>,
    /// Legacy actions such as `Read:bucket`.
    pub actions: Vec<String>,
    /// The account, if the user names one.
    pub account: Option<Account>,
    /// Whether the user is disabled. The keys of a disabled user are refused.
    pub disabled: bool,
    /// Ids of the service accounts that act for the user.
    pub service_account_ids: Vec<String>,
    /// Names or ARNs of attached managed policies.
    pub attached_policies: Vec<String>,
    /// The name or ARN of the managed policy that is the permissions boundary.
    pub boundary: Option<String>,
    /// SeaweedFS's mark for identities of its static file.
    pub is_static: bool,
    /// Tags of the user.
    pub tags: Tags,
    /// Creation, seconds since 1970; 0 when unknown.
    pub created_s: i64,
    /// When its deletion was announced ([`RoleRecord::deleting_s`]).
    pub deleting_s: i64,
    /// The rename that is not finished.
    pub renamed: Option<Renamed>,
    /// What else its document says.
    pub unknown: UnknownFields,
}

/// The stored record of a group.
#[derive(Debug, Clone, Default)]
pub struct GroupRecord {
    /// Its name.
    pub name: String,
    /// `AGPA...`; empty if SeaweedFS created the group.
    pub id: String,
    /// `/a/b/`; empty for `/`.
    pub path: String,
    /// Its account; empty for the gateway's own.
    pub account: String,
    /// Names of its users.
    pub members: Vec<String>,
    /// Names or ARNs of attached managed policies.
    pub attached_policies: Vec<String>,
    /// Whether the group is disabled. Its policies then do not apply to anyone.
    pub disabled: bool,
    /// Creation, seconds since 1970; 0 when unknown.
    pub created_s: i64,
    /// When its deletion was announced ([`RoleRecord::deleting_s`]).
    pub deleting_s: i64,
    /// The rename that is not finished.
    pub renamed: Option<Renamed>,
    /// What else its document says.
    pub unknown: UnknownFields,
}

/// The stored record of a role.
#[derive(Debug, Clone, Default)]
pub struct RoleRecord {
    /// Its name.
    pub name: String,
    /// The ARN it was given; empty for `arn:aws:iam::<account>:role/<name>`.
    pub arn: String,
    /// `AROA...`; empty if Kelpgate did not create the role.
    pub id: String,
    /// `/a/b/`; empty for the path in `arn`.
    pub path: String,
    /// The trust policy's text.
    pub trust_policy: String,
    /// The ids of the principals in the trust policy.
    pub trust_ids: Option<Box<PolicyIds>>,
    /// Names or ARNs of attached managed policies.
    pub attached_policies: Vec<String>,
    /// The name or ARN of the managed policy that is the permissions boundary.
    pub boundary: Option<String>,
    /// Free text.
    pub description: String,
    /// Seconds, 3600..=43200; `None` for the default of an hour.
    pub max_session_s: Option<i64>,
    /// Tags of the role.
    pub tags: Tags,
    /// Creation, seconds since 1970; 0 when unknown.
    pub created_s: i64,
    /// Last update, seconds since 1970; 0 when unknown.
    pub updated_s: i64,
    /// When a command announced that it is about to delete the role, in seconds since 1970; 0 for never. Decisions
    /// ignore it. A command that relies on the role removes the announcement, which stops the deletion.
    pub deleting_s: i64,
    /// What else its document says.
    pub unknown: UnknownFields,
}

/// The stored record of a managed policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyRecord {
    /// JSON: the default version.
    pub text: Arc<str>,
    /// `ANPA...`; empty if Kelpgate did not create the policy.
    pub id: String,
    /// `/a/b/`; empty for `/`.
    pub path: String,
    /// Its account; empty for the gateway's own.
    pub account: String,
    /// Free text.
    pub description: String,
    /// Creation, seconds since 1970; 0 when unknown.
    pub created_s: i64,
    /// Last update, seconds since 1970; 0 when unknown.
    pub updated_s: i64,
    /// The number of the default version, from 1; 0 when unknown.
    pub version: i64,
    /// When the default version was made, in seconds since 1970; 0 if unknown.
    pub version_created_s: i64,
    /// The highest number that a version has ever had, because no number is used twice. 0 if there has been only one
    /// version.
    pub versions_given: i64,
    /// The other versions, by number.
    pub versions: BTreeMap<i64, PolicyVersion>,
    /// Tags of the policy.
    pub tags: Tags,
    /// When its deletion was announced ([`RoleRecord::deleting_s`]).
    pub deleting_s: i64,
    /// What else is stored with it.
    pub unknown: UnknownFields,
}

/// A version of a managed policy that is not the default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// JSON.
    pub text: Arc<str>,
    /// Seconds since 1970.
    pub created_s: i64,
}

/// The stored record of an inline policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InlinePolicyRecord {
    /// JSON.
    pub text: Arc<str>,
    /// The id of the user, group or role on which the policy was put: another one with the same name does not get it.
    /// Empty if unknown.
    pub holder_id: String,
    /// Creation, seconds since 1970; 0 when unknown.
    pub created_s: i64,
    /// Last update, seconds since 1970; 0 when unknown.
    pub updated_s: i64,
    /// What else is stored with it.
    pub unknown: UnknownFields,
}

/// The rename of a user or group, which is not finished: what the old name still has must be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The old name.
    pub from: String,
    /// When the rename began, seconds since 1970.
    pub at_s: i64,
}

/// One key pair of a user or service account.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The public half.
    pub access_key: String,
    /// The secret half.
    pub secret_key: SecretAccessKey,
    /// `Active`, `Inactive`, or empty for active ([`Credential::is_active`]).
    pub status: String,
    /// Creation, seconds since 1970; 0 when unknown. Service accounts have their own.
    pub created_s: i64,
    /// When it expires, seconds since 1970; 0 for never. Service accounts have their own.
    pub expires_s: i64,
    /// What else its document says of it.
    pub unknown: UnknownFields,
}

/// The beginning of an encrypted secret: `kelpgate-sealed:1:<key id>:<base64>`. It is never used for signing.
pub const SEALED: &str = "kelpgate-sealed:1:";

/// An account, as a user names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// 12 digits, or any text in SeaweedFS.
    pub id: String,
    /// The name shown as owner.
    pub display_name: String,
    /// Its address.
    pub email_address: String,
    /// What else its document says of it.
    pub unknown: UnknownFields,
}

/// A service account: one more key of its parent user.
#[derive(Debug, Clone, Default)]
pub struct ServiceAccount {
    /// `sa:<user>:<hex>`.
    pub id: String,
    /// The user for which it acts.
    pub parent_user: String,
    /// Free text.
    pub description: String,
    /// Its key.
    pub credential: Option<Credential>,
    /// Kept, although SeaweedFS ignores it in decisions.
    pub actions: Vec<String>,
    /// Seconds since 1970; 0 for never.
    pub expires_s: i64,
    /// Whether it is disabled. Its key is then refused.
    pub disabled: bool,
    /// Creation, seconds since 1970.
    pub created_s: i64,
    /// Who created it.
    pub created_by: String,
    /// What else its document says.
    pub unknown: UnknownFields,
}

/// An OpenID Connect provider.
#[derive(Debug, Clone, Default)]
pub struct OidcProvider {
    /// The account to which it belongs; empty in records of SeaweedFS that every account may use.
    pub account: String,
    /// `arn:aws:iam::<account>:oidc-provider/<host>/<path>`.
    pub arn: String,
    /// The issuer: an `https://` URL without a slash at the end.
    pub url: String,
    /// The audiences whose tokens are accepted.
    pub client_ids: Vec<String>,
    /// SHA-1 fingerprints of certificates, 40 hexadecimal digits each; empty to use the roots of the system.
    pub thumbprints: Vec<String>,
    /// Tags of the provider.
    pub tags: Tags,
    /// Creation, seconds since 1970.
    pub created_s: i64,
    /// Last update, seconds since 1970.
    pub updated_s: i64,
    /// What else its document says, including fields of SeaweedFS that Kelpgate does not use.
    pub unknown: UnknownFields,
}

/// An instance profile. Here it gives no permissions, but tools that manage roles need one.
#[derive(Debug, Clone, Default)]
pub struct InstanceProfile {
    /// Its name.
    pub name: String,
    /// `AIPA...`.
    pub id: String,
    /// The account to which it belongs.
    pub account: String,
    /// `/` or `/a/b/`.
    pub path: String,
    /// Names of its roles: at most one.
    pub roles: Vec<String>,
    /// Tags of the profile.
    pub tags: Tags,
    /// Creation, seconds since 1970.
    pub created_s: i64,
    /// What else its document says.
    pub unknown: UnknownFields,
}

/// The alias of an account, which has at most one.
#[derive(Debug, Clone, Default)]
pub struct AccountAlias {
    /// The account.
    pub account: String,
    /// 3 to 63 lower-case letters, digits and hyphens.
    pub alias: String,
    /// What else its document says.
    pub unknown: UnknownFields,
}

/// What an account does against public access to all of its buckets.
#[derive(Debug, Clone, Default)]
pub struct AccountPublicAccessBlock {
    /// The account.
    pub account: String,
    /// Its settings.
    pub block: PublicAccessBlock,
    /// What else its document says.
    pub unknown: UnknownFields,
}

impl UserRecord {
    /// Whether `Admin` without a bucket is among its legacy actions.
    pub fn has_bare_admin(&self) -> bool {
        self.actions.iter().any(|action| action == "Admin")
    }
}

impl Credential {
    /// A key without a status, which is active, and without a time of creation.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        let secret_key = SecretAccessKey::new(secret_key.into());
        Self {
            access_key: access_key.into(),
            secret_key,
            status: String::new(),
            created_s: 0,
            expires_s: 0,
            unknown: UnknownFields::default(),
        }
    }

    /// Whether it has expired at this time, in seconds since 1970.
    pub fn is_expired(&self, now_s: i64) -> bool {
        self.expires_s != 0 && self.expires_s <= now_s
    }

    /// True unless the status says otherwise. `active` in any case is active, as in SeaweedFS. An unknown status counts as
    /// inactive, although SeaweedFS lets the key in: whoever wrote it meant something other than active.
    pub fn is_active(&self) -> bool {
        self.status.is_empty() || self.status.eq_ignore_ascii_case("Active")
    }

    /// The id of the key with which the secret is encrypted, if it is [`SEALED`] text and not a plain secret.
    pub fn sealed_under(&self) -> Option<&str> {
        let rest = self.secret_key.expose().strip_prefix(SEALED)?;
        Some(rest.split_once(':').map_or("", |(id, _)| id))
    }

    /// Why the key must not be used, if its secret is published in a sample: anyone could sign with it.
    pub fn public_secret(&self) -> Option<String> {
        let place = self.secret_key.published_in()?;
        Some(format!(
            "the secret of the access key `{}` is public: {place} publish it, so anyone can sign with it; make a key of your own, \
             for example with the secret of `openssl rand -base64 30`",
            self.access_key
        ))
    }
}

impl PolicyRecord {
    /// A policy of which only its text is known.
    pub fn of_text(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Whether only its text is known, as for a policy that SeaweedFS wrote.
    pub fn is_only_text(&self) -> bool {
        *self == Self { text: self.text.clone(), ..Self::default() }
    }
}

impl InlinePolicyRecord {
    /// A policy of which only its text is known.
    pub fn of_text(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

impl OidcProvider {
    /// The stem of the file name for an ARN: its SHA-1 in hexadecimal.
    pub fn file_stem(arn: &str) -> Arc<str> {
        hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, arn.as_bytes())).into()
    }

    /// The account to which the provider belongs; `default` if the document names none.
    pub fn account_or(&self, default: AccountId) -> AccountId {
        let in_arn = self.arn.split(':').nth(4).unwrap_or_default();
        [self.account.as_str(), in_arn].iter().find_map(|account| account.parse().ok()).unwrap_or(default)
    }
}

impl InstanceProfile {
    /// `arn:aws:iam::<account>:instance-profile/<path><name>`.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:instance-profile{}{}", self.account, self.path, self.name)
    }
}

/// The path of an entity; `/` if it has none.
pub(crate) fn path_or_root(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}
