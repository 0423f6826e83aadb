//! AssumeRoleWithCertificate, in MinIO's dialect: the client certificate of the caller's own connection becomes a session.

use std::sync::Arc;

use access::AuditedSignIn;
use iam::{ClientCertificate, IdentityProvider, Snapshot};
use iam_api::IamError;
use iam_api::answer::Service;
use policy::Context;
use serde_json::json;
use sts::{Claims, WebIdentity};

use super::sign_in::{Dialect, SignIn, granted};
use super::{StsApi, refuse};
use crate::query::{Call, QueryError};

pub(crate) const ACTION: &str = "AssumeRoleWithCertificate";

/// The answer has nothing but the session, as MinIO's has.
static CERTIFICATE: Dialect = Dialect { action: ACTION, token: "", subject: "" };

impl StsApi {
    pub(crate) fn assume_role_with_certificate(&self, call: &Call<'_>, context: Context) -> Result<String, QueryError> {
        call.check_version(Service::Sts)?;
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let provider = provider(&snapshot)?;
        call.observer.signs_in(AuditedSignIn::at(&provider, None));
        let certificate = call.certificate.map_err(|why| {
            tracing::warn!(request_id = call.request_id, provider = provider.name, "sign-in refused: {why}");
            refuse("AccessDenied", 403, format!("The client certificate is not accepted: {why}"))
        })?;
        call.observer.signs_in(AuditedSignIn::at(&provider, Some(&certificate.common_name)));
        let sign_in = SignIn { user: identity(&provider, certificate, call.now_s)?, provider, dialect: &CERTIFICATE };
        let granted = granted(call, &sign_in, &snapshot)?;
        self.session(call, context, &sign_in, &granted, &snapshot)
    }
}

/// The one provider of this type.
fn provider(snapshot: &Snapshot) -> Result<Arc<IdentityProvider>, QueryError> {
    let provider = snapshot.identity_providers().iter().find(|provider| provider.is_certificate());
    provider.cloned().ok_or_else(|| {
        let what = format!("{ACTION} without a provider of the type `certificate` in -iam.config");
        IamError::not_implemented(&what).into()
    })
}

/// What the certificate says of its holder, in the form in which other providers say it.
fn identity(
    provider: &IdentityProvider,
    certificate: &ClientCertificate,
    now_s: i64,
) -> Result<WebIdentity, QueryError> {
    let claims = json!({"sub": certificate.common_name, "sha256": certificate.sha256});
    let unreadable = |why: &str| refuse("InternalFailure", 500, why);
    Ok(WebIdentity {
        issuer: provider.issuer.clone(),
        subject: certificate.common_name.clone(),
        audience: String::new(),
        issued_s: now_s,
        expires_s: certificate.expires_s,
        claims: Claims::parse(claims.to_string().as_bytes()).map_err(unreadable)?,
    })
}
