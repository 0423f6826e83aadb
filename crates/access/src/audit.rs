//! The audit record of a request: the caller, the decision, and the policy statement that decided. A log line is one way to print it.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use iam::{Caller, CallerSession, IdentityProvider, Role};
use ids::{AccessKeyId, AccountId};
use jiff::Timestamp;
use policy::{CompiledPolicy, Decision, Origin, PolicyType, Principal};
use s3::Requirement;

use crate::decision_input::DecisionInput;
use crate::refusal::{outcome_label, policy_label};

/// The version of the form of [`AuditRecord`]. It rises when the meaning of a field changes; new fields leave it as it is.
pub const AUDIT_VERSION: u32 = 1;

/// The status of a request whose client went away before the answer began. No client ever sees it.
pub const STATUS_CLIENT_GONE: u16 = 499;

/// All that an audit log keeps of one request. It borrows what the client sent from the head of the request.
#[derive(Debug, Clone)]
pub struct AuditRecord<'a> {
    /// The id of the request, which is the `DecisionId` of its refusal too.
    pub request_id: String,
    /// When its head was read.
    pub time: Timestamp,
    /// From then until the answer began.
    pub took: Duration,
    /// The S3 operation or the IAM or STS action, such as `GetObject` or `iam:CreateUser`; `Unknown` if the request was refused
    /// before that was known.
    pub operation: &'static str,
    /// Who made it.
    pub caller: AuditedCaller,
    /// What it is about.
    pub target: AuditedTarget,
    /// Parameters of the query string, and of the form of IAM and STS calls. Values that may be secrets are left out.
    pub parameters: Vec<(String, String)>,
    /// The permissions that it needed, in the order of the decisions, up to the first that was refused. A request for several
    /// objects goes on after a refusal.
    pub decisions: Vec<AuditedDecision>,
    /// What became of each key of DeleteObjects.
    pub objects: Vec<AuditedObject>,
    /// The revision of the IAM state that it was decided by; 0 if it was not decided.
    pub revision: u64,
    /// The request itself.
    pub request: AuditedRequest<'a>,
    /// The status of the answer, or [`STATUS_CLIENT_GONE`].
    pub status: u16,
    /// The error of the answer.
    pub error: Option<AuditedError>,
    /// The length of the answer's body, where it is known beforehand.
    pub bytes_sent: Option<u64>,
}

impl AuditRecord<'_> {
    /// The permissions that were refused.
    pub fn refusals(&self) -> impl Iterator<Item = &AuditedDecision> {
        self.decisions.iter().filter(|decided| !decided.decision.is_allow())
    }

    /// About how many bytes of memory it takes: what clients choose is counted.
    pub fn weight_bytes(&self) -> usize {
        let parameters = self.parameters.iter().map(|(name, value)| name.len() + value.len() + 48);
        let decisions = self.decisions.iter().map(|decided| decided.resource.len() + 200);
        let objects = self.objects.iter().map(|object| object.key.len() + 120);
        let request = self.request.path.len() + self.request.user_agent.len() + self.request.referer.len();
        1024 + request + parameters.sum::<usize>() + decisions.sum::<usize>() + objects.sum::<usize>()
    }
}

/// What a request said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedRequest<'a> {
    /// The HTTP method.
    pub method: Cow<'static, str>,
    /// The path as it was sent, without the query string, which may hold signatures.
    pub path: Cow<'a, str>,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: &'static str,
    /// `Host`, or the authority on HTTP/2; may be empty.
    pub host: Cow<'a, str>,
    /// The client's address, trusted proxies taken away.
    pub client: IpAddr,
    /// The other end of the connection: the client itself, or the nearest proxy.
    pub peer: IpAddr,
    /// The TLS version of the connection, such as `1.3`; `None` for plain text.
    pub tls: Option<&'static str>,
    /// How it was signed; `None` if it was not.
    pub signature: Option<AuditedSignature>,
    /// `User-Agent`, at most [`HEADER_BYTES_MAX`] bytes of it; may be empty.
    pub user_agent: Cow<'a, str>,
    /// `Referer` without its query string, shortened in the same way; may be empty.
    pub referer: Cow<'a, str>,
    /// `Content-Length`.
    pub bytes_received: Option<u64>,
}

