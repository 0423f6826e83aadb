//! The STS query API: sessions of roles, for users of this gateway, of identity providers, directories and plugins; and GetCallerIdentity.

mod bearer;
mod certificate;
mod custom_token;
mod ldap;
mod mfa;
mod own_session;
mod sign_in;
mod sign_in_limits;
mod user_session;
mod web_identity;

use std::borrow::Cow;
use std::sync::Arc;

use access::DecisionInput;
use federation::{Directory, KeyDemand, Plugin};
use iam::{Caller, CallerSession, RevocationTarget, Role, Snapshot};
use iam_api::answer::{self, AssumeRoleOutput, Service};
use iam_api::{AssumeRoleInput, DurationLimits, IamError, QueryAction};
use iam_formats::StsConfig;
use ids::AccountId;
use jiff::Timestamp;
use policy::{Context, Decision, Policy, PolicyKind};
use serde_json::Map;
use store::FilerStore;
use sts::{NewSession, SessionHolder, SessionKeys};

use crate::feed::Follower;
use crate::query::{Call, QueryError, authorize, needs};
use mfa::WrongCodes;
use sign_in_limits::SignInLimits;
use web_identity::{CLIENT_GRANTS, WEB_IDENTITY};

/// STS's actions on this gateway.
pub struct StsApi {
    pub(crate) follower: Arc<Follower>,
    keys: Option<Arc<SessionKeys>>,
    pub(crate) key_demand: Arc<KeyDemand>,
    /// Where the last codes of MFA devices are written.
    store: FilerStore,
    wrong_codes: WrongCodes,
    /// In the order of the configuration.
    pub(crate) directories: Vec<Directory>,
    pub(crate) plugin: Option<Plugin>,
    pub(crate) sign_in_limits: SignInLimits,
    token_duration_s: u32,
    pub(crate) max_session_s: u32,
}

impl StsApi {
    /// Without keys no sessions are made, and the answer says how to configure a key. `key_demand` is told of the keys of
    /// identity providers that are missing.
    pub fn new(
        follower: Arc<Follower>,
        keys: Option<Arc<SessionKeys>>,
        key_demand: Arc<KeyDemand>,
        store: FilerStore,
        config: &StsConfig,
    ) -> Self {
        let seconds = |seconds: i64| u32::try_from(seconds).unwrap_or(u32::MAX);
        Self {
            follower,
            keys,
            key_demand,
            store,
            wrong_codes: WrongCodes::default(),
            directories: Vec::new(),
            plugin: None,
            sign_in_limits: SignInLimits::default(),
            token_duration_s: seconds(config.token_duration_s),
            max_session_s: seconds(config.max_session_s),
        }
    }

    /// With directories whose users get sessions.
    #[must_use]
    pub fn with_directories(self, directories: Vec<Directory>) -> Self {
        Self { directories, ..self }
    }

    /// With a plugin whose users get sessions.
    #[must_use]
    pub fn with_plugin(self, plugin: Option<Plugin>) -> Self {
        Self { plugin, ..self }
    }

    /// Answers one call with its XML.
    pub async fn answer(&self, call: &Call<'_>, context: Context) -> Result<String, QueryError> {
        // Actions that ask other servers are boxed, so that a call of AssumeRole does not carry their size.
        let answered = match call.action()? {
            "AssumeRoleWithWebIdentity" => {
                Box::pin(self.assume_role_with_web_identity(call, context, &WEB_IDENTITY)).await
            }
            "AssumeRoleWithClientGrants" => {
                Box::pin(self.assume_role_with_web_identity(call, context, &CLIENT_GRANTS)).await
            }
            certificate::ACTION => self.assume_role_with_certificate(call, context),
            custom_token::ACTION => Box::pin(self.assume_role_with_custom_token(call, context)).await,
            ldap::ACTION => Box::pin(self.assume_role_with_ldap_identity(call, context)).await,
            _ => self.dispatch(call, context).await,
        };
        answered.map_err(QueryError::of_sts)
    }

