//! AssumeRoleWithLDAPIdentity, in MinIO's dialect: the name and the password of a directory's user become a session.

use std::sync::Arc;
use std::time::Duration;

use access::AuditedSignIn;
use federation::{Directory, FoundUser, SignInError};
use iam::{IdentityProvider, Snapshot};
use iam_api::IamError;
use iam_api::answer::Service;
use policy::Context;
use serde_json::json;
use sts::{Claims, WebIdentity};
use tokio::time::Instant;

use super::sign_in::{Dialect, SignIn, granted};
use super::{StsApi, refuse};
use crate::query::{Call, QueryError};

pub(crate) const ACTION: &str = "AssumeRoleWithLDAPIdentity";

/// The answer has nothing but the session, as MinIO's has.
static LDAP: Dialect = Dialect { action: ACTION, token: "LDAPPassword", subject: "" };

/// The longest name and the longest password, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// How much of a session token groups may take, in bytes of their DNs. Longer tokens do not fit into the headers of usual proxies.
const GROUPS_BYTES_MAX: usize = 4096;

/// Refusals are not answered before this time: how long the directory compares a password says whether there is such a user.
const REFUSED_AFTER: Duration = Duration::from_millis(500);

impl StsApi {
    pub(crate) async fn assume_role_with_ldap_identity(
        &self,
        call: &Call<'_>,
        context: Context,
    ) -> Result<String, QueryError> {
        call.check_version(Service::Sts)?;
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let (provider, directory) = self.directory(call, &snapshot)?;
        let (username, password) = (text(call, "LDAPUsername")?, text(call, "LDAPPassword")?);
        call.observer.signs_in(AuditedSignIn::at(&provider, None));
        let user = self.checked_password(call, directory, username, password).await?;
        call.observer.signs_in(AuditedSignIn::at(&provider, Some(&user.dn)));
        let sign_in = SignIn { user: identity(&provider, &user, call.now_s)?, provider, dialect: &LDAP };
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let granted = granted(call, &sign_in, &snapshot)?;
        self.session(call, context, &sign_in, &granted, &snapshot)
    }

    /// The directory that the call names, or else the first one of the configuration.
    fn directory(
        &self,
        call: &Call<'_>,
        snapshot: &Snapshot,
    ) -> Result<(Arc<IdentityProvider>, &Directory), QueryError> {
        if self.directories.is_empty() {
            let what = format!("{ACTION} without a provider of the type `ldap` in -iam.config");
            return Err(IamError::not_implemented(&what).into());
        }
        let named = call.params.given("LDAPProviderName");
        let directory = self.directories.iter().find(|directory| named.is_none_or(|name| name == directory.name()));
        let found = directory.and_then(|directory| {
            let issuer = iam::directory_issuer(directory.name());
            Some((Arc::clone(snapshot.identity_provider(snapshot.settings().account, &issuer)?), directory))
        });
        found.ok_or_else(|| refuse("ValidationError", 400, "LDAPProviderName names no directory of this gateway"))
    }

    async fn checked_password(
        &self,
        call: &Call<'_>,
        directory: &Directory,
        username: &str,
        password: &str,
    ) -> Result<FoundUser, QueryError> {
        let began = Instant::now();
        let Some(this_try) = self.sign_in_limits.begin(username, call.caller.connection.source_ip, call.now_s) else {
            tracing::warn!(request_id = call.request_id, directory = directory.name(), "too many wrong passwords");
            let message = "Too many wrong passwords from your address or for this name; wait for some minutes";
            return Err(refuse("Throttling", 400, message));
        };
        let may_compare = |dn: &str| this_try.is_within_entry(dn, call.now_s);
        let signed_in = directory.sign_in(username, password, &may_compare).await;
        match signed_in {
            Ok(user) => {
                this_try.forgive();
                Ok(user)
            }
            Err(SignInError::Unavailable(why)) => {
                this_try.forgive();
                tracing::error!(request_id = call.request_id, directory = directory.name(), "sign-in failed: {why}");
                Err(refuse("IDPCommunicationError", 400, "The directory cannot be asked at the moment; try again"))
            }
            Err(SignInError::Refused(why)) => {
                // The name is not logged: people type passwords into the wrong field.
                tracing::warn!(request_id = call.request_id, directory = directory.name(), "sign-in refused: {why}");
                tokio::time::sleep_until(began + REFUSED_AFTER).await;
                Err(refuse("AccessDenied", 403, "The user name or the password is wrong"))
            }
        }
    }
}

/// A name or password. Control characters would end a text in some directories, so that it is another one there.
fn text<'a>(call: &Call<'a>, name: &str) -> Result<&'a str, QueryError> {
    let value = call.params.required(name)?;
    if value.is_empty() || value.len() > TEXT_BYTES_MAX || value.chars().any(char::is_control) {
        let message = format!("{name} must have 1 to {TEXT_BYTES_MAX} bytes, without control characters");
        return Err(refuse("ValidationError", 400, message));
    }
    Ok(value)
}

/// What the directory says of its user, in the form in which other providers say it.
fn identity(provider: &IdentityProvider, user: &FoundUser, now_s: i64) -> Result<WebIdentity, QueryError> {
    let groups_bytes: usize = user.groups.iter().map(|group| group.len() + 3).sum();
    if groups_bytes > GROUPS_BYTES_MAX {
        tracing::warn!(
            directory = provider.name,
            user = user.dn,
            "the DNs of the user's groups have {groups_bytes} bytes, more than {GROUPS_BYTES_MAX}: narrow `groupBaseDN` or `groupFilter`"
        );
        let message = "Your groups do not fit into a session; ask the operator of this gateway";
        return Err(refuse("PackedPolicyTooLarge", 400, message));
    }
    let claims = json!({"user": user.dn, "username": user.username, "groups": user.groups});
    let unreadable = |why: &str| refuse("InternalFailure", 500, why);
    Ok(WebIdentity {
        issuer: provider.issuer.clone(),
        subject: user.dn.clone(),
        audience: String::new(),
        issued_s: now_s,
        expires_s: i64::MAX,
        claims: Claims::parse(claims.to_string().as_bytes()).map_err(unreadable)?,
    })
}