/// How much of a header a record keeps, in bytes: as CloudTrail does.
pub const HEADER_BYTES_MAX: usize = 1024;

/// How a request was signed. This says nothing about whether the signature was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditedSignature {
    /// `SigV4` or `SigV2`; empty for a form, whose fields say it.
    pub version: &'static str,
    /// `AuthHeader`, `QueryString` or `Form`.
    pub place: &'static str,
}

/// What a request is about; fields that it does not name are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditedTarget {
    /// The bucket.
    pub bucket: Option<String>,
    /// The object's key.
    pub key: Option<String>,
    /// The version that the request names.
    pub version_id: Option<String>,
    /// The object that is copied, as `bucket/key`.
    pub copy_source: Option<String>,
}

/// What became of one key of DeleteObjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedObject {
    /// The key, as the request spells it.
    pub key: String,
    /// The version that the request names.
    pub version_id: Option<String>,
    /// AWS's code; `None` if it was deleted.
    pub error: Option<String>,
}

/// An error that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedError {
    /// AWS's code, such as `AccessDenied`.
    pub code: String,
    /// The message; empty for IAM and STS, whose messages may repeat parameters.
    pub message: String,
}

/// Who made a request. The default is an anonymous caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditedCaller {
    /// The ARN of the user or session; empty for anonymous callers.
    pub arn: Arc<str>,
    /// `aws:userid`; empty for anonymous callers.
    pub user_id: Arc<str>,
    /// The user's name, or that of a session of AssumeRole or GetFederationToken; empty for anonymous callers.
    pub name: Arc<str>,
    /// Whether it is the root user of its account.
    pub is_root: bool,
    /// The account that the caller acts in; `None` for anonymous callers.
    pub account: Option<AccountId>,
    /// The access key that signed.
    pub access_key_id: Option<AccessKeyId>,
    /// The access key that a request names whose signature was refused: a claim of the client, at most 128 characters. If the signature of
    /// the head was right, and that of a chunk was not, it is the caller's.
    pub claimed_key: Option<String>,
    /// Where a session comes from; `None` for long-term keys.
    pub session: Option<AuditedSession>,
    /// Whose user asks for a session, or brings a token.
    pub sign_in: Option<AuditedSignIn>,
}

/// A sign-in at an identity provider, whether it succeeds or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedSignIn {
    /// The ARN of the provider that has to vouch for the user.
    pub provider_arn: String,
    /// The provider's issuer.
    pub issuer: String,
    /// The subject, once the provider has vouched for it: its signature, its answer to the password, or its authority. `None` before that:
    /// what a client merely says of itself is not kept.
    pub subject: Option<Arc<str>>,
}

impl AuditedSignIn {
    /// A sign-in at a provider.
    pub fn at(provider: &IdentityProvider, subject: Option<&str>) -> Self {
        let (provider_arn, issuer) = (provider.arn.clone(), provider.issuer.clone());
        Self { provider_arn, issuer, subject: subject.map(Into::into) }
    }
}

/// Where a session comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedSession {
    /// The session's id.
    pub id: Arc<str>,
    /// The ARN of the role; empty for a session that a user made.
    pub role_arn: Arc<str>,
    /// The user who made it for somebody else, with GetFederationToken.
    pub maker: Option<AuditedMaker>,
    /// When it was issued, in seconds since 1970.
    pub issued_s: i64,
    /// `sts:SourceIdentity` of the first session in the chain of roles.
    pub source_identity: Option<Arc<str>>,
    /// The user of an identity provider for whom it was made.
    pub federation: Option<AuditedFederation>,
    /// Whether it was made with multi-factor authentication.
    pub has_mfa: bool,
}

