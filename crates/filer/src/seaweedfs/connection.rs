//! HTTP/2 connections to filers and masters. A connection is made by the first call, and again by the first call after it
//! ended. Calls that wait for it share one attempt.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use h2::client::SendRequest;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::address::FilerAddress;
use super::security::Security;
use super::volume::{innermost, plain_only};

/// When the operating system begins to ask whether an idle peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long bytes may stay unacknowledged: after a cut, a connection does not stay for the quarter of an hour that TCP allows.
const UNACKNOWLEDGED_AT_MOST: Duration = Duration::from_secs(20);
/// How many bytes of an answer may be under way.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
/// The same for all answers on a connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// The largest head of an answer, in bytes. A filer's error text is a part of it.
const HEAD_BYTES_MAX: u32 = 64 << 10;

/// Where a process is, and how to connect to it.
#[derive(Clone)]
pub(super) struct Endpoint {
    uri: Uri,
    connector: HttpsConnector<HttpConnector>,
    timeout: Duration,
}

impl Endpoint {
    /// `timeout` is for TCP and TLS together.
    pub(super) fn new(address: &FilerAddress, security: &Security, timeout: Duration) -> Result<Self, http::Error> {
        let (scheme, config) = match security.grpc_tls() {
            Some(config) => ("https", config.as_ref().clone()),
            None => ("http", plain_only()),
        };
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.set_keepalive(Some(KEEPALIVE));
        #[cfg(target_os = "linux")]
        http.set_tcp_user_timeout(Some(UNACKNOWLEDGED_AT_MOST));
        http.set_connect_timeout(Some(timeout));
        http.enforce_http(false);
        // SeaweedFS need not say that it speaks HTTP/2.
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http2().wrap_connector(http);
        let uri = Uri::builder().scheme(scheme).authority(address.grpc()).path_and_query("/").build()?;
        Ok(Endpoint { uri, connector, timeout })
    }

    /// Scheme and authority, with the path `/`.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }
}

/// There is no connection, and none could be made. Nothing was sent.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unconnected(Arc<str>);

impl Unconnected {
    fn because(error: &dyn std::error::Error) -> Self {
        Self(innermost(error).into())
    }
}

type Sender = SendRequest<Bytes>;
type Attempt = Shared<BoxFuture<'static, Result<Sender, Unconnected>>>;

/// The connection to one process. Clones share it.
#[derive(Clone)]
pub(super) struct Channel {
    endpoint: Arc<Endpoint>,
    attempt: Arc<Mutex<Option<Attempt>>>,
}

impl Channel {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Channel { endpoint: Arc::new(endpoint), attempt: Arc::default() }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Waits until a request can be sent. Needs a tokio runtime.
    pub(super) async fn ready(&self) -> Result<Sender, Unconnected> {
        let known = self.attempt(None);
        if let Ok(sender) = known.clone().await?.ready().await {
            return Ok(sender);
        }
        // The connection has ended since the last call.
        let sender = self.attempt(Some(&known)).await?;
        sender.ready().await.map_err(|error| Unconnected::because(&error))
    }

    /// The connection, or the attempt to make it that is under way. A new attempt if the last one failed, or if it made the
    /// connection that has `ended`.
    fn attempt(&self, ended: Option<&Attempt>) -> Attempt {
        let mut current = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        let is_usable = |attempt: &&Attempt| {
            !ended.is_some_and(|ended| ended.ptr_eq(attempt)) && !matches!(attempt.peek(), Some(Err(_)))
        };
        if let Some(attempt) = current.as_ref().filter(is_usable) {
            return attempt.clone();
        }
        // In a task of its own: it goes on if the call that began it is given up.
        let attempt = tokio::spawn(connect(Arc::clone(&self.endpoint)));
        let attempt = attempt.map(|done| done.unwrap_or_else(|error| Err(Unconnected::because(&error))));
        current.insert(attempt.boxed().shared()).clone()
    }
}

/// Makes a connection, and drives it until it ends.
async fn connect(endpoint: Arc<Endpoint>) -> Result<Sender, Unconnected> {
    let mut connector = endpoint.connector.clone();
    let connecting = async {
        let stream = connector.call(endpoint.uri.clone()).await.map_err(|error| Unconnected::because(&*error))?;
        let mut settings = h2::client::Builder::new();
        settings
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(HEAD_BYTES_MAX);
        settings.handshake(TokioIo::new(stream)).await.map_err(|error| Unconnected::because(&error))
    };
    let (sender, connection) = tokio::time::timeout(endpoint.timeout, connecting)
        .await
        .map_err(|_| Unconnected("no connection in time".into()))??;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, peer = %endpoint.uri, "a connection ended");
        }
    });
    Ok(sender)
}
