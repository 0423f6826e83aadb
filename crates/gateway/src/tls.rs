//! TLS of the listener. Its files are read again when they change, so a renewed certificate or authority needs no restart.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use x509_parser::extensions::GeneralName;

/// The files of one certificate.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// PEM certificate chain.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}

/// The files behind a TLS listener.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// At least one. A client gets the first one that has the name it asks for (SNI), otherwise the first of all.
    pub certificates: Vec<CertificateFiles>,
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

/// The content of files: what was tried last, and what was seen last.
#[derive(Debug, Default)]
pub struct Watched {
    tried: Vec<u8>,
    seen: Vec<u8>,
}

impl Watched {
    /// Files whose content is in use.
    pub fn new(content: Vec<u8>) -> Self {
        Self { seen: content.clone(), tried: content }
    }

    /// Whether content has changed and was the same for two looks, so that it is not half written. Each content is reported once.
    pub fn has_settled(&mut self, content: Vec<u8>) -> bool {
        let is_settled = std::mem::replace(&mut self.seen, content.clone()) == content;
        if content == self.tried || !is_settled {
            return false;
        }
        self.tried = content;
        true
    }
}

/// A hash of files; one that cannot be read counts as empty.
pub fn content_of<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Vec<u8> {
    let mut context = ::aws_lc_rs::digest::Context::new(&::aws_lc_rs::digest::SHA256);
    for path in paths {
        let content = std::fs::read(path).unwrap_or_default();
        context.update(&content.len().to_be_bytes());
        context.update(&content);
    }
    context.finish().as_ref().to_vec()
}

/// When the first certificate of a PEM file expires, seconds since 1970.
pub fn expiry_of(path: &Path) -> Result<i64, TlsError> {
    certificates(path)?.first().map_or(Ok(0), |first| said_by(first, path).map(|(_, expires_s)| expires_s))
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
        let watched = Mutex::new(Watched::new(files.content()));
        let serving = ArcSwap::from_pointee(Serving::load(&files)?);
        Ok(Self { files, serving, watched })
    }

    /// The acceptor for a new connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.serving.load().acceptor.clone()
    }

    /// When the first of the certificates expires, seconds since 1970.
    pub fn expires_s(&self) -> i64 {
        self.serving.load().expires_s
    }

    /// Verifies the client certificates with which sessions are given; `None` if none are.
    pub(crate) fn sign_in_authorities(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        self.serving.load().sign_in.clone()
    }

    /// Reads the files again, and changes nothing yet.
    pub fn prepare(&self) -> Result<PreparedTls, TlsError> {
        Ok(PreparedTls { content: self.files.content(), serving: Serving::load(&self.files)? })
    }

    /// Uses what was read for new connections.
    pub fn take_over(&self, PreparedTls { content, serving }: PreparedTls) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        *watched = Watched::new(content);
        self.serving.store(Arc::new(serving));
    }

    /// Looks whether the files have changed, and reads them again once they have been the same for two looks. The same content fails
    /// once; afterwards it counts as unchanged.
    pub fn renew(&self) -> Result<Renewal, TlsError> {
        let content = self.files.content();
        if !self.watched.lock().unwrap_or_else(PoisonError::into_inner).has_settled(content) {
            return Ok(Renewal::Unchanged);
        }
        self.serving.store(Arc::new(Serving::load(&self.files)?));
        Ok(Renewal::Renewed)
    }
}

impl TlsFiles {
    fn content(&self) -> Vec<u8> {
        let pairs = self.certificates.iter().flat_map(|files| [&files.certificate, &files.key]);
        content_of(pairs.chain(&self.client_authorities).chain(&self.sign_in_authorities))
    }
}

impl Serving {
    fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let named = files.certificates.iter().map(|files| Named::load(files, &provider));
        let resolver = ByName(named.collect::<Result<_, _>>()?);
        let expires_s = resolver.0.iter().map(|named| named.expires_s).min().unwrap_or(0);
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let of_connections = files.client_authorities.iter().chain(&files.sign_in_authorities).collect::<Vec<_>>();
        let builder = match verifier(&of_connections, files.client_authorities.is_some(), &provider)? {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        };
        let of_sign_ins = files.sign_in_authorities.iter().collect::<Vec<_>>();
        let sign_in = verifier(&of_sign_ins, true, &provider)?;
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

/// Chooses a certificate by the name that the client asks for.
#[derive(Debug)]
struct ByName(Vec<Named>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let has_name = |named: &&Named| hello.server_name().is_some_and(|name| named.has(name));
        let chosen = self.0.iter().find(has_name).or(self.0.first());
        chosen.map(|named| Arc::clone(&named.key))
    }
}

/// A certificate with its names.
#[derive(Debug)]
struct Named {
    key: Arc<CertifiedKey>,
    /// DNS names in small letters; `*.` stands for one label.
    names: Vec<String>,
    expires_s: i64,
}

impl Named {
    fn load(files: &CertificateFiles, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| {
            let reason = match error {
                pem::Error::NoItemsFound => "there is no private key in the file; write one in PEM".to_owned(),
                error => error.to_string(),
            };
            TlsError::File { path: files.key.clone(), reason }
        })?;
        let chain = certificates(&files.certificate)?;
        let (names, expires_s) =
            chain.first().map_or(Ok((Vec::new(), 0)), |first| said_by(first, &files.certificate))?;
        // Refuses a key that does not belong to the certificate.
        let key = Arc::new(CertifiedKey::from_der(chain, key, provider)?);
        Ok(Self { key, names, expires_s })
    }

    /// Whether the certificate is for a host, in small letters.
    fn has(&self, host: &str) -> bool {
        let below = host.split_once('.').map(|(_, below)| below);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(domain) => below == Some(domain),
            None => name == host,
        })
    }
}

/// The DNS names of a certificate, and when it expires, seconds since 1970.
fn said_by(certificate: &CertificateDer<'_>, path: &Path) -> Result<(Vec<String>, i64), TlsError> {
    let wrong = |error: String| TlsError::File { path: path.to_owned(), reason: error };
    let parsed = x509_parser::parse_x509_certificate(certificate);
    let (_, parsed) = parsed.map_err(|error| wrong(error.to_string()))?;
    let alternatives = parsed.subject_alternative_name().map_err(|error| wrong(error.to_string()))?;
    let names = alternatives.iter().flat_map(|alternatives| &alternatives.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    Ok((names.collect(), parsed.validity().not_after.timestamp()))
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
