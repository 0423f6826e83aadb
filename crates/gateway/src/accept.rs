//! The first step: connections, TLS, time limits. A request leaves it as a head and a body that has not been read yet.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use iam::TlsVersion;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::body::ResponseBody;
use crate::client_certificate::ShownCertificate;
use crate::connections::ConnectionSlot;
use crate::tls::Tls;
use crate::unstalled::Unstalled;

/// The connection over which a request came.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// The other end of the TCP connection, which may be a proxy.
    pub peer: SocketAddr,
    /// The TLS version of the connection; `None` for plain text.
    pub tls: Option<TlsVersion>,
}

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Counts a connection from this address. `None` closes it, because a limit is reached.
    fn slot(&self, _peer: IpAddr) -> Option<ConnectionSlot> {
        Some(ConnectionSlot::unlimited())
    }

    /// Answers one request. There is always an answer.
    fn handle(
        self: Arc<Self>,
        connection: Connection,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<ResponseBody>> + Send;
}

/// Limits of connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A connection that sends no request head for this long, or takes nothing of an answer, is closed.
    pub idle: Duration,
    /// How many connections may be open on one listener. Others wait to be accepted.
    pub connections: usize,
    /// How long requests in progress may take after the start of a shutdown.
    pub drain: Duration,
}

/// The default of [`Limits::connections`]. Tests may use less.
pub const CONNECTIONS_MAX: usize = 16_384;
/// The largest head on HTTP/1 and HTTP/2, in bytes: the target of the request, and the names and values of its headers.
const HEAD_BYTES_MAX: u32 = 64 << 10;
/// How many requests an HTTP/2 connection may have at a time.
const STREAMS_MAX: u32 = 128;
/// How much an HTTP/2 connection buffers of each answer that its client does not read.
const UNSENT_BYTES_MAX: usize = 128 << 10;

/// HTTP/2 refuses such heads before they are completely read. For HTTP/1, hyper's own limit is six times as high.
pub(crate) fn is_too_large(head: &Parts) -> bool {
    let target = head.uri.path().len() + head.uri.query().map_or(0, str::len);
    let headers = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    target + headers.sum::<usize>() > HEAD_BYTES_MAX as usize
}

/// Serves connections until `shutdown` resolves, then lets the requests in progress finish.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    handler: Arc<H>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    let slots = Arc::new(Semaphore::new(limits.connections));
    loop {
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot,
            () = &mut shutdown => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Most likely out of file descriptors: wait for connections to close instead of spinning.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let Some(of_peer) = handler.slot(peer.ip()) else { continue };
        let _ = stream.set_nodelay(true);
        let stream = Unstalled::new(stream, limits.idle);
        let (handler, watcher, tls) = (Arc::clone(&handler), graceful.watcher(), tls.clone());
        tokio::spawn(async move {
            let _slots = (slot, of_peer);
            match tls {
                None => talk(stream, Connection { peer, tls: None }, None, handler, limits, watcher).await,
                Some(tls) => {
                    if let Some(stream) = handshake(tls.acceptor(), stream, limits.idle).await {
                        let connection = Connection { peer, tls: Some(tls_version(&stream)) };
                        let shown = ShownCertificate::of(stream.get_ref().1, &tls);
                        talk(stream, connection, shown, handler, limits, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests still in progress after {} s were cut off", limits.drain.as_secs());
    }
}

/// The version of a finished handshake. rustls supports these two.
fn tls_version(stream: &tokio_rustls::server::TlsStream<Unstalled>) -> TlsVersion {
    match stream.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => TlsVersion::V1_3,
        _ => TlsVersion::V1_2,
    }
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: Unstalled,
    limit: Duration,
) -> Option<tokio_rustls::server::TlsStream<Unstalled>> {
    tokio::time::timeout(limit, acceptor.accept(stream)).await.ok()?.ok()
}

async fn talk<H: Handler, S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    connection: Connection,
    shown: Option<ShownCertificate>,
    handler: Arc<H>,
    limits: Limits,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let heard = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&heard);
    let service = service_fn(move |mut request: Request<Incoming>| {
        hears.store(true, Ordering::Relaxed);
        if let Some(shown) = &shown {
            request.extensions_mut().insert(shown.clone());
        }
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.handle(connection, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle).keep_alive(true);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(limits.idle).max_concurrent_streams(STREAMS_MAX);
    builder.http2().max_header_list_size(HEAD_BYTES_MAX).max_send_buf_size(UNSENT_BYTES_MAX);
    let mut served = pin!(watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned()));
    // hyper waits without limit for the first bytes, which show the version of HTTP, and for heads on HTTP/2.
    let served = match tokio::time::timeout(limits.idle, &mut served).await {
        Ok(served) => served,
        Err(_) if heard.load(Ordering::Relaxed) => served.await,
        Err(_) => return tracing::debug!(peer = %connection.peer, "the connection sent no request in time"),
    };
    if let Err(error) = served {
        tracing::debug!(peer = %connection.peer, %error, "the connection ended early");
    }
}
