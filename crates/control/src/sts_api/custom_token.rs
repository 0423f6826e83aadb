//! AssumeRoleWithCustomToken, in MinIO's dialect: a token that a plugin knows becomes a session.

use std::sync::Arc;

use access::AuditedSignIn;
use federation::{Plugin, PluginError, PluginUser};
use iam::{IdentityProvider, Snapshot};
use iam_api::IamError;
use iam_api::answer::Service;
use policy::Context;
use sts::WebIdentity;

use super::sign_in::{Dialect, SignIn, granted_role, named_role};
use super::{StsApi, refuse};
use crate::query::{Call, QueryError};

pub(crate) const ACTION: &str = "AssumeRoleWithCustomToken";

/// The answer has the session and the user, as MinIO's has.
static CUSTOM_TOKEN: Dialect = Dialect { action: ACTION, token: "Token", subject: "" };

/// The longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 20_000;

/// How much of a session token claims may take, in bytes. Longer tokens do not fit into the headers of usual proxies.
const CLAIMS_BYTES_MAX: usize = 4096;

impl StsApi {
    pub(crate) async fn assume_role_with_custom_token(
        &self,
        call: &Call<'_>,
        context: Context,
    ) -> Result<String, QueryError> {
        call.check_version(Service::Sts)?;
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let (provider, plugin) = self.plugin(&snapshot)?;
        let token = call.params.required(CUSTOM_TOKEN.token)?.trim();
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Err(refuse("ValidationError", 400, format!("Token must have 1 to {TOKEN_BYTES_MAX} bytes")));
        }
        call.observer.signs_in(AuditedSignIn::at(&provider, None));
        let user = self.vouched_for(call, plugin, token).await?;
        call.observer.signs_in(AuditedSignIn::at(&provider, Some(&user.user)));
        let sign_in = SignIn { user: identity(&provider, user, call.now_s)?, provider, dialect: &CUSTOM_TOKEN };
        // Roles and policies may have changed while the plugin was asked.
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let named = named_role(call).filter(|arn| !plugin.settings().is_own_role(arn));
        let granted = granted_role(named, call, &sign_in, &snapshot)?;
        self.session(call, context, &sign_in, &granted, &snapshot)
    }

    /// The one provider of this type.
    fn plugin(&self, snapshot: &Snapshot) -> Result<(Arc<IdentityProvider>, &Plugin), QueryError> {
        let provider = snapshot.identity_providers().iter().find(|provider| provider.is_plugin());
        provider.cloned().zip(self.plugin.as_ref()).ok_or_else(|| {
            let what = format!("{ACTION} without a provider of the type `plugin` in -iam.config");
            IamError::not_implemented(&what).into()
        })
    }

    async fn vouched_for(&self, call: &Call<'_>, plugin: &Plugin, token: &str) -> Result<PluginUser, QueryError> {
        let (request_id, plugin_name) = (call.request_id, plugin.settings().name.as_str());
        let Some(this_try) = self.sign_in_limits.begin_token(call.caller.connection.source_ip, call.now_s) else {
            tracing::warn!(request_id, plugin = plugin_name, "too many tokens that the plugin refused");
            return Err(refuse("Throttling", 400, "Too many wrong tokens from your address; wait for some minutes"));
        };
        match plugin.user_of(token).await {
            Ok(user) => {
                this_try.forgive();
                Ok(user)
            }
            Err(PluginError::Unavailable(why)) => {
                this_try.forgive();
                tracing::error!(request_id, plugin = plugin_name, "sign-in failed: {why}");
                let message = "The identity plugin cannot be asked at the moment; try again";
                Err(refuse("IDPCommunicationError", 400, message))
            }
            Err(PluginError::Refused(reason)) => {
                tracing::warn!(request_id, plugin = plugin_name, "sign-in refused by the plugin");
                Err(refuse("IDPRejectedClaim", 403, format!("The identity plugin refused the token: {reason}")))
            }
        }
    }
}

/// What the plugin says of the user, in the form in which other providers say it.
fn identity(provider: &IdentityProvider, user: PluginUser, now_s: i64) -> Result<WebIdentity, QueryError> {
    let sizes = user.claims.iter().map(|(name, claim)| {
        let values: usize = claim.values().iter().map(|value| value.len() + 3).sum();
        name.len() + values
    });
    let bytes: usize = sizes.sum();
    if bytes > CLAIMS_BYTES_MAX {
        let (plugin, user) = (&*provider.name, &*user.user);
        tracing::warn!(plugin, user, "the claims of the user have {bytes} bytes, more than {CLAIMS_BYTES_MAX}");
        let message =
            "What the identity plugin says of you does not fit into a session; ask the operator of this gateway";
        return Err(refuse("PackedPolicyTooLarge", 400, message));
    }
    Ok(WebIdentity {
        issuer: provider.issuer.clone(),
        subject: user.user,
        audience: String::new(),
        issued_s: now_s,
        expires_s: now_s.saturating_add(user.valid_s.into()),
        claims: user.claims,
    })
}
