//! The first door: connections, TLS, limits on time. A request leaves it as a head and a body that is not read yet.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use iam::TlsVersion;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::body::ResponseBody;

/// The connection that a request came over.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// The other end of the TCP connection, which may be a proxy.
    pub peer: SocketAddr,
    /// The version of TLS that the connection is in; `None` for plain text.
    pub tls: Option<TlsVersion>,
}

/// Whoever answers requests.
pub trait Answer: Send + Sync + 'static {
    /// Answers one request; there is always an answer.
    fn answer(
        &self,
        connection: Connection,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<ResponseBody>> + Send;
}

/// Limits of connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A connection that sends no request head for so long is closed.
    pub idle: Duration,
    /// How many may be open on one listener; others wait to be accepted.
    pub connections: usize,
    /// How long requests in flight may take after a shutdown began.
    pub drain: Duration,
}

/// What [`Limits::connections`] is, unless a test wants less.
pub const CONNECTIONS_MAX: usize = 16_384;
/// The most bytes of a head, on HTTP/1 and HTTP/2: the target of the request, and names and values of its headers.
pub(crate) const HEAD_BYTES_MAX: u32 = 64 << 10;
/// Requests at a time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 128;
/// What a connection of HTTP/2 keeps of each answer that its client does not take.
const UNSENT_BYTES_MAX: usize = 128 << 10;

/// Serves connections until `shutdown` resolves, then lets the requests in flight finish.
pub async fn serve<A: Answer>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    answerer: Arc<A>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = &mut shutdown => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: wait for connections to close instead of spinning.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let _ = stream.set_nodelay(true);
        let (answerer, watcher, tls) = (Arc::clone(&answerer), graceful.watcher(), tls.clone());
        tokio::spawn(async move {
            let _place = place;
            match tls {
                None => talk(stream, Connection { peer, tls: None }, answerer, limits, watcher).await,
                Some(acceptor) => {
                    if let Some(stream) = handshake(acceptor, stream, limits.idle).await {
                        let tls = Some(tls_version(&stream));
                        talk(stream, Connection { peer, tls }, answerer, limits, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests still in flight after {} s were cut off", limits.drain.as_secs());
    }
}

/// Of a finished handshake: rustls speaks these two.
fn tls_version(stream: &tokio_rustls::server::TlsStream<TcpStream>) -> TlsVersion {
    match stream.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => TlsVersion::V1_3,
        _ => TlsVersion::V1_2,
    }
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    limit: Duration,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    tokio::time::timeout(limit, acceptor.accept(stream)).await.ok()?.ok()
}

async fn talk<A: Answer, S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    connection: Connection,
    answerer: Arc<A>,
    limits: Limits,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let heard = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&heard);
    let service = service_fn(move |request| {
        hears.store(true, Ordering::Relaxed);
        let answerer = Arc::clone(&answerer);
        async move { Ok::<_, Infallible>(answerer.answer(connection, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle).keep_alive(true);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(limits.idle).max_concurrent_streams(STREAMS_MAX);
    builder.http2().max_header_list_size(HEAD_BYTES_MAX).max_send_buf_size(UNSENT_BYTES_MAX);
    let mut served = pin!(watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned()));
    // Before the first bytes say which version of HTTP they are of, hyper waits without end; on HTTP/2 it waits for heads so.
    let served = match tokio::time::timeout(limits.idle, &mut served).await {
        Ok(served) => served,
        Err(_) if heard.load(Ordering::Relaxed) => served.await,
        Err(_) => return tracing::debug!(peer = %connection.peer, "the connection sent no request in time"),
    };
    if let Err(error) = served {
        tracing::debug!(peer = %connection.peer, %error, "the connection ended early");
    }
}
