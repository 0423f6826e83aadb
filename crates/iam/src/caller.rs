//! The authenticated caller of a request.

use std::net::IpAddr;
use std::sync::Arc;

use ids::{AccessKeyId, AccountId};
use policy::{CompiledPolicy, Principal};

use crate::directory::DirectoryUser;
use crate::identity_provider::IdentityProvider;
use crate::plugin::PluginKeys;
use crate::revocation::RevocationTarget;
use crate::snapshot::{PolicySource, User};

/// An authenticated caller with the policies that apply to it now.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user's name, also in sessions of GetSessionToken and GetFederationToken; for a role session, the session's name.
    pub name: Arc<str>,
    /// The principal that policies compare.
    pub principal: Principal,
    /// Its ARN, as returned by GetCallerIdentity.
    pub arn: Arc<str>,
    /// `aws:userid`: the user's id, `<role id>:<session name>`, or the account of a root user.
    pub user_id: Arc<str>,
    /// The account in which it acts.
    pub account: AccountId,
    /// Whether it is the root user of its account.
    pub is_root: bool,
    /// The key that signed; `None` for anonymous callers.
    pub access_key_id: Option<AccessKeyId>,
    /// Facts of its session; `None` for long-term keys.
    pub session: Option<CallerSession>,
    /// Identity policies.
    pub policies: Arc<[Arc<CompiledPolicy>]>,
    /// Where each of `policies` comes from, in the same order.
    pub sources: Arc<[PolicySource]>,
    /// The permissions boundary.
    pub boundary: Option<Arc<CompiledPolicy>>,
    /// How the request came.
    pub connection: ConnectionFacts,
}

/// How a request came, taking forwarding headers into account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionFacts {
    /// The address of the client, if it is known.
    pub source_ip: Option<IpAddr>,
    /// Whether it came over TLS.
    pub secure_transport: bool,
    /// The TLS version, if it is known.
    pub tls_version: Option<TlsVersion>,
}

/// A TLS version that gateways support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

impl TlsVersion {
    /// The value of `s3:TlsVersion`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }
}

/// The content of a session token.
#[derive(Debug, Clone, Default)]
pub struct CallerSession {
    /// The session's id (`sid`).
    pub id: Arc<str>,
    /// The role's ARN; empty for a session that a user made for themselves, or with GetFederationToken.
    pub role_arn: Arc<str>,
    /// The name given to AssumeRole or GetFederationToken.
    pub name: Arc<str>,
    /// Seconds since 1970.
    pub issued_s: i64,
    /// Seconds since 1970.
    pub expires_s: i64,
    /// The session policy, compiled.
    pub policy: Option<Arc<CompiledPolicy>>,
    /// The session's tags: name and value.
    pub tags: Arc<[(String, String)]>,
    /// The keys of the tags that every session made from this one inherits.
    pub transitive_tag_keys: Arc<[String]>,
    /// `sts:SourceIdentity` of the first role in the chain.
    pub source_identity: Option<Arc<str>>,
    /// The user of an identity provider for whom it was made.
    pub federation: Option<Arc<Federation>>,
    /// What it can be revoked by, except its role: [`RevocationTarget::to_text`](crate::RevocationTarget::to_text).
    pub origins: Arc<[String]>,
    /// The id of the user who made it with GetFederationToken.
    pub federated_by: Option<Arc<str>>,
    /// When a code of an MFA device was shown for it, seconds since 1970.
    pub mfa_at_s: Option<i64>,
}

/// What a session says about the user of an identity provider for whom it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federation {
    /// The provider.
    pub provider: Arc<IdentityProvider>,
    /// The user's subject at the provider.
    pub subject: Arc<str>,
    /// The client id for which the provider's token was accepted, if the session says so.
    pub audience: Option<Arc<str>>,
    /// The same user as a directory knows them; `None` for providers of tokens.
    pub directory_user: Option<Arc<DirectoryUser>>,
    /// What a plugin said of the user; empty for other providers.
    pub plugin_keys: PluginKeys,
}

impl CallerSession {
    /// Whether it is the session of a role, and not one that a user made for themselves.
    pub fn is_of_role(&self) -> bool {
        !self.role_arn.is_empty()
    }

    /// All that it can be revoked by, and with it the sessions made from it.
    pub fn revocation_targets(&self) -> impl Iterator<Item = String> {
        let role = RevocationTarget::Role(self.role_arn.to_string()).to_text();
        self.origins.iter().cloned().chain([role])
    }

    /// The tags that every session made from this one inherits. Keys are compared ignoring case, as everywhere in STS.
    pub fn transitive_tags(&self) -> impl Iterator<Item = &(String, String)> {
        let is_transitive = |key: &str| self.transitive_tag_keys.iter().any(|known| known.to_lowercase() == key);
        self.tags.iter().filter(move |(key, _)| is_transitive(&key.to_lowercase()))
    }
}

impl Caller {
    /// A user as the caller of a request whose address and key are not set yet.
    pub fn of(user: &User) -> Self {
        Self {
            name: Arc::clone(&user.name),
            principal: user.principal.clone(),
            arn: Arc::clone(&user.arn),
            user_id: if user.is_root { user.account.as_str().into() } else { Arc::clone(&user.id) },
            account: user.account,
            is_root: user.is_root,
            access_key_id: None,
            session: None,
            policies: Arc::clone(&user.policies),
            sources: Arc::clone(&user.sources),
            boundary: user.boundary.clone(),
            connection: ConnectionFacts::default(),
        }
    }

    /// What the sessions that it makes can be revoked by, beside what they are themselves.
    pub fn origins(&self) -> Vec<String> {
        match &self.session {
            Some(session) => session.revocation_targets().collect(),
            None => vec![RevocationTarget::User(self.user_id.to_string()).to_text()],
        }
    }

    /// The unique id of the user, of the session's role, or of the user who made the session with GetFederationToken.
    pub fn unique_id(&self) -> Option<&str> {
        match self.principal {
            Principal::User { .. } | Principal::AssumedRole { .. } => self.user_id.split(':').next(),
            Principal::FederatedUser { .. } => self.session.as_ref()?.federated_by.as_deref(),
            _ => None,
        }
    }

    /// The caller of an unsigned request.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.principal, Principal::Anonymous)
    }
}