/// A user who made a session for somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedMaker {
    /// The user's ARN.
    pub arn: String,
    /// The user's id.
    pub user_id: Arc<str>,
    /// The user's name.
    pub name: Arc<str>,
}

/// The user of an identity provider for whom a session was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedFederation {
    /// The provider's ARN.
    pub provider_arn: String,
    /// The provider's issuer.
    pub issuer: String,
    /// The user's subject at the provider.
    pub subject: Arc<str>,
}

impl AuditedCaller {
    /// The audited facts of a caller.
    pub fn of(caller: &Caller) -> Self {
        if caller.is_anonymous() {
            return Self::default();
        }
        let name = match (&caller.principal, &caller.session) {
            (Principal::FederatedUser { .. }, Some(session)) => &session.name,
            _ => &caller.name,
        };
        Self {
            arn: Arc::clone(&caller.arn),
            user_id: Arc::clone(&caller.user_id),
            name: Arc::clone(name),
            is_root: caller.is_root,
            account: Some(caller.account),
            access_key_id: caller.access_key_id.clone(),
            claimed_key: None,
            session: caller.session.as_ref().map(|session| AuditedSession::of(session, AuditedMaker::of(caller))),
            sign_in: None,
        }
    }
}

impl AuditedSession {
    fn of(session: &CallerSession, maker: Option<AuditedMaker>) -> Self {
        Self {
            id: Arc::clone(&session.id),
            role_arn: Arc::clone(&session.role_arn),
            maker,
            issued_s: session.issued_s,
            source_identity: session.source_identity.clone(),
            has_mfa: session.mfa_at_s.is_some(),
            federation: session.federation.as_ref().map(|federation| AuditedFederation {
                provider_arn: federation.provider.arn.clone(),
                issuer: federation.provider.issuer.clone(),
                subject: Arc::clone(&federation.subject),
            }),
        }
    }
}

impl AuditedMaker {
    /// Who made the session of this caller, if it is of GetFederationToken.
    fn of(caller: &Caller) -> Option<Self> {
        let Principal::FederatedUser { account, user, .. } = &caller.principal else { return None };
        let (path, name) = user.rsplit_once('/')?;
        let maker = match name {
            "" => Principal::Root(*account),
            name => Principal::User { account: *account, path: format!("{path}/"), name: name.to_owned() },
        };
        let user_id = caller.session.as_ref()?.federated_by.clone()?;
        Some(Self { arn: maker.to_string(), user_id, name: Arc::clone(&caller.name) })
    }
}

/// A permission that a request needed, and what was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedDecision {
    /// The action, as AWS spells it.
    pub action: &'static str,
    /// The resource's ARN, or `*`.
    pub resource: String,
    /// The account of the bucket or role that it is about; `None` for other resources, and for those that do not exist.
    pub resource_account: Option<AccountId>,
    /// The decision.
    pub decision: Decision,
    /// The policy whose statement decided, as operators know it, such as "attached policy `Readers`". `None` if no statement decided.
    pub policy: Option<String>,
    /// The `Sid` of that statement, if it has one.
    pub sid: Option<String>,
}

impl AuditedDecision {
    pub(crate) fn of(need: &Requirement, decision: Decision, owner: PolicyOwner<'_>, input: DecisionInput<'_>) -> Self {
        let by = decided_by(decision);
        let compiled = by.and_then(|by| policy_of(by.policy, owner, input));
        let sid = by.zip(compiled).and_then(|(by, policy)| policy.sid(by.statement));
        Self {
            action: need.action,
            resource: need.resource.clone(),
            resource_account: owner.account(input),
            decision,
            policy: by.and_then(|by| name_of(by.policy, owner, input)),
            sid: sid.map(str::to_owned),
        }
    }

