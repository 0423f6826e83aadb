//! The STS query API: AssumeRole and GetCallerIdentity.

use std::sync::Arc;

use iam::{Caller, Role, Snapshot, StsConfig};
use jiff::Timestamp;
use policy::{Context, Decision, Policy, PolicyKind, PolicySet, Request, RequestAction, decide_trust};
use serde_json::Map;
use sts::xml::{AssumeRoleOutput, Service};
use sts::{AssumeRoleInput, DurationLimits, NewSession, SessionKeys};

use crate::feed::Follower;
use crate::query::{Call, QueryError, needs};

/// STS's actions on this gateway.
pub struct StsApi {
    follower: Arc<Follower>,
    keys: Option<Arc<SessionKeys>>,
    token_duration_s: u32,
    max_session_s: u32,
}

impl StsApi {
    /// Without keys no session is made: the answer says how to configure one.
    pub fn new(follower: Arc<Follower>, keys: Option<Arc<SessionKeys>>, config: &StsConfig) -> Self {
        let seconds = |seconds: i64| u32::try_from(seconds).unwrap_or(u32::MAX);
        Self {
            follower,
            keys,
            token_duration_s: seconds(config.token_duration_s),
            max_session_s: seconds(config.max_session_s),
        }
    }

    /// Answers one call with its XML.
    pub async fn answer(&self, call: &Call<'_>, context: Context) -> Result<String, QueryError> {
        self.dispatch(call, context).map_err(QueryError::of_sts)
    }

    fn dispatch(&self, call: &Call<'_>, context: Context) -> Result<String, QueryError> {
        call.check_version(Service::Sts)?;
        let action = call.action()?;
        // Clients do not sign these: what is missing is not the signature.
        let goes_unsigned = ["AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"].contains(&action);
        if call.caller.is_anonymous() && !goes_unsigned {
            return Err(refuse("MissingAuthenticationToken", 403, "The request must be signed"));
        }
        match action {
            "AssumeRole" => self.assume_role(call, context),
            "GetCallerIdentity" => Ok(get_caller_identity(call.caller, call.request_id)),
            other => {
                let message = format!("the STS action `{other}` is not implemented by this server");
                Err(refuse("NotImplemented", 501, message))
            }
        }
    }

    fn assume_role(&self, call: &Call<'_>, context: Context) -> Result<String, QueryError> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let mut input =
            AssumeRoleInput::parse(call.params).map_err(|error| refuse(error.code(), 400, error.to_string()))?;
        // A role that does not exist and one that does not trust the caller get the same answer.
        let role = snapshot
            .role_by_arn(&input.role_arn)
            .ok_or_else(|| denied(call.caller, "sts:AssumeRole", &input.role_arn))?;
        trusted(call, role, &snapshot, context)?;
        let session = call.caller.session.as_ref();
        input
            .inherit(session.iter().flat_map(|session| session.transitive_tags()))
            .map_err(|error| refuse(error.code(), 400, error.to_string()))?;
        check_session_policies(&input)?;
        let source_identity = source_identity(call.caller, &input)?;
        let keys = self.keys.as_ref().ok_or_else(|| {
            let message = "This gateway has no key to sign sessions with: set sts.signingKey in -iam.config";
            refuse("ServiceUnavailable", 503, message)
        })?;
        let limits = DurationLimits {
            default_s: self.token_duration_s,
            max_session_length_s: self.max_session_s,
            role_max_s: u32::try_from(role.max_session_s).unwrap_or(3600),
            chained: call.caller.session.is_some(),
        };
        let arn = format!("arn:aws:sts::{}:assumed-role/{}/{}", role.account, role.name, input.role_session_name);
        let (session_id, _) =
            call.random.split_first_chunk::<16>().ok_or_else(|| refuse("InternalFailure", 500, "no randomness"))?;
        let document = &role.document;
        let credentials = sts::mint(
            keys,
            &NewSession {
                // The ARN as its document has it is the one that weed knows.
                role_arn: if document.arn.is_empty() { &role.arn } else { &document.arn },
                role_id: Some(&role.id),
                session_name: &input.role_session_name,
                principal_arn: &arn,
                session_policy: input.policy.as_deref(),
                policy_names: &document.attached_policies,
                duration_s: limits.duration_s(input.duration_s),
                issued_at: Timestamp::from_second(call.now_s).unwrap_or(Timestamp::UNIX_EPOCH),
                session_id: *session_id,
                request_context: Map::new(),
                tags: &input.tags,
                transitive_tag_keys: &input.transitive_tag_keys,
                source_identity: source_identity.as_deref(),
                revision: Some(&self.follower.revision()),
            },
        );
        let output = AssumeRoleOutput {
            credentials: &credentials,
            assumed_role_id: &format!("{}:{}", role.id, input.role_session_name),
            arn: &arn,
            packed_policy_size: packed_policy_size(&input),
            source_identity: source_identity.as_deref(),
        };
        Ok(sts::xml::assume_role(&output, call.request_id))
    }
}

