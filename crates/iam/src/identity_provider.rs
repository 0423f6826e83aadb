//! Identity providers (OpenID Connect, directories by LDAP, authorities of client certificates, plugins): whose users are accepted, and
//! what they get.

use std::sync::Arc;

use ids::AccountId;
use sts::{Claims, ProviderKeys};

use crate::certificate::is_certificate;
use crate::directory::{PolicyMapping, is_directory};
use crate::entity::OidcProvider;
use crate::plugin::is_plugin;

/// What begins the names of other condition keys, and therefore cannot be an issuer's host.
const RESERVED_HOSTS: [&str; 11] =
    ["aws", "s3", "iam", "sts", "kms", "oidc", "jwt", "ldap", "certificate", "plugin", "kelpgate"];

/// Whether the claims of an issuer would look like other condition keys, because of its host.
pub fn is_reserved_issuer(issuer: &str) -> bool {
    let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    RESERVED_HOSTS.iter().any(|reserved| host.eq_ignore_ascii_case(reserved))
}

/// An identity provider, from the configuration or from the IAM API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    /// Its name in the configuration; empty for a provider of the IAM API.
    pub name: String,
    /// `arn:aws:iam::<account>:oidc-provider/<host>/<path>`, or `ldap-provider/<name>`, `certificate-provider/<name>` or
    /// `plugin-provider/<name>`, as trust policies name it.
    pub arn: String,
    /// The account whose roles may trust it.
    pub account: AccountId,
    /// The issuer. That of a provider of the IAM API has no slash at the end, whatever its tokens say.
    pub issuer: String,
    /// The audiences whose tokens are accepted.
    pub client_ids: Vec<String>,
    /// When it was created, seconds since 1970; 0 for a provider of the configuration. Older sessions are refused.
    pub created_s: i64,
    /// Where its keys come from.
    pub keys: KeySource,
    /// What its tokens give to callers that name no role.
    pub rights: ProviderRights,
    /// The claim that becomes the source identity of sessions; empty for none.
    pub source_identity_claim: String,
    /// The claim that names sessions whose callers do not; empty for `sub`.
    pub session_name_claim: String,
    /// The session tags that tokens may set; `None` for all.
    pub allowed_tag_keys: Option<Vec<String>>,
}

/// Where the keys of a provider come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySource {
    /// The address of the keys, if discovery should not be asked.
    pub jwks_uri: Option<String>,
    /// A file with the keys, which takes the place of every request.
    pub jwks_file: Option<String>,
    /// A file with the certificates that sign the provider's own, in place of the machine's roots.
    pub ca_file: Option<String>,
    /// A file with a token that is sent along with requests, as Kubernetes wants it.
    pub bearer_file: Option<String>,
    /// Whether the provider may be at a private or loopback address.
    pub allows_private_addresses: bool,
}

/// What a user gets without a role's ARN in the call: at most one of them is configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProviderRights {
    /// Nothing: the call has to name a role.
    #[default]
    None,
    /// The first rule that matches names the role.
    Roles(RoleMapping),
    /// This claim has the names of managed policies.
    PolicyClaim(String),
    /// The DNs of a directory's user and of their groups have managed policies.
    Policies(PolicyMapping),
    /// All users have these managed policies.
    RolePolicy(Vec<String>),
}

impl ProviderRights {
    /// The managed policies that the configuration names, each as it is written there.
    pub fn policies(&self) -> Vec<&str> {
        match self {
            Self::Policies(mapping) => {
                mapping.users.values().chain(mapping.groups.values()).flatten().map(String::as_str).collect()
            }
            Self::RolePolicy(names) => names.iter().map(String::as_str).collect(),
            Self::None | Self::Roles(_) | Self::PolicyClaim(_) => Vec::new(),
        }
    }
}

/// Which role a token gets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleMapping {
    /// In the order of the configuration.
    pub rules: Vec<RoleRule>,
    /// The role of tokens that match no rule.
    pub default_role: Option<String>,
}

/// A role for tokens with this value in a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRule {
    /// The claim, nested ones with dots.
    pub claim: String,
    /// One of its values; `*` at the beginning or end stands for any text.
    pub value: String,
    /// The name or ARN of the role.
    pub role: String,
}

/// The keys of a provider as a gateway fetched them.
#[derive(Debug, Clone, Default)]
pub struct OidcKeys {
    /// The issuer exactly as the provider says it.
    pub issuer: String,
    /// The document of keys (JWKS).
    pub jwks: Arc<str>,
    /// The same, read.
    pub keys: ProviderKeys,
    /// When they were fetched, seconds since 1970.
    pub fetched_s: i64,
}

