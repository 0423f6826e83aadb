//! Requests that bring the token of an identity provider themselves. Each is decided like a call of AssumeRoleWithWebIdentity without a
//! role, whose session is for this one request.

use iam::{LONGEST_SESSION_S, ProviderRights};
use iam_api::IamError;
use policy::Context;

use super::sign_in::{Span, granted};
use super::web_identity::WEB_IDENTITY;
use super::{StsApi, refuse};
use crate::query::{Call, QueryError};

impl StsApi {
    /// The token of a session for the user whom an identity provider's token names.
    ///
    /// Fails with `NotImplemented` as long as no provider gives rights to calls without a role.
    pub async fn bearer_session(&self, call: &Call<'_>, context: Context, token: &str) -> Result<String, QueryError> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let mut providers = snapshot.identity_providers().iter();
        if !providers.any(|provider| provider.has_tokens() && provider.rights != ProviderRights::None) {
            return Err(IamError::not_implemented("The authorization type Bearer").into());
        }
        let sign_in = self.sign_in(call, token, &WEB_IDENTITY).await?;
        if sign_in.provider.rights == ProviderRights::None {
            let message =
                "The provider of the token gives rights only to calls that name a role; use AssumeRoleWithWebIdentity";
            return Err(refuse("AccessDenied", 403, message));
        }
        if call.now_s.saturating_sub(sign_in.user.issued_s) > LONGEST_SESSION_S {
            // Revocations are forgotten once all sessions are over, and so would be that of this token.
            let message = "The token is older than 36 hours; get a new one";
            return Err(refuse("ExpiredTokenException", 400, message));
        }
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let granted = granted(call, &sign_in, &snapshot)?;
        let span = Span::OfToken(sts::session_id_of_token(token));
        let made = self.made_session(call, context, &sign_in, &granted, &snapshot, span)?;
        Ok(made.credentials.token)
    }
}
