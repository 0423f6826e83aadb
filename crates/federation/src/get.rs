//! One GET to an identity provider, and nothing more: the name is resolved once and the connection goes to an address that was
//! checked; no redirect is followed, no proxy is asked, the answer is short.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_rustls::ConfigBuilderExt;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use crate::address::{is_public, is_reachable_privately};

/// How long a request may take altogether.
const PATIENCE: Duration = Duration::from_secs(5);

/// How requests to one provider are made.
#[derive(Debug, Clone, Default)]
pub struct Outbound {
    /// Whether private and loopback addresses may be reached.
    pub allows_private_addresses: bool,
    /// Certificates that sign the provider's own; `None` for the machine's roots.
    pub ca_file: Option<String>,
    /// A file with the token that is sent along.
    pub bearer_file: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The address cannot be requested.
    #[error("`{0}` is not an address that can be requested: {1}")]
    Address(String, &'static str),
    /// The name leads to addresses that must not be reached.
    #[error(
        "`{host}` is at {address}, which is not a public address; if the provider is there on purpose, set \
         `allowPrivateAddresses` of the provider, or list the host in `kelpgate.oidc.privateHosts`"
    )]
    NotPublic {
        /// The host.
        host: String,
        /// Where it is.
        address: IpAddr,
    },
    /// A file that the request needs cannot be read.
    #[error("`{0}` cannot be used: {1}")]
    File(String, String),
    /// The provider cannot be reached, or TLS fails.
    #[error("`{0}` cannot be reached: {1}")]
    Unreachable(String, String),
    /// It took too long.
    #[error("`{0}` did not answer within 5 s")]
    Slow(String),
    /// It answered with something else than a document.
    #[error("`{0}` answered {1}; redirects are not followed")]
    Status(String, StatusCode),
    /// The answer is too long, or broke off.
    #[error("the answer of `{0}` cannot be read: {1}")]
    Body(String, String),
}

impl Outbound {
    /// The text behind a URL, at most `longest` bytes of it.
    pub async fn get(&self, url: &str, longest: usize) -> Result<String, GetError> {
        let asked = tokio::time::timeout(PATIENCE, self.ask(url, longest)).await;
        asked.unwrap_or_else(|_| Err(GetError::Slow(url.to_owned())))
    }

    async fn ask(&self, url: &str, longest: usize) -> Result<String, GetError> {
        let target = Target::of(url)?;
        let stream = self.connect(&target).await?;
        let answer = if target.is_tls {
            let connector = TlsConnector::from(Arc::new(tls(self.ca_file.as_deref())?));
            let name = ServerName::try_from(target.host.clone())
                .map_err(|_| GetError::Address(url.to_owned(), "its host is not a name"))?;
            let stream = connector.connect(name, stream).await;
            self.send(&target, stream.map_err(|error| target.unreachable(&error))?).await?
        } else {
            self.send(&target, stream).await?
        };
        if answer.status() != StatusCode::OK {
            return Err(GetError::Status(url.to_owned(), answer.status()));
        }
        let body = Limited::new(answer.into_body(), longest).collect().await;
        let body = body.map_err(|error| GetError::Body(url.to_owned(), error.to_string()))?.to_bytes();
        String::from_utf8(body.into()).map_err(|_| GetError::Body(url.to_owned(), "it is not UTF-8".to_owned()))
    }

    /// Connects to the first address that answers. All of them must be allowed: a name that leads to a public and a private
    /// address is a trick.
    async fn connect(&self, target: &Target) -> Result<TcpStream, GetError> {
        let found = lookup_host((target.host.as_str(), target.port)).await;
        let addresses: Vec<SocketAddr> = found.map_err(|error| target.unreachable(&error))?.collect();
        for address in &addresses {
            self.check(target, address.ip())?;
        }
        let stream = TcpStream::connect(addresses.as_slice()).await;
        stream.map_err(|error| target.unreachable(&error))
    }

    fn check(&self, target: &Target, address: IpAddr) -> Result<(), GetError> {
        let host = || target.host.clone();
        let public = is_public(address);
        let allowed = public || (self.allows_private_addresses && is_reachable_privately(address));
        if !allowed {
            return Err(GetError::NotPublic { host: host(), address });
        }
        if public && !target.is_tls {
            return Err(GetError::Address(target.url.clone(), "plain HTTP is for private addresses alone"));
        }
        Ok(())
    }

    async fn send<S>(&self, target: &Target, stream: S) -> Result<http::Response<hyper::body::Incoming>, GetError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| target.unreachable(&error))?;
        tokio::spawn(connection);
        let mut request = Request::get(&target.path)
            .header(header::HOST, &target.authority)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "kelpgate");
        if let Some(file) = &self.bearer_file {
            let token =
                std::fs::read_to_string(file).map_err(|error| GetError::File(file.clone(), error.to_string()))?;
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
        }
        let request = request.body(Empty::<Bytes>::new());
        let request = request.map_err(|_| GetError::Address(target.url.clone(), "it cannot be put into a request"))?;
        sender.send_request(request).await.map_err(|error| target.unreachable(&error))
    }
}

/// TLS that trusts the authorities in a file, or those of this machine.
pub(crate) fn tls(ca_file: Option<&str>) -> Result<ClientConfig, GetError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let machine = || "the roots of this machine".to_owned();
    let builder = builder.map_err(|error| GetError::File(machine(), error.to_string()))?;
    let builder = match ca_file {
        None => builder.with_native_roots().map_err(|error| GetError::File(machine(), error.to_string()))?,
        Some(file) => builder.with_root_certificates(roots(file).map_err(|why| GetError::File(file.to_owned(), why))?),
    };
    Ok(builder.with_no_client_auth())
}

fn roots(file: &str) -> Result<RootCertStore, String> {
    let pem = std::fs::read(Path::new(file)).map_err(|error| error.to_string())?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        store.add(certificate).map_err(|error| error.to_string())?;
    }
    if store.is_empty() { Err("it has no certificate in PEM form".to_owned()) } else { Ok(store) }
}

/// What a URL names, parsed once.
struct Target {
    url: String,
    host: String,
    port: u16,
    authority: String,
    path: String,
    is_tls: bool,
}

impl Target {
    fn of(url: &str) -> Result<Self, GetError> {
        let wrong = |why| GetError::Address(url.to_owned(), why);
        let uri: Uri = url.parse().map_err(|_| wrong("it is not a URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("its scheme is not https")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it names a user"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { url: url.to_owned(), host, port, authority: authority.to_string(), path, is_tls })
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> GetError {
        GetError::Unreachable(self.url.clone(), error.to_string())
    }
}