/// How long keys are used after they were fetched, in seconds: a provider's outage must not lock anyone out at once, and
/// withdrawn keys must not be good forever.
const KEYS_KEPT_S: i64 = 7 * 24 * 3600;

impl OidcKeys {
    /// Whether they are too old to be used.
    pub fn is_stale(&self, now_s: i64) -> bool {
        now_s.saturating_sub(self.fetched_s) > KEYS_KEPT_S
    }
}

impl IdentityProvider {
    /// A provider that the IAM API stored. `default` is the account of records that name none.
    pub fn of_record(record: &OidcProvider, default: AccountId) -> Self {
        Self {
            name: String::new(),
            arn: record.arn.clone(),
            account: record.account_or(default),
            issuer: record.url.clone(),
            client_ids: record.client_ids.clone(),
            created_s: record.created_s,
            keys: KeySource::default(),
            rights: ProviderRights::None,
            source_identity_claim: String::new(),
            session_name_claim: String::new(),
            allowed_tag_keys: None,
        }
    }

    /// Whether it is a directory, which is asked by LDAP.
    pub fn is_directory(&self) -> bool {
        is_directory(&self.issuer)
    }

    /// Whether its users are the holders of client certificates.
    pub fn is_certificate(&self) -> bool {
        is_certificate(&self.issuer)
    }

    /// Whether it is a plugin, which is asked for each sign-in.
    pub fn is_plugin(&self) -> bool {
        is_plugin(&self.issuer)
    }

    /// Whether it issues tokens, and has keys that verify them: providers of OpenID Connect alone. One whose claims would look like
    /// other condition keys may be stored, but has none that count.
    pub fn has_tokens(&self) -> bool {
        !self.is_directory() && !self.is_certificate() && !self.is_plugin() && !is_reserved_issuer(&self.issuer)
    }

    /// The names by which trust policies may name it besides its ARN: SeaweedFS's policies have the name or the issuer.
    pub fn aliases(&self) -> Vec<String> {
        let names = [&self.name, &self.issuer].into_iter().filter(|_| !self.name.is_empty());
        names.cloned().collect()
    }

    /// What precedes the claims in its condition keys: the issuer without `https://`, or `ldap`, `certificate` or `plugin`.
    pub fn key_prefix(&self) -> &str {
        if self.is_directory() {
            return "ldap";
        }
        if self.is_certificate() {
            return "certificate";
        }
        if self.is_plugin() {
            return "plugin";
        }
        let issuer = self.issuer.split_once("://").map_or(self.issuer.as_str(), |(_, rest)| rest);
        issuer.strip_suffix('/').unwrap_or(issuer)
    }

    /// The stem of the document with its keys. Providers share it only if their keys come from the same place: a caller that may
    /// create a provider for an issuer must not choose the keys that verify another provider's tokens.
    pub fn keys_stem(&self) -> Arc<str> {
        let issuer = same_issuer(&self.issuer);
        if self.keys == KeySource::default() {
            return OidcProvider::file_stem(issuer);
        }
        let KeySource { jwks_uri, jwks_file, ca_file, bearer_file, allows_private_addresses } = &self.keys;
        OidcProvider::file_stem(&format!(
            "{issuer} {jwks_uri:?} {jwks_file:?} {ca_file:?} {bearer_file:?} {allows_private_addresses}"
        ))
    }
}

/// The issuer without the slash at its end: providers of the IAM API are stored without it.
pub(crate) fn same_issuer(issuer: &str) -> &str {
    issuer.strip_suffix('/').unwrap_or(issuer)
}

impl RoleMapping {
    /// The role of a token: that of the first rule that matches, or else the default.
    pub fn role_of(&self, claims: &Claims) -> Option<&str> {
        let rule = self.rules.iter().find(|rule| rule.matches(claims));
        rule.map(|rule| rule.role.as_str()).or(self.default_role.as_deref())
    }
}

impl RoleRule {
    fn matches(&self, claims: &Claims) -> bool {
        let values = claims.get(&self.claim).map(sts::Claim::values).unwrap_or_default();
        values.iter().any(|value| self.fits(value))
    }

    fn fits(&self, value: &str) -> bool {
        match (self.value.strip_prefix('*'), self.value.strip_suffix('*')) {
            (Some(""), _) => true,
            (Some(rest), Some(_)) => rest.strip_suffix('*').is_some_and(|middle| value.contains(middle)),
            (Some(end), None) => value.ends_with(end),
            (None, Some(start)) => value.starts_with(start),
            (None, None) => value == self.value,
        }
    }
}