    async fn dispatch(&self, call: &Call<'_>, context: Context) -> Result<String, QueryError> {
        call.check_version(Service::Sts)?;
        let action = QueryAction::find(call.action()?)?;
        if call.caller.is_anonymous() && action.is_signed {
            return Err(refuse("MissingAuthenticationToken", 403, "The request must be signed"));
        }
        let session = call.caller.session.as_ref().filter(|session| !session.is_of_role());
        if session.is_some_and(|session| !is_open_to_users_sessions(action.name, session)) {
            return Err(refuse("AccessDenied", 403, format!("Cannot call {} with session credentials", action.name)));
        }
        match action.name {
            "AssumeRole" if call.params.given("RoleArn").is_none() => self.own_session(call, context),
            "AssumeRole" => self.assume_role(call, context).await,
            "GetAccessKeyInfo" => self.access_key_info(call, context),
            "DecodeAuthorizationMessage" => self.decoded_message(call, context),
            "GetFederationToken" => self.federation_token(call, context),
            "GetSessionToken" => self.session_token(call).await,
            "GetCallerIdentity" => Ok(get_caller_identity(call.caller, call.request_id)),
            _ => Err(self.unsupported(call, action, context)),
        }
    }

    /// Why an action that does not run here is refused. Where its permissions are decided, callers without them learn only
    /// that.
    fn unsupported(&self, call: &Call<'_>, action: QueryAction, mut context: Context) -> QueryError {
        let decided = match self.follower.current() {
            _ if !action.is_decided => Ok(()),
            None => Err(QueryError::not_loaded()),
            Some(snapshot) => authorize(call, &mut context, &snapshot).map(|_| ()),
        };
        decided.err().unwrap_or_else(|| IamError::not_implemented(&format!("the STS action `{}`", action.name)).into())
    }

    /// The account of a long-term key. Keys of sessions say nothing without their token.
    fn access_key_info(&self, call: &Call<'_>, mut context: Context) -> Result<String, QueryError> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        authorize(call, &mut context, &snapshot)?;
        let key = call.params.required("AccessKeyId")?;
        let holder = snapshot.access_key(key).ok_or_else(|| {
            let message = format!("The access key {key} is not a long-term key of this server");
            refuse("ValidationError", 400, message)
        })?;
        Ok(answer::get_access_key_info(holder.user.account.as_str(), call.request_id))
    }

    /// Why a call was refused.
    fn decoded_message(&self, call: &Call<'_>, mut context: Context) -> Result<String, QueryError> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        authorize(call, &mut context, &snapshot)?;
        let text = call.params.required("EncodedMessage")?;
        let message = self.session_keys()?.open_message(text.trim(), call.caller.account).ok_or_else(|| {
            let message = "The message is not one of a gateway with this signing key for your account: send all of it";
            refuse("InvalidAuthorizationMessageException", 400, message)
        })?;
        Ok(answer::decode_authorization_message(&message, call.request_id))
    }

    /// The keys that encrypt the reasons of refusals.
    pub(crate) fn message_keys(&self) -> Option<&SessionKeys> {
        self.keys.as_deref()
    }

