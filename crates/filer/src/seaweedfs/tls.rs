//! TLS as SeaweedFS does it: gRPC peers are verified by the private authority that signed their certificates, not by
//! host name.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{path}` cannot be read: {cause}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// A file does not contain what is expected.
    #[error("`{path}` holds no usable {wanted} in PEM form")]
    Pem {
        /// The file.
        path: String,
        /// What is expected.
        wanted: &'static str,
    },
    /// Certificate and key do not match, or rustls refuses them.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
    /// There are no root certificates on this machine.
    #[error("no root certificates were found on this machine ({0}); set `https.client.ca`")]
    NoRoots(std::io::Error),
}

/// The bytes of a file.
fn read(path: &str) -> Result<Vec<u8>, TlsError> {
    std::fs::read(Path::new(path)).map_err(|cause| TlsError::Read { path: path.to_owned(), cause })
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = || TlsError::Pem { path: path.to_owned(), wanted: "certificate" };
    let list = CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<Vec<_>, _>>().map_err(|_| wrong())?;
    if list.is_empty() { Err(wrong()) } else { Ok(list) }
}

fn roots(path: &str) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate)?;
    }
    Ok(store)
}

/// The configuration of `https.client`. An empty `ca` means the machine's own roots; an empty `cert` means no client
/// certificate.
pub(super) fn https_client(ca: &str, cert: &str, key: &str, skip_verify: bool) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = if skip_verify {
        tracing::warn!("https.client.insecure_skip_verify: volume servers are not authenticated");
        let verifier = Verifier { trusted: Trusted::Any, provider: provider() };
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
    } else if ca.is_empty() {
        use hyper_rustls::ConfigBuilderExt;
        builder.with_native_roots().map_err(TlsError::NoRoots)?
    } else {
        builder.with_root_certificates(roots(ca)?)
    };
    if cert.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    Ok(builder.with_client_auth_cert(certificates(cert)?, private_key(key)?)?)
}

/// The configuration of `grpc.client`. The server needs a certificate of this authority, and its host name does not count:
/// SeaweedFS's rule for gRPC.
pub(super) fn grpc_client(ca: &str, cert: &str, key: &str) -> Result<ClientConfig, TlsError> {
    let verifier = Verifier { trusted: Trusted::Chain(roots(ca)?), provider: provider() };
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(builder.with_client_auth_cert(certificates(cert)?, private_key(key)?)?)
}

fn private_key(path: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    let wrong = |_| TlsError::Pem { path: path.to_owned(), wanted: "private key" };
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(wrong)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Which certificates are trusted. The host name never counts.
#[derive(Debug)]
enum Trusted {
    /// Those of these authorities.
    Chain(RootCertStore),
    /// All of them: `insecure_skip_verify`.
    Any,
}

/// Checks the certificate of a server as `trusted` says, and the signatures of the handshake in any case.
#[derive(Debug)]
struct Verifier {
    trusted: Trusted,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Trusted::Chain(roots) = &self.trusted {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
