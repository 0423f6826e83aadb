//! TLS of the listener. Its files are read again when they change, so a renewed certificate or authority needs no restart.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use iam::ClientCertificate;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::TlsAcceptor;

use crate::client_certificate;

/// The files behind a TLS listener.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// PEM certificate chain.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
    /// PEM authorities for client certificates. If set, clients must present a certificate.
    pub client_authorities: Option<PathBuf>,
    /// PEM authorities for the client certificates with which sessions are given. Clients may present one.
    pub sign_in_authorities: Option<PathBuf>,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// The files cannot be used for a server.
    #[error("certificate and key cannot be used: {0}")]
    Rustls(#[from] rustls::Error),
}

/// A TLS server whose files may change while it runs. Connections that are open keep what they began with.
pub struct Tls {
    files: TlsFiles,
    serving: ArcSwap<Serving>,
    watched: Mutex<Watched>,
}

struct Serving {
    acceptor: TlsAcceptor,
    expires_s: i64,
    sign_in: Option<Arc<dyn ClientCertVerifier>>,
}

/// Files that were read and can be used.
pub struct PreparedTls {
    content: Vec<u8>,
    serving: Serving,
}

/// The content of the files: what was tried last, and what was seen last.
#[derive(Default)]
struct Watched {
    tried: Vec<u8>,
    seen: Vec<u8>,
}

/// What became of the files since the last look.
#[derive(Debug, PartialEq, Eq)]
pub enum Renewal {
    /// They are as before, or still being written.
    Unchanged,
    /// New connections use what they hold now.
    Renewed,
}

impl Tls {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let tried = files.content();
        let serving = ArcSwap::from_pointee(Serving::load(&files)?);
        let watched = Mutex::new(Watched { seen: tried.clone(), tried });
        Ok(Self { files, serving, watched })
    }

    /// The acceptor for a new connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.serving.load().acceptor.clone()
    }

    /// When the certificate expires, seconds since 1970.
    pub fn expires_s(&self) -> i64 {
        self.serving.load().expires_s
    }

    /// The holder of a certificate, if an authority for sign-ins vouches for it at this moment. That the client has its key was
    /// shown when the connection began, which may be long ago.
    pub(crate) fn holder(
        &self,
        chain: &[CertificateDer<'static>],
        now: UnixTime,
    ) -> Result<ClientCertificate, &'static str> {
        let serving = self.serving.load();
        let authorities = serving.sign_in.as_ref().ok_or("this gateway accepts no certificates for sign-ins")?;
        client_certificate::verified(chain, &**authorities, now)
    }

    /// Reads the files again, and changes nothing yet.
    pub fn prepare(&self) -> Result<PreparedTls, TlsError> {
        Ok(PreparedTls { content: self.files.content(), serving: Serving::load(&self.files)? })
    }

    /// Uses what was read for new connections.
    pub fn take_over(&self, PreparedTls { content, serving }: PreparedTls) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        *watched = Watched { tried: content.clone(), seen: content };
        self.serving.store(Arc::new(serving));
    }

    /// Looks whether the files have changed, and reads them again once they have been the same for two looks. The same content fails
    /// once; afterwards it counts as unchanged.
    pub fn renew(&self) -> Result<Renewal, TlsError> {
        let content = self.files.content();
        {
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            let is_settled = std::mem::replace(&mut watched.seen, content.clone()) == content;
            if content == watched.tried || !is_settled {
                return Ok(Renewal::Unchanged);
            }
            watched.tried = content;
        }
        self.serving.store(Arc::new(Serving::load(&self.files)?));
        Ok(Renewal::Renewed)
    }
}

impl TlsFiles {
    /// A hash of all files; one that cannot be read counts as empty.
    fn content(&self) -> Vec<u8> {
        let mut context = ::aws_lc_rs::digest::Context::new(&::aws_lc_rs::digest::SHA256);
        let authorities = [self.client_authorities.as_ref(), self.sign_in_authorities.as_ref()].into_iter().flatten();
        for path in [&self.certificate, &self.key].into_iter().chain(authorities) {
            let content = std::fs::read(path).unwrap_or_default();
            context.update(&content.len().to_be_bytes());
            context.update(&content);
        }
        context.finish().as_ref().to_vec()
    }
}

impl Serving {
    fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| {
            let reason = match error {
                pem::Error::NoItemsFound => "there is no private key in the file; write one in PEM".to_owned(),
                error => error.to_string(),
            };
            TlsError::File { path: files.key.clone(), reason }
        })?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = certificates(&files.certificate)?;
        let expires_s = chain.first().map_or(Ok(0), |first| expiry(first, &files.certificate))?;
        // Refuses a key that does not belong to the certificate.
        let certified = CertifiedKey::from_der(chain, key, &provider)?;
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let of_connections = files.client_authorities.iter().chain(&files.sign_in_authorities).collect::<Vec<_>>();
        let builder = match verifier(&of_connections, files.client_authorities.is_some(), &provider)? {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        };
        let of_sign_ins = files.sign_in_authorities.iter().collect::<Vec<_>>();
        let sign_in = verifier(&of_sign_ins, true, &provider)?;
        let resolver = rustls::sign::SingleCertAndKey::from(certified);
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), expires_s, sign_in })
    }
}

/// Verifies client certificates by the authorities in all these files; `None` without a file.
fn verifier(
    files: &[&PathBuf],
    is_mandatory: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let Some(first) = files.first() else { return Ok(None) };
    let mut roots = RootCertStore::empty();
    for path in files {
        for authority in certificates(path)? {
            roots.add(authority)?;
        }
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if is_mandatory { builder } else { builder.allow_unauthenticated() };
    let error = |reason: String| TlsError::File { path: (*first).clone(), reason };
    builder.build().map(Some).map_err(|cause| error(cause.to_string()))
}

/// When a certificate expires, seconds since 1970.
fn expiry(certificate: &CertificateDer<'_>, path: &Path) -> Result<i64, TlsError> {
    let parsed = x509_parser::parse_x509_certificate(certificate);
    let (_, parsed) = parsed.map_err(|error| TlsError::File { path: path.to_owned(), reason: error.to_string() })?;
    Ok(parsed.validity().not_after.timestamp())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let error = |reason: String| TlsError::File { path: path.to_owned(), reason };
    let read = CertificateDer::pem_file_iter(path).map_err(|cause| error(cause.to_string()))?;
    let all: Vec<_> = read.collect::<Result<_, _>>().map_err(|cause| error(cause.to_string()))?;
    if all.is_empty() {
        Err(error("there is no certificate in the file; write the chain in PEM".to_owned()))
    } else {
        Ok(all)
    }
}