    async fn assume_role(&self, call: &Call<'_>, mut context: Context) -> Result<String, QueryError> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let mut input =
            AssumeRoleInput::parse(call.params).map_err(|error| refuse(error.code(), 400, error.to_string()))?;
        let mfa_at_s = self.checked_code(call, &snapshot).await?;
        if mfa_at_s.is_some() {
            context.set("aws:MultiFactorAuthPresent", "true");
            context.set("aws:MultiFactorAuthAge", "0");
        }
        let role = trusting_role(call, &input.role_arn, &snapshot, context)?;
        let session = call.caller.session.as_ref();
        input
            .inherit(session.iter().flat_map(|session| session.transitive_tags()))
            .map_err(|error| refuse(error.code(), 400, error.to_string()))?;
        check_session_policies(input.policy.as_deref(), &input.policy_arns, role.account, &snapshot)?;
        let source_identity = source_identity(call.caller, &input)?;
        let limits = self
            .limits(u32::try_from(role.max_session_s).unwrap_or(3600), session.is_some_and(CallerSession::is_of_role));
        let duration_s = limits.duration_s(input.duration_s);
        let arn = format!("arn:aws:sts::{}:assumed-role/{}/{}", role.account, role.name, input.role_session_name);
        let (document, origins) = (&role.record, call.caller.origins());
        let credentials = sts::mint(
            self.session_keys()?,
            &NewSession {
                // SeaweedFS knows the ARN as it is in the document.
                role_arn: if document.arn.is_empty() { &role.arn } else { &document.arn },
                role_id: Some(&role.id),
                held_by: SessionHolder::Role,
                session_name: &input.role_session_name,
                principal_arn: &arn,
                session_policy: input.policy.as_deref(),
                session_policy_arns: &input.policy_arns,
                policy_names: &document.attached_policies,
                duration_s: duration_s.map_err(|error| refuse(error.code(), 400, error.to_string()))?,
                issued_at: issued_at(&snapshot, &origins, &role.arn, call.now_s),
                session_id: session_id(call)?,
                request_context: Map::new(),
                tags: &input.tags,
                transitive_tag_keys: &input.transitive_tag_keys,
                source_identity: source_identity.as_deref(),
                revision: Some(&self.follower.revision()),
                federated: None,
                origins: &origins,
                mfa_at_s,
            },
        );
        let output = AssumeRoleOutput {
            credentials: &credentials,
            assumed_role_id: &format!("{}:{}", role.id, input.role_session_name),
            arn: &arn,
            packed_policy_size: packed_policy_size(input.policy.as_deref(), &input.tags),
            source_identity: source_identity.as_deref(),
        };
        Ok(answer::assume_role(&output, call.request_id))
    }

    /// The keys that sign sessions.
    pub(crate) fn session_keys(&self) -> Result<&SessionKeys, QueryError> {
        self.keys.as_deref().ok_or_else(|| {
            let message = "This gateway has no key to sign sessions with: set sts.signingKey in -iam.config";
            refuse("ServiceUnavailable", 503, message)
        })
    }

    /// What limits the length of a session.
    pub(crate) fn limits(&self, role_max_s: u32, chained: bool) -> DurationLimits {
        let (default_s, max_session_length_s) = (self.token_duration_s, self.max_session_s);
        DurationLimits { default_s, max_session_length_s, role_max_s, chained }
    }
}

/// The random id of a new session.
pub(crate) fn session_id(call: &Call<'_>) -> Result<[u8; 16], QueryError> {
    let (session_id, _) =
        call.random.split_first_chunk::<16>().ok_or_else(|| refuse("InternalFailure", 500, "no randomness"))?;
    Ok(*session_id)
}

