//! AssumeRole without a role, which MinIO's and SeaweedFS's clients call: a session of the caller. It never may do more than the
//! caller at that moment, and it ends with the access key with which it was made.

use std::sync::Arc;

use iam::{Snapshot, User};
use iam_api::OwnSessionInput;
use iam_api::answer::{self, AssumeRoleOutput};
use policy::{Context, Decision};
use serde_json::Map;
use sts::NewSession;

use super::{StsApi, check_session_policy, denied, packed_policy_size, refuse};
use crate::query::{Call, QueryError, needs};

impl StsApi {
    pub(super) fn own_session(&self, call: &Call<'_>, context: Context) -> Result<String, QueryError> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let input =
            OwnSessionInput::parse(call.params).map_err(|error| refuse(error.code(), 400, error.to_string()))?;
        let (key, user) = long_term_key(call, &snapshot)?;
        refuse_denied(call, context, &snapshot)?;
        check_session_policy(input.policy.as_deref())?;
        let limits = self.limits(43_200, false);
        let duration_s = limits.duration_s(input.duration_s);
        let session_name = input.session_name.as_deref().unwrap_or(&user.name);
        let origins = call.caller.origins();
        let credentials = sts::mint(
            self.session_keys()?,
            &NewSession {
                role_arn: "",
                role_id: Some(&user.id),
                own_key: Some(&key),
                session_name,
                principal_arn: &user.arn,
                session_policy: input.policy.as_deref(),
                session_policy_arns: &[],
                policy_names: &[],
                duration_s: duration_s.map_err(|error| refuse(error.code(), 400, error.to_string()))?,
                issued_at: super::issued_at(&snapshot, &origins, "", call.now_s),
                session_id: super::session_id(call)?,
                request_context: Map::new(),
                tags: &[],
                transitive_tag_keys: &[],
                source_identity: None,
                revision: Some(&self.follower.revision()),
                federated: None,
                origins: &origins,
            },
        );
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

/// The user's own key that signed the call. A session could otherwise outlive what it was made from, and what limits the key of
/// a service account would not limit the session.
fn long_term_key(call: &Call<'_>, snapshot: &Snapshot) -> Result<(String, Arc<User>), QueryError> {
    let refusal = |message: &str| Err(refuse("AccessDenied", 403, message));
    if call.caller.session.is_some() {
        return refusal("AssumeRole without RoleArn cannot be called with session credentials");
    }
    let key = call.caller.access_key_id.as_ref().map_or("", |key| key.as_str());
    match snapshot.access_key(key) {
        Some(holder) if holder.service_account.is_none() => Ok((key.to_owned(), holder.user)),
        Some(_) => refusal("AssumeRole without RoleArn cannot be called with the key of a service account"),
        None => refusal("AssumeRole without RoleArn needs an access key that still exists"),
    }
}

/// The caller gets nothing that he does not have, so nothing has to allow the call. A policy can deny it: `sts:AssumeRole` on
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
            return Err(denied(call.caller, need.action, arn));
        }
    }
    Ok(())
}
