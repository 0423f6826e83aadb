//! Client certificates, whose holders can get sessions.

/// What precedes the name of a provider in its issuer. No issuer of OpenID Connect begins like it.
const ISSUER: &str = "certificate:";

/// The issuer of a provider of type `certificate` with this name.
pub fn certificate_issuer(name: &str) -> String {
    format!("{ISSUER}{name}")
}

/// Whether an issuer is that of a provider of type `certificate`.
pub(crate) fn is_certificate(issuer: &str) -> bool {
    issuer.starts_with(ISSUER)
}

/// A certificate of a client's own connection, whose key the client has proved to hold, and which an authority of the provider
/// vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The one common name of its subject.
    pub common_name: String,
    /// The SHA-256 of the certificate, in hexadecimal digits.
    pub sha256: String,
    /// When it expires, seconds since 1970.
    pub expires_s: i64,
}