    /// `allow`, `explicit_deny` or `implicit_deny`.
    pub fn outcome(&self) -> &'static str {
        outcome_label(&self.decision)
    }

    /// The type of the policy that decided, or that would have had to allow.
    pub fn policy_type(&self) -> &'static str {
        policy_label(&self.decision)
    }

    /// The position of the statement that decided in its policy, from 0.
    pub fn statement(&self) -> Option<u32> {
        decided_by(self.decision).filter(|_| self.policy.is_some()).map(|by| by.statement)
    }
}

/// `s3:GetObject arn:aws:s3:::reef/a allow by attached policy `Readers`, statement 0 (Public)`.
impl fmt::Display for AuditedDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.action, self.resource, self.outcome())?;
        if let (Some(policy), Some(statement)) = (&self.policy, self.statement()) {
            write!(f, " by {policy}, statement {statement}")?;
        }
        self.sid.as_ref().map_or(Ok(()), |sid| write!(f, " ({sid})"))
    }
}

/// The statement that decided, if one did.
fn decided_by(decision: Decision) -> Option<Origin> {
    match decision {
        Decision::Allow { by } | Decision::ExplicitDeny { by } => Some(by),
        Decision::ImplicitDeny { .. } => None,
    }
}

/// Whose policy is the resource-based one of a decision.
#[derive(Clone, Copy)]
pub(crate) enum PolicyOwner<'a> {
    /// The bucket that an S3 resource names, if it exists, with its bucket policy.
    BucketOf(&'a str),
    /// A role, with its trust policy.
    Role(&'a Role),
    /// No resource has a policy.
    None,
}

impl<'a> PolicyOwner<'a> {
    fn policy(self, input: DecisionInput<'a>) -> Option<&'a CompiledPolicy> {
        match self {
            Self::BucketOf(resource) => input.bucket_of(resource)?.compiled_policy(),
            Self::Role(role) => Some(&role.trust),
            Self::None => None,
        }
    }

    fn account(self, input: DecisionInput<'_>) -> Option<AccountId> {
        match self {
            Self::BucketOf(resource) => input.bucket_of(resource).map(|bucket| bucket.account),
            Self::Role(role) => Some(role.account),
            Self::None => None,
        }
    }

    fn policy_name(self, input: DecisionInput<'_>) -> Option<String> {
        match self {
            Self::BucketOf(resource) => Some(format!("policy of bucket `{}`", input.bucket_of(resource)?.name)),
            Self::Role(role) => Some(format!("trust policy of role `{}`", role.name)),
            Self::None => None,
        }
    }
}

/// The policy of a type that a resource and a caller have.
pub(crate) fn policy_of<'a>(
    policy: PolicyType,
    resource: PolicyOwner<'a>,
    input: DecisionInput<'a>,
) -> Option<&'a CompiledPolicy> {
    let caller = input.caller;
    match policy {
        PolicyType::Identity(at) => caller.policies.get(at).map(|policy| &**policy),
        PolicyType::Resource => resource.policy(input),
        PolicyType::Session => caller.session.as_ref().and_then(|session| session.policy.as_deref()),
        PolicyType::Boundary => caller.boundary.as_deref(),
        PolicyType::Acl | PolicyType::PublicAccessBlock | PolicyType::Root | PolicyType::NotNeeded => None,
    }
}

fn name_of(policy: PolicyType, resource: PolicyOwner<'_>, input: DecisionInput<'_>) -> Option<String> {
    match policy {
        PolicyType::Identity(at) => input.caller.sources.get(at).map(ToString::to_string),
        PolicyType::Resource => resource.policy_name(input),
        PolicyType::Session | PolicyType::Boundary => Some(policy.description().to_owned()),
        PolicyType::Acl => Some("ACL".to_owned()),
        PolicyType::PublicAccessBlock | PolicyType::Root | PolicyType::NotNeeded => None,
    }
}
