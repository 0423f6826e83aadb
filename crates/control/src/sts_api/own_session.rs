//! AssumeRole without a role, which MinIO's and SeaweedFS's clients call: a session of the caller. It can never do more
//! than the caller can at that moment, and it ends with the access key with which it was made.

use iam::Snapshot;
use iam_api::OwnSessionInput;
use iam_api::answer::{self, AssumeRoleOutput};
use policy::{Context, Decision};
use sts::SessionHolder;

use super::user_session::{UserSession, long_term_key};
use super::{StsApi, check_session_policy, denied, packed_policy_size, refuse};
use crate::query::{Call, QueryError, needs};

impl StsApi {
    pub(super) fn own_session(&self, call: &Call<'_>, context: Context) -> Result<String, QueryError> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let input =
            OwnSessionInput::parse(call.params).map_err(|error| refuse(error.code(), 400, error.to_string()))?;
        let (key, user) = long_term_key(call, "AssumeRole without RoleArn", &snapshot)?;
        refuse_denied(call, context, &snapshot)?;
        check_session_policy(input.policy.as_deref())?;
        let limits = self.limits(43_200, false);
        let duration_s = limits.duration_s(input.duration_s);
        let session_name = input.session_name.as_deref().unwrap_or(&user.name);
        let session = UserSession {
            held_by: SessionHolder::User(&key),
            user_id: &user.id,
            name: session_name,
            arn: &user.arn,
            duration_s: duration_s.map_err(|error| refuse(error.code(), 400, error.to_string()))?,
            policy: input.policy.as_deref(),
            policy_arns: &[],
            tags: &[],
            mfa_at_s: None,
        };
        let credentials = self.mint(call, &session, &snapshot)?;
        let output = AssumeRoleOutput {
            credentials: &credentials,
            assumed_role_id: &format!("{}:{session_name}", call.caller.user_id),
            arn: &user.arn,
            packed_policy_size: packed_policy_size(input.policy.as_deref(), &[]),
            source_identity: None,
        };
        Ok(answer::assume_role(&output, call.request_id))
    }
}

/// The caller gains no rights, so the call needs no permission. A policy can deny it: `sts:AssumeRole` on
/// the user's own ARN.
fn refuse_denied(call: &Call<'_>, mut context: Context, snapshot: &Snapshot) -> Result<(), QueryError> {
    let arn = &*call.caller.arn;
    let params = call.params.clone().with("RoleArn", arn);
    let call = &Call { params: &params, ..*call };
    for need in needs(call, &mut context, snapshot)? {
        let decision_input =
            access::DecisionInput { caller: call.caller, snapshot, context: &context, observer: call.observer };
        if let Err(refusal) = access::check(&need, decision_input)
            && matches!(refusal.decision, Decision::ExplicitDeny { .. })
        {
            access::audit_decision(&need, refusal.decision, decision_input);
            return Err(denied(call.caller, need.action, arn));
        }
    }
    Ok(())
}
