//! The client certificate of a connection, for AssumeRoleWithCertificate. It comes from the TLS handshake alone: nothing in a request
//! can say that there was one.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderName;
use http::request::Parts;
use iam::ClientCertificate;
use rustls::ServerConnection;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use s3::QueryString;
use x509_parser::certificate::X509Certificate;

use crate::request_scope::RequestScope;
use crate::tls::Tls;

/// The action that asks for a certificate.
const ACTION: &str = "AssumeRoleWithCertificate";

/// Calls of other actions have no certificate.
pub(crate) const NOT_ASKED_FOR: &str = "this call asks for no certificate";

/// Whether a proxy writes this header. The certificate of a connection from a proxy is the proxy's own, not the caller's.
fn is_of_proxy(header: &HeaderName) -> bool {
    let name = header.as_str();
    ["forwarded", "via", "x-real-ip"].contains(&name) || name.starts_with("x-forwarded-")
}

/// The longest common name, in characters (X.520, ub-common-name).
const NAME_CHARS_MAX: usize = 64;

/// The certificates that a client has shown when its connection began, its own first.
#[derive(Clone)]
pub(crate) struct ShownCertificate {
    chain: Arc<[CertificateDer<'static>]>,
    tls: Arc<Tls>,
}

impl ShownCertificate {
    /// `None` if the client has shown none.
    pub(crate) fn of(connection: &ServerConnection, tls: &Arc<Tls>) -> Option<Self> {
        let chain = connection.peer_certificates()?;
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Some(Self { chain, tls: Arc::clone(tls) })
    }
}

/// The certificate for a call, if its action asks for one.
pub(crate) fn of_call(parameters: &QueryString, scope: &RequestScope<'_>) -> Result<ClientCertificate, &'static str> {
    if parameters.get("Action") != Some(ACTION) {
        return Err(NOT_ASKED_FOR);
    }
    let Parts { headers, extensions, .. } = scope.head;
    // The version is not known behind a proxy that the operator trusts.
    if scope.target.client.tls_version.is_none() {
        return Err("the client has to connect to the gateway itself, by TLS");
    }
    if headers.keys().any(is_of_proxy) {
        return Err("the request came through a proxy: the client has to connect to the gateway itself");
    }
    let shown = extensions.get::<ShownCertificate>().ok_or("the client has shown no certificate")?;
    let now = u64::try_from(scope.now.as_second()).map_err(|_| "the gateway's clock is wrong")?;
    let authorities = shown.tls.sign_in_authorities().ok_or("this gateway accepts no certificates for sign-ins")?;
    // That the client has the key was shown when the connection began, which may be long ago.
    verified(&shown.chain, &*authorities, UnixTime::since_unix_epoch(std::time::Duration::from_secs(now)))
}

/// Verifies the chain, and that the certificate is one for clients: with the extended key usage, which rustls asks for only where
/// there are any.
fn verified(
    chain: &[CertificateDer<'static>],
    authorities: &dyn ClientCertVerifier,
    now: UnixTime,
) -> Result<ClientCertificate, &'static str> {
    let (own, intermediates) = chain.split_first().ok_or("the client has shown no certificate")?;
    let verified = authorities.verify_client_cert(own, intermediates, now);
    verified.map_err(|_| "no authority of `clientCaCert` vouches for the certificate now, or it has expired")?;
    let (_, parsed) = x509_parser::parse_x509_certificate(own).map_err(|_| "the certificate cannot be read")?;
    let usage = parsed.extended_key_usage().ok().flatten();
    if !usage.is_some_and(|usage| usage.value.client_auth) {
        return Err("the certificate is not for clients: it needs the extended key usage clientAuth");
    }
    Ok(ClientCertificate {
        common_name: common_name(&parsed)?,
        sha256: hex::encode(digest(&SHA256, own)),
        expires_s: parsed.validity().not_after.timestamp(),
    })
}

/// The only common name. Error: if there are two, because readers could use different ones.
fn common_name(certificate: &X509Certificate<'_>) -> Result<String, &'static str> {
    let mut names = certificate.subject().iter_common_name();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err("the subject of the certificate does not have exactly one common name (CN)");
    };
    let name = name.as_str().map_err(|_| "the common name of the certificate is not text")?;
    let plain = name == name.trim() && !name.chars().any(char::is_control);
    if !plain || name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err("the common name must have 1 to 64 characters, no control characters, and no spaces at its ends");
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
