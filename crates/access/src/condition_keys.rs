//! The condition keys that every request sets, whatever its operation. Only facts that the server knows become keys: no
//! header or claim is copied under its own name.

use http::request::Parts;
use iam::{Caller, ConnectionFacts, Federation, Snapshot};
use ids::AccountId;
use policy::{Context, Principal, ValueTooLong};

use crate::authenticate::Authenticated;
use crate::authentication_type::AuthenticationType;

/// Sets the `aws:*` keys, and the `s3:*` keys that come from the signature. `region` is the gateway's region.
///
/// Fails if a value is too long. This is decided before it is known what the caller may do.
pub fn request_context(
    head: &Parts,
    authenticated: &Authenticated,
    snapshot: &Snapshot,
    region: &str,
    now: jiff::Timestamp,
) -> Result<Context, ValueTooLong> {
    let mut context = Context::new();
    let caller = &authenticated.caller;
    let ConnectionFacts { source_ip, secure_transport, tls_version } = caller.connection;
    if let Some(ip) = source_ip {
        context.set("aws:SourceIp", ip.to_string());
    }
    context.set("aws:SecureTransport", secure_transport.to_string());
    if let Some(version) = tls_version {
        context.set("s3:TlsVersion", version.as_str());
    }
    context.set("aws:CurrentTime", timestamp(now.as_second()));
    context.set("aws:EpochTime", now.as_second().to_string());
    context.set("aws:RequestedRegion", region);
    context.set("aws:ViaAWSService", "false");
    context.set("aws:PrincipalIsAWSService", "false");
    for (key, header) in [("aws:UserAgent", http::header::USER_AGENT), ("aws:Referer", http::header::REFERER)] {
        // A header that occurs twice means its values joined by commas (RFC 9110, 5.2).
        let values: Vec<_> = head.headers.get_all(header).iter().map(|value| value.as_bytes()).collect();
        if !values.is_empty() {
            context.set(key, String::from_utf8_lossy(&values.join(&b", "[..])));
        }
    }
    principal_keys(&mut context, caller, snapshot, now);
    signature_keys(&mut context, authenticated, now);
    context.require_bounded()?;
    Ok(context)
}

/// The keys of the account that owns a resource. [`context_of`](crate::context_of) sets them for each decision. A request sets
/// them beforehand for its own bucket, so that decisions about this bucket copy no keys.
pub fn resource_account_keys(account: &AccountId) -> [(&'static str, &str); 2] {
    ["aws:ResourceAccount", "s3:ResourceAccount"].map(|key| (key, account.as_str()))
}

fn principal_keys(context: &mut Context, caller: &Caller, snapshot: &Snapshot, now: jiff::Timestamp) {
    let kind = match &caller.principal {
        Principal::Anonymous => "Anonymous",
        Principal::Root(_) => "Account",
        Principal::User { .. } => "User",
        Principal::AssumedRole { .. } => "AssumedRole",
        Principal::FederatedUser { .. } => "FederatedUser",
        Principal::Service(_) | Principal::Federated { .. } => "Federated",
    };
    context.set("aws:PrincipalType", kind);
    if matches!(caller.principal, Principal::Anonymous) {
        return;
    }
    context.set("aws:PrincipalAccount", caller.account.as_str());
    context.set("aws:userid", &*caller.user_id);
    if let Some(session) = &caller.session {
        context.set("aws:TokenIssueTime", timestamp(session.issued_s));
        context.set("aws:MultiFactorAuthPresent", session.mfa_at_s.is_some().to_string());
        if let Some(at_s) = session.mfa_at_s {
            context.set("aws:MultiFactorAuthAge", now.as_second().saturating_sub(at_s).max(0).to_string());
        }
    }
    match caller.session.as_ref().filter(|session| session.is_of_role()) {
        None => {
            context.set("aws:PrincipalArn", &*caller.arn);
            if let Principal::User { name, .. } = &caller.principal {
                context.set("aws:username", name.as_str());
            }
            let user = snapshot.user(&caller.name);
            for (name, value) in user.iter().flat_map(|user| &user.record.tags) {
                context.set(format!("aws:PrincipalTag/{name}"), value.as_str());
            }
            // Those of GetFederationToken take precedence.
            for (name, value) in caller.session.iter().flat_map(|session| &*session.tags) {
                context.set(format!("aws:PrincipalTag/{name}"), value.as_str());
            }
        }
        Some(session) => {
            context.set("aws:PrincipalArn", &*session.role_arn);
            // The role's own tags first, then those of the session, which take precedence.
            let role = snapshot.role_by_arn(&session.role_arn);
            for (name, value) in role.iter().flat_map(|role| role.tags()) {
                context.set(format!("aws:PrincipalTag/{name}"), value.as_str());
            }
            for (name, value) in &*session.tags {
                context.set(format!("aws:PrincipalTag/{name}"), value.as_str());
            }
            if let Some(source) = &session.source_identity {
                context.set("aws:SourceIdentity", &**source);
            }
            if let Some(federation) = &session.federation {
                federation_keys(context, federation);
            }
        }
    }
}

/// Claims become keys only behind the name of their provider.
fn federation_keys(context: &mut Context, federation: &Federation) {
    let provider = &federation.provider;
    context.set("aws:FederatedProvider", provider.arn.as_str());
    if provider.is_directory() {
        directory_keys(context, federation);
        return;
    }
    for (key, values) in &*federation.plugin_keys {
        match values.as_slice() {
            [value] => context.set(key.clone(), value.as_str()),
            values => context.set_many(key.clone(), values.iter().cloned()),
        }
    }
    context.set(format!("{}:sub", provider.key_prefix()), &*federation.subject);
    if let Some(audience) = &federation.audience {
        context.set(format!("{}:aud", provider.key_prefix()), &**audience);
    }
}

/// MinIO's keys: the DN, the name, and the DNs of the groups.
fn directory_keys(context: &mut Context, federation: &Federation) {
    context.set("ldap:user", &*federation.subject);
    if let Some(user) = &federation.directory_user {
        context.set("ldap:username", &*user.username);
        if !user.groups.is_empty() {
            context.set_many("ldap:groups", user.groups.iter().cloned());
        }
    }
}

fn signature_keys(context: &mut Context, authenticated: &Authenticated, now: jiff::Timestamp) {
    let (auth_type, version) = match authenticated.authentication {
        AuthenticationType::Anonymous | AuthenticationType::Bearer => return,
        AuthenticationType::HeaderV4 => ("REST-HEADER", "AWS4-HMAC-SHA256"),
        AuthenticationType::PresignedV4 => ("REST-QUERY-STRING", "AWS4-HMAC-SHA256"),
        AuthenticationType::PostV4 => ("POST", "AWS4-HMAC-SHA256"),
        AuthenticationType::HeaderV2 => ("REST-HEADER", "AWS"),
        AuthenticationType::PresignedV2 => ("REST-QUERY-STRING", "AWS"),
        AuthenticationType::PostV2 => ("POST", "AWS"),
    };
    context.set("s3:authType", auth_type);
    context.set("s3:signatureversion", version);
    // Always 0 with V2 (S3 API Reference, "Signature Version 4 Authentication Specific Policy Keys").
    let age = |signed_at: jiff::Timestamp| now.as_millisecond().saturating_sub(signed_at.as_millisecond()).max(0);
    context.set("s3:signatureAge", authenticated.signed_at.map_or(0, age).to_string());
}

fn timestamp(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default()
}
