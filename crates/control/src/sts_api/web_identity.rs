//! AssumeRoleWithWebIdentity: the token of an identity provider becomes a session.

use std::sync::Arc;
use std::time::Duration;

use access::AuditedSignIn;
use iam::{IdentityProvider, Snapshot};
use iam_api::answer;
use ids::AccountId;
use jiff::Timestamp;
use policy::Context;
use sts::{ExpectedToken, WebIdentity, WebIdentityError};

use super::sign_in::{ACTION, Dialect, SignIn, granted};
use super::{StsApi, refuse};
use crate::query::{Call, QueryError};

pub(crate) static WEB_IDENTITY: Dialect =
    Dialect { action: ACTION, token: "WebIdentityToken", subject: "SubjectFromWebIdentityToken" };
pub(crate) static CLIENT_GRANTS: Dialect =
    Dialect { action: "AssumeRoleWithClientGrants", token: "Token", subject: "SubjectFromToken" };

/// How long a call waits for keys that are being fetched.
const KEYS_WITHIN: Duration = Duration::from_secs(3);

impl StsApi {
    pub(crate) async fn assume_role_with_web_identity(
        &self,
        call: &Call<'_>,
        context: Context,
        dialect: &'static Dialect,
    ) -> Result<String, QueryError> {
        call.check_version(answer::Service::Sts)?;
        if call.params.get("ProviderId").is_some() {
            let message =
                "ProviderId names a provider of OAuth 2.0 access tokens, which are not supported; leave it out";
            return Err(refuse("ValidationError", 400, message));
        }
        let token = call.params.required(dialect.token)?.trim();
        let sign_in = self.sign_in(call, token, dialect).await?;
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let granted = granted(call, &sign_in, &snapshot)?;
        self.session(call, context, &sign_in, &granted, &snapshot)
    }

    /// Verifies the token. A key that is not known is fetched in the background, for which the call waits a moment.
    pub(crate) async fn sign_in(
        &self,
        call: &Call<'_>,
        token: &str,
        dialect: &'static Dialect,
    ) -> Result<SignIn, QueryError> {
        let issuer = sts::claimed_issuer(token).map_err(|error| rejected(call, "", &error))?;
        let mut waited = false;
        loop {
            let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
            let account = account_of(call, &snapshot);
            let provider = snapshot.identity_provider(account, &issuer).filter(|provider| provider.has_tokens());
            let provider = provider.ok_or_else(|| unknown_issuer(call, &issuer))?;
            call.observer.signs_in(AuditedSignIn::at(provider, None));
            match verify(token, provider, &snapshot, call.now_s) {
                Some(Ok(user)) => {
                    call.observer.signs_in(AuditedSignIn::at(provider, Some(&user.subject)));
                    return Ok(SignIn { provider: Arc::clone(provider), user, dialect });
                }
                Some(Err(error)) if waited || error != WebIdentityError::UnknownKey => {
                    return Err(rejected(call, &provider.issuer, &error));
                }
                None if waited => return Err(no_keys(call, provider)),
                known => {
                    if !self.key_demand.fetched(provider, KEYS_WITHIN).await {
                        let busy = || no_keys(call, provider);
                        return Err(known
                            .and_then(Result::err)
                            .map_or_else(busy, |error| rejected(call, &provider.issuer, &error)));
                    }
                    waited = true;
                }
            }
        }
    }
}

/// The identity of a token; `None` if there are no keys to verify it by.
fn verify(
    token: &str,
    provider: &IdentityProvider,
    snapshot: &Snapshot,
    now_s: i64,
) -> Option<Result<WebIdentity, WebIdentityError>> {
    let keys = snapshot.oidc_keys(provider).filter(|keys| !keys.is_stale(now_s))?;
    let now = Timestamp::from_second(now_s).unwrap_or(Timestamp::UNIX_EPOCH);
    let expected = ExpectedToken { issuer: &keys.issuer, client_ids: &provider.client_ids, keys: &keys.keys, now };
    Some(sts::verify_web_identity(token, &expected))
}

/// The account of the role that the call names: its providers are asked.
fn account_of(call: &Call<'_>, snapshot: &Snapshot) -> AccountId {
    let named = call.params.get("RoleArn").unwrap_or_default();
    let of_role = snapshot.role_by_arn(named).map(|role| role.account);
    let in_arn = || named.split(':').nth(4).and_then(|field| field.parse().ok());
    of_role.or_else(in_arn).unwrap_or(snapshot.settings().account)
}

/// The refusal of a token. The caller learns as much as on AWS, the log all of it.
fn rejected(call: &Call<'_>, issuer: &str, error: &WebIdentityError) -> QueryError {
    tracing::warn!(request_id = call.request_id, issuer, "a web identity token is refused: {error}");
    let message = match error {
        WebIdentityError::Expired(_) => {
            return refuse("ExpiredTokenException", 400, "Token expired: current date/time is after its end");
        }
        WebIdentityError::Audience => "Incorrect token audience",
        WebIdentityError::UnknownKey => "Couldn't retrieve verification key from your identity provider",
        WebIdentityError::Signature(_) => "The signature of the token is not valid",
        WebIdentityError::Malformed(_) => "The web identity token that was passed is not valid",
    };
    refuse("InvalidIdentityToken", 400, message)
}

fn unknown_issuer(call: &Call<'_>, issuer: &str) -> QueryError {
    let shown: String = issuer.chars().take(255).collect();
    tracing::warn!(
        request_id = call.request_id,
        issuer = shown,
        "a web identity token is refused: no provider has its issuer"
    );
    refuse("InvalidIdentityToken", 400, format!("No OpenIDConnect provider found in your account for {shown}"))
}

/// SDKs try again after this error.
fn no_keys(call: &Call<'_>, provider: &IdentityProvider) -> QueryError {
    let issuer = provider.issuer.as_str();
    tracing::warn!(
        request_id = call.request_id,
        issuer,
        "a web identity token is refused: no keys of its provider are known"
    );
    let message = "The keys of your identity provider are not available at the moment; try again";
    refuse("IDPCommunicationError", 400, message)
}