/// Needs no permission, and none can deny it.
fn get_caller_identity(caller: &Caller, request_id: &str) -> String {
    sts::xml::get_caller_identity(&caller.arn, &caller.user_id, caller.account.as_str(), request_id)
}

/// Asks the trust policy for every permission that the call needs, and the caller's own policies beside it.
fn trusted(call: &Call<'_>, role: &Role, snapshot: &Snapshot, mut context: Context) -> Result<(), QueryError> {
    let caller = call.caller;
    let policies = PolicySet {
        identity: &caller.policies,
        resource: None,
        session: caller.session.as_ref().and_then(|session| session.policy.as_deref()),
        boundary: caller.boundary.as_deref(),
        cross_account: snapshot.settings().cross_account,
    };
    for need in needs(call, &mut context, snapshot)? {
        let request = Request {
            principal: &caller.principal,
            principal_id: caller.unique_id(),
            principal_canonical_id: None,
            action: RequestAction::named(need.action),
            // By the role's own ARN, whichever of its names the call used.
            resource: &role.arn,
            resource_account: role.account,
            context: &context,
        };
        let decision = access::witnessed(call.witness, need.action, || decide_trust(&role.trust, &policies, &request));
        if !decision.is_allow() {
            if let (Decision::ExplicitDeny { .. }, Some(reason)) = (decision, role.trust.unreadable_reason()) {
                tracing::warn!(role = &*role.name, reason, "AssumeRole is denied");
            }
            return Err(denied(caller, need.action, &role.arn));
        }
    }
    Ok(())
}

fn check_session_policies(input: &AssumeRoleInput) -> Result<(), QueryError> {
    if !input.policy_arns.is_empty() {
        return Err(refuse(
            "NotImplemented",
            501,
            "The parameter PolicyArns of AssumeRole is not implemented; use Policy",
        ));
    }
    let Some(text) = &input.policy else { return Ok(()) };
    match Policy::parse(PolicyKind::Session, text) {
        Ok(_) => Ok(()),
        Err(error) => {
            let place = if error.path().is_empty() { String::new() } else { format!(" (at {})", error.path()) };
            Err(refuse(error.code(), 400, format!("{}{place}", error.message())))
        }
    }
}

/// Once set, a source identity stays for the whole chain of sessions.
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
fn packed_policy_size(input: &AssumeRoleInput) -> Option<u32> {
    let tags: usize = input.tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    let used = input.policy.as_ref().map_or(0, String::len) + tags;
    (used > 0).then(|| u32::try_from(used * 100 / 2048).unwrap_or(100).clamp(1, 100))
}

fn denied(caller: &Caller, action: &str, resource: &str) -> QueryError {
    let message = format!("User: {} is not authorized to perform: {action} on resource: {resource}", caller.arn);
    refuse("AccessDenied", 403, message)
}

fn refuse(code: &str, status: u16, message: impl Into<String>) -> QueryError {
    QueryError::new(Service::Sts, code, status, message)
}