/// The date of a new session: now, or just behind the revocations that would end it although it was made after them.
pub(crate) fn issued_at(snapshot: &Snapshot, origins: &[String], role_arn: &str, now_s: i64) -> Timestamp {
    let role = RevocationTarget::Role(role_arn.to_owned()).to_text();
    let targets = origins.iter().chain([&role]).filter_map(|target| snapshot.revocation(target));
    let behind_ms = targets.map(|revocation| revocation.issued_until_ms.saturating_add(1)).max();
    let now_ms = now_s.saturating_mul(1000);
    Timestamp::from_millisecond(behind_ms.unwrap_or(now_ms).max(now_ms)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The actions that AWS lets sessions call that users make for themselves, or for others.
fn is_open_to_users_sessions(action: &str, session: &CallerSession) -> bool {
    action == "GetCallerIdentity" || action == "AssumeRole" && session.federated_by.is_none()
}

/// Needs no permission, and cannot be denied.
fn get_caller_identity(caller: &Caller, request_id: &str) -> String {
    answer::get_caller_identity(&caller.arn, &caller.user_id, caller.account.as_str(), request_id)
}

/// The role, if every permission that the call needs is allowed by its trust policy, and by the caller's own policies. A
/// role that does not exist and one that does not trust the caller get the same answer.
fn trusting_role<'s>(
    call: &Call<'_>,
    role_arn: &str,
    snapshot: &'s Snapshot,
    mut context: Context,
) -> Result<&'s Role, QueryError> {
    let (caller, role) = (call.caller, snapshot.role_by_arn(role_arn).map(|role| &**role));
    // The role's own ARN, whichever form the call used: its tags count in each.
    let arn = role.map_or(role_arn, |role| &role.arn);
    let params = match arn == role_arn {
        true => Cow::Borrowed(call.params),
        false => Cow::Owned(call.params.clone().with("RoleArn", arn)),
    };
    let call = &Call { params: &params, ..*call };
    for need in needs(call, &mut context, snapshot)? {
        let decision_input = DecisionInput { caller, snapshot, context: &context, observer: call.observer };
        let decision = access::decide_to_assume(&need, role, decision_input);
        if !decision.is_allow() {
            let unreadable = role.and_then(|role| role.trust.unreadable_reason());
            if let (Decision::ExplicitDeny { .. }, Some(reason)) = (decision, unreadable) {
                tracing::warn!(role = arn, reason, "AssumeRole is denied");
            }
            let QueryError { message, .. } = denied(caller, need.action, role_arn);
            // Only the role's account learns about its trust policy. The answer does not reveal whether the role
            // exists: without one, an ARN without an account is explained to the gateway's own.
            let account = arn.split(':').nth(4).and_then(|account| account.parse().ok());
            let account = account.unwrap_or(snapshot.settings().account);
            let reasons = || access::refusal_details(&need, decision, role, decision_input);
            let message = call.with_reasons(message, account, reasons);
            return Err(refuse("AccessDenied", 403, message));
        }
    }
    role.ok_or_else(|| denied(caller, "sts:AssumeRole", role_arn))
}

pub(crate) fn check_session_policies(
    policy: Option<&str>,
    policy_arns: &[String],
    account: AccountId,
    snapshot: &Snapshot,
) -> Result<(), QueryError> {
    for arn in policy_arns {
        let managed = snapshot.policy_by_arn(arn);
        if managed.is_none_or(|policy| policy.account.is_some_and(|own| own != account)) {
            let message = format!("The policy {arn} does not exist, or is not one of the account {account}");
            return Err(refuse("ValidationError", 400, message));
        }
    }
    check_session_policy(policy)
}

fn check_session_policy(policy: Option<&str>) -> Result<(), QueryError> {
    let Some(text) = policy else { return Ok(()) };
    match Policy::parse(PolicyKind::Session, text) {
        Ok(_) => Ok(()),
        Err(error) => {
            let place = if error.path().is_empty() { String::new() } else { format!(" (at {})", error.path()) };
            Err(refuse(error.code(), 400, format!("{}{place}", error.message())))
        }
    }
}

/// Once set, a source identity stays the same for the whole chain of sessions.
fn source_identity(caller: &Caller, input: &AssumeRoleInput) -> Result<Option<String>, QueryError> {
    let inherited = caller.session.as_ref().and_then(|session| session.source_identity.as_deref());
    match (inherited, input.source_identity.as_deref()) {
        (Some(inherited), Some(wanted)) if inherited != wanted => {
            Err(refuse("AccessDenied", 403, "The source identity of the session cannot be changed"))
        }
        (inherited, wanted) => Ok(inherited.or(wanted).map(str::to_owned)),
    }
}

/// How much of the 2048 characters for session policy and tags is used, in per cent.
pub(crate) fn packed_policy_size(policy: Option<&str>, tags: &[(String, String)]) -> Option<u32> {
    let tags: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    let used = policy.map_or(0, str::len) + tags;
    (used > 0).then(|| u32::try_from(used * 100 / 2048).unwrap_or(100).clamp(1, 100))
}

fn denied(caller: &Caller, action: &str, resource: &str) -> QueryError {
    let message = format!("User: {} is not authorized to perform: {action} on resource: {resource}", caller.arn);
    refuse("AccessDenied", 403, message)
}

pub(crate) fn refuse(code: &str, status: u16, message: impl Into<String>) -> QueryError {
    QueryError::new(Service::Sts, code, status, message)
}
