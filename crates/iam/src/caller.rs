//! Who makes a request, once authenticated.

use std::net::IpAddr;
use std::sync::Arc;

use ids::{AccessKeyId, AccountId};
use policy::{CompiledPolicy, Principal};

use crate::snapshot::User;

/// An authenticated caller with the policies that apply to it at this moment.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user's name, or the session's.
    pub name: Arc<str>,
    /// What policies know it as.
    pub principal: Principal,
    /// Its ARN, as GetCallerIdentity answers it.
    pub arn: Arc<str>,
    /// `aws:userid`: the user's id, `<role id>:<session name>`, or the account of a root user.
    pub user_id: Arc<str>,
    /// The account it acts in.
    pub account: AccountId,
    /// The root user of its account.
    pub is_root: bool,
    /// The key that signed; `None` for anonymous callers.
    pub access_key_id: Option<AccessKeyId>,
    /// Facts of its session; `None` for long-term keys.
    pub session: Option<CallerSession>,
    /// Identity policies.
    pub policies: Arc<[Arc<CompiledPolicy>]>,
    /// The permissions boundary.
    pub boundary: Option<Arc<CompiledPolicy>>,
    /// Where the request came from, forwarding headers considered.
    pub source_ip: Option<IpAddr>,
    /// `User-Agent`; may be empty.
    pub user_agent: Arc<str>,
    /// The request came over TLS.
    pub secure_transport: bool,
    /// The version of that TLS, where it is known.
    pub tls_version: Option<TlsVersion>,
}

/// A version of TLS that gateways speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

impl TlsVersion {
    /// As `s3:TlsVersion` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }
}

/// What a session token says.
#[derive(Debug, Clone)]
pub struct CallerSession {
    /// The session's id (`sid`).
    pub id: Arc<str>,
    /// The role's ARN.
    pub role_arn: Arc<str>,
    /// The name given to AssumeRole.
    pub name: Arc<str>,
    /// Seconds since 1970.
    pub issued_s: i64,
    /// Seconds since 1970.
    pub expires_s: i64,
    /// The session policy, compiled.
    pub policy: Option<Arc<CompiledPolicy>>,
    /// The session's tags: name and value.
    pub tags: Arc<[(String, String)]>,
    /// Keys of those tags that every session made from this one inherits.
    pub transitive_tag_keys: Arc<[String]>,
    /// `sts:SourceIdentity` of the first role in the chain.
    pub source_identity: Option<Arc<str>>,
}

impl CallerSession {
    /// The tags that every session made from this one inherits. Keys are compared without case, as everywhere in STS.
    pub fn transitive_tags(&self) -> impl Iterator<Item = &(String, String)> {
        let is_transitive = |key: &str| self.transitive_tag_keys.iter().any(|known| known.to_lowercase() == key);
        self.tags.iter().filter(move |(key, _)| is_transitive(&key.to_lowercase()))
    }
}

impl Caller {
    /// A user, before anything is known of the request: its address, agent and key.
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
            boundary: user.boundary.clone(),
            source_ip: None,
            user_agent: "".into(),
            secure_transport: false,
            tls_version: None,
        }
    }

    /// The unique id of the user, or of the session's role.
    pub fn unique_id(&self) -> Option<&str> {
        match self.principal {
            Principal::User { .. } | Principal::AssumedRole { .. } => self.user_id.split(':').next(),
            _ => None,
        }
    }

    /// Nobody signed the request.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.principal, Principal::Anonymous)
    }
}
