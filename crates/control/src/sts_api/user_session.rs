//! GetSessionToken and GetFederationToken: sessions that users make with their own keys, of themselves or for others. They end
//! with that key.

use std::sync::Arc;

use iam::{Snapshot, User};
use iam_api::answer;
use iam_api::{FederationTokenInput, InputError, SessionTokenInput, user_session_s};
use policy::Context;
use serde_json::Map;
use sts::{NewSession, SessionCredentials, SessionHolder};

use super::{StsApi, check_session_policies, packed_policy_size, refuse, session_id};
use crate::query::{Call, QueryError, authorize};

/// What the sessions that users make differ in.
pub(super) struct UserSession<'a> {
    pub(super) held_by: SessionHolder<'a>,
    pub(super) user_id: &'a str,
    pub(super) name: &'a str,
    pub(super) arn: &'a str,
    pub(super) duration_s: u32,
    pub(super) policy: Option<&'a str>,
    pub(super) policy_arns: &'a [String],
    pub(super) tags: &'a [(String, String)],
    pub(super) mfa_at_s: Option<i64>,
}

impl StsApi {
    /// Needs no permission, and cannot be denied. The session is the user.
    pub(super) async fn session_token(&self, call: &Call<'_>) -> Result<String, QueryError> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let (key, user) = long_term_key(call, "GetSessionToken", &snapshot)?;
        let input = SessionTokenInput::parse(call.params).map_err(invalid)?;
        let duration_s = user_session_s(input.duration_s, user.is_root, self.max_session_s).map_err(invalid)?;
        let mfa_at_s = self.checked_code(call, &snapshot).await?;
        let session = UserSession {
            held_by: SessionHolder::User(&key),
            user_id: &user.id,
            name: &user.name,
            arn: &user.arn,
            duration_s,
            policy: None,
            policy_arns: &[],
            tags: &[],
            mfa_at_s,
        };
        Ok(answer::get_session_token(&self.mint(call, &session, &snapshot)?, call.request_id))
    }

    /// The session is somebody else, who has what the session policies allow of the user's own rights.
    pub(super) fn federation_token(&self, call: &Call<'_>, mut context: Context) -> Result<String, QueryError> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        authorize(call, &mut context, &snapshot)?;
        let (key, user) = long_term_key(call, "GetFederationToken", &snapshot)?;
        let input = FederationTokenInput::parse(call.params).map_err(invalid)?;
        check_session_policies(input.policy.as_deref(), &input.policy_arns, user.account, &snapshot)?;
        let arn = format!("arn:aws:sts::{}:federated-user/{}", user.account, input.name);
        let session = UserSession {
            held_by: SessionHolder::Federated(&key),
            user_id: &user.id,
            name: &input.name,
            arn: &arn,
            duration_s: user_session_s(input.duration_s, user.is_root, self.max_session_s).map_err(invalid)?,
            policy: input.policy.as_deref(),
            policy_arns: &input.policy_arns,
            tags: &input.tags,
            mfa_at_s: None,
        };
        let credentials = self.mint(call, &session, &snapshot)?;
        let size = packed_policy_size(input.policy.as_deref(), &input.tags);
        let id = format!("{}:{}", user.account, input.name);
        Ok(answer::get_federation_token(&credentials, (&id, &arn), size, call.request_id))
    }

    pub(super) fn mint(
        &self,
        call: &Call<'_>,
        session: &UserSession<'_>,
        snapshot: &Snapshot,
    ) -> Result<SessionCredentials, QueryError> {
        let origins = call.caller.origins();
        let new = NewSession {
            role_arn: "",
            role_id: Some(session.user_id),
            held_by: session.held_by,
            session_name: session.name,
            principal_arn: session.arn,
            session_policy: session.policy,
            session_policy_arns: session.policy_arns,
            policy_names: &[],
            duration_s: session.duration_s,
            issued_at: super::issued_at(snapshot, &origins, "", call.now_s),
            session_id: session_id(call)?,
            request_context: Map::new(),
            tags: session.tags,
            transitive_tag_keys: &[],
            source_identity: None,
            revision: Some(&self.follower.revision()),
            federated: None,
            origins: &origins,
            mfa_at_s: session.mfa_at_s,
        };
        Ok(sts::mint(self.session_keys()?, &new))
    }
}

/// The user's own key that signed the call. A session could otherwise outlive what it was made from, and what limits the key of
/// a service account would not limit the session.
pub(super) fn long_term_key(
    call: &Call<'_>,
    action: &str,
    snapshot: &Snapshot,
) -> Result<(String, Arc<User>), QueryError> {
    let refusal = |message: String| Err(refuse("AccessDenied", 403, message));
    if call.caller.session.is_some() {
        return refusal(format!("Cannot call {action} with session credentials"));
    }
    let key = call.caller.access_key_id.as_ref().map_or("", |key| key.as_str());
    match snapshot.access_key(key) {
        Some(holder) if holder.service_account.is_none() => Ok((key.to_owned(), holder.user)),
        Some(_) => refusal(format!("Cannot call {action} with the key of a service account")),
        None => refusal(format!("To call {action}, an access key is needed that still exists")),
    }
}

fn invalid(error: InputError) -> QueryError {
    refuse(error.code(), 400, error.to_string())
}
