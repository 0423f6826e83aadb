//! One request to an identity provider, and nothing more: the name is resolved once and the connection goes to an address that was
//! checked; no redirect is followed, no proxy is asked, the answer is short.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_rustls::ConfigBuilderExt;
use hyper_util::rt::TokioIo;
use ids::SecretAccessKey;
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
    /// What is sent along, so that the provider knows who asks.
    pub authorization: Authorization,
}

/// The header Authorization of requests.
#[derive(Debug, Clone, Default)]
pub enum Authorization {
    /// No such header.
    #[default]
    None,
    /// `Bearer` and the token in this file.
    BearerOf(String),
    /// What is in this file.
    TextOf(String),
    /// This text.
    Text(SecretAccessKey),
}

impl Authorization {
    /// The value of the header.
    fn value(&self) -> Result<Option<HeaderValue>, GetError> {
        let of_file = |file: &String| {
            std::fs::read_to_string(file).map_err(|error| GetError::File(file.clone(), error.to_string()))
        };
        let (text, place) = match self {
            Self::None => return Ok(None),
            Self::BearerOf(file) => (format!("Bearer {}", of_file(file)?.trim()), file.as_str()),
            Self::TextOf(file) => (of_file(file)?.trim().to_owned(), file.as_str()),
            Self::Text(text) => (text.expose().to_owned(), "authToken"),
        };
        let unfit = |_| GetError::File(place.to_owned(), "it cannot be the value of a header".to_owned());
        let mut value = HeaderValue::try_from(text).map_err(unfit)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// One request. No error shows its query, which may be a secret.
pub(crate) struct Asked<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    /// What follows the `?`; empty for nothing.
    pub(crate) query: &'a str,
    /// The answers that are read. Any other is an error.
    pub(crate) statuses: &'a [StatusCode],
    /// The longest answer, in bytes.
    pub(crate) longest: usize,
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
        let asked = Asked { method: Method::GET, url, query: "", statuses: &[StatusCode::OK], longest };
        self.ask(&asked).await.map(|(_, text)| text)
    }

    /// The status and the text of an answer.
    pub(crate) async fn ask(&self, asked: &Asked<'_>) -> Result<(StatusCode, String), GetError> {
        let answered = tokio::time::timeout(PATIENCE, self.exchange(asked)).await;
        answered.unwrap_or_else(|_| Err(GetError::Slow(asked.url.to_owned())))
    }

    async fn exchange(&self, asked: &Asked<'_>) -> Result<(StatusCode, String), GetError> {
        let url = asked.url;
        let target = Target::of(url)?;
        let stream = self.connect(&target).await?;
        let answer = if target.is_tls {
            let connector = TlsConnector::from(Arc::new(tls(self.ca_file.as_deref())?));
            let name = ServerName::try_from(target.host.clone())
                .map_err(|_| GetError::Address(url.to_owned(), "its host is not a name"))?;
            let stream = connector.connect(name, stream).await;
            self.send(asked, &target, stream.map_err(|error| target.unreachable(&error))?).await?
        } else {
            self.send(asked, &target, stream).await?
        };
        let status = answer.status();
        if !asked.statuses.contains(&status) {
            return Err(GetError::Status(url.to_owned(), status));
        }
        let body = Limited::new(answer.into_body(), asked.longest).collect().await;
        let body = body.map_err(|error| GetError::Body(url.to_owned(), error.to_string()))?.to_bytes();
        let text = String::from_utf8(body.into());
        Ok((status, text.map_err(|_| GetError::Body(url.to_owned(), "it is not UTF-8".to_owned()))?))
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
            return Err(GetError::Address(target.url.clone(), "plain HTTP is allowed only for private addresses"));
        }
        Ok(())
    }

    async fn send<S>(
        &self,
        asked: &Asked<'_>,
        target: &Target,
        stream: S,
    ) -> Result<http::Response<hyper::body::Incoming>, GetError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| target.unreachable(&error))?;
        tokio::spawn(connection);
        let path = match asked.query {
            "" => target.path.clone(),
            query => format!("{}?{query}", target.path),
        };
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(path)
            .header(header::HOST, &target.authority)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "kelpgate");
        if asked.method == Method::POST {
            // Some servers refuse a POST that does not say that it has no body.
            request = request.header(header::CONTENT_LENGTH, 0);
        }
        if let Some(value) = self.authorization.value()? {
            request = request.header(header::AUTHORIZATION, value);
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
