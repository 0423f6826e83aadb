//! HTTP to volume servers: pooled keep-alive connections, tokens, bodies without copies.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, RANGE};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::metrics::{Call, FilerMetrics};
use super::security::{Security, SigningKey};

/// How long idle connections are kept: less than the 30 s after which a volume server closes them.
const IDLE: Duration = Duration::from_secs(20);
/// How many times the usual limit the server has for its answer once it has the whole upload: it may have taken it from
/// the network only, and be behind with its disk.
const STORED_WITHIN: u32 = 2;
/// The most bytes read of answers that are not data (JSON, error texts).
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Why a request to a volume server failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum VolumeError {
    /// The needle does not exist.
    #[error("{0}: not found")]
    NotFound(String),
    /// An error status.
    #[error("{0}: {1} {2}")]
    Status(String, StatusCode, String),
    /// No answer.
    #[error("{0}: {1}")]
    Transport(String, String),
}

impl VolumeError {
    pub(super) fn is_unauthorized(&self) -> bool {
        matches!(self, VolumeError::Status(_, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _))
    }
}

/// The client. Clones share the connection pool.
pub(super) struct VolumeClient {
    client: RwLock<HttpClient>,
    scheme: &'static str,
    read_key: Option<SigningKey>,
    write_key: Option<SigningKey>,
    connect: Duration,
    timeout: Duration,
    metrics: Arc<FilerMetrics>,
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Segments>;

/// A client with connections of its own.
fn http_client(security: &Security, connect: Duration) -> HttpClient {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.set_connect_timeout(Some(connect));
    http.enforce_http(false);
    let config = security.https().map_or_else(plain_only, |config| config.as_ref().clone());
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().wrap_connector(http);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(256)
        .build(connector)
}

impl VolumeClient {
    pub(super) fn new(security: &Security, connect: Duration, timeout: Duration, metrics: Arc<FilerMetrics>) -> Self {
        VolumeClient {
            client: RwLock::new(http_client(security, connect)),
            scheme: if security.https().is_some() { "https" } else { "http" },
            read_key: security.volume_read.clone(),
            write_key: security.volume_write.clone(),
            connect,
            timeout,
            metrics,
        }
    }

    /// Later requests use these certificates.
    pub(super) fn renew(&self, security: &Security) {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = http_client(security, self.connect);
    }

    fn client(&self) -> HttpClient {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long a stream may be silent.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Requests a needle, or `range` of it (first and last byte). The head of the answer is 200 or 206, and arrives
    /// within `bound`.
    pub(super) async fn get(
        &self,
        server: &str,
        file_id: &str,
        range: Option<(u64, u64)>,
        bound: Duration,
    ) -> Result<Response<Incoming>, VolumeError> {
        let mut uri = self.uri(server, file_id);
        for _ in 0..2 {
            let mut request = self.request(Method::GET, &uri, Segments::default(), self.read_key.as_ref(), file_id)?;
            if let Some((first, last)) = range {
                request.headers_mut().insert(RANGE, header(&format!("bytes={first}-{last}"))?);
            }
            let response = self.send(Call::VolumeGet, request, bound).await?;
            match response.status() {
                StatusCode::OK | StatusCode::PARTIAL_CONTENT => return Ok(response),
                status if status.is_redirection() => {
                    let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                    let Some(target) = target.filter(|target| target.contains("://")) else {
                        return Err(VolumeError::Status(uri, status, "without a usable Location".to_owned()));
                    };
                    uri = target.to_owned();
                }
                _ => return Err(refusal(uri, response).await),
            }
        }
        Err(VolumeError::Status(uri, StatusCode::LOOP_DETECTED, "more than one redirect".to_owned()))
    }

    /// Stores a needle. The server checks `content_md5`; `token` comes with the assignment.
    pub(super) async fn put(
        &self,
        server: &str,
        file_id: &str,
        body: Segments,
        content_md5: Option<&str>,
        token: &str,
    ) -> Result<(), VolumeError> {
        let uri = self.uri(server, file_id);
        let bytes = body.remaining;
        let taken = Arc::new(AtomicU64::new(0));
        let body = body.counted_by(&taken);
        let mut request = self.request(Method::PUT, &uri, body, None, file_id)?;
        let headers = request.headers_mut();
        // The server neither compresses nor stores this type.
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
        if let Some(md5) = content_md5 {
            headers.insert("content-md5", header(md5)?);
        }
        if !token.is_empty() {
            headers.insert(AUTHORIZATION, bearer(token)?);
        }
        let response = self.send_all(request, &taken).await?;
        match response.status() {
            StatusCode::CREATED => stored(uri, response, bytes, self.timeout).await,
            StatusCode::NO_CONTENT => Ok(()),
            _ => Err(refusal(uri, response).await),
        }
    }

    /// Removes a needle and its replicas. `token` is used if the gateway has no write key of its own.
    pub(super) async fn delete(&self, server: &str, file_id: &str, token: &str) -> Result<(), VolumeError> {
        let uri = self.uri(server, file_id);
        let mut request = self.request(Method::DELETE, &uri, Segments::default(), self.write_key.as_ref(), file_id)?;
        if self.write_key.is_none() && !token.is_empty() {
            request.headers_mut().insert(AUTHORIZATION, bearer(token)?);
        }
        let response = self.send(Call::VolumeDelete, request, self.timeout).await?;
        match response.status() {
            status if status.is_success() || status == StatusCode::NOT_FOUND => {
                // Read to the end so that the connection can be reused.
                let _ = tokio::time::timeout(self.timeout, response.into_body().collect()).await;
                Ok(())
            }
            _ => Err(refusal(uri, response).await),
        }
    }

    fn uri(&self, server: &str, file_id: &str) -> String {
        format!("{}://{server}/{file_id}", self.scheme)
    }

    fn request(
        &self,
        method: Method,
        uri: &str,
        body: Segments,
        key: Option<&SigningKey>,
        file_id: &str,
    ) -> Result<Request<Segments>, VolumeError> {
        let failed = |what: String| VolumeError::Transport(uri.to_owned(), what);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri.parse::<Uri>().map_err(|error| failed(error.to_string()))?;
        if let Some(key) = key {
            request.headers_mut().insert(AUTHORIZATION, bearer(&token(key, file_id).map_err(failed)?)?);
        }
        if let Some(context) = traces::current() {
            request.headers_mut().insert(traces::TRACEPARENT, header(&context.header())?);
        }
        Ok(request)
    }

    /// Sends an upload. It may take as long as the server goes on taking bytes, and then the time of
    /// [`STORED_WITHIN`].
    async fn send_all(&self, request: Request<Segments>, taken: &AtomicU64) -> Result<Response<Incoming>, VolumeError> {
        let (uri, bytes) = (request.uri().to_string(), request.body().remaining);
        let begun = Instant::now();
        let mut asked = std::pin::pin!(self.client().request(request));
        let mut before = 0;
        let answer = loop {
            let bound = if before < bytes { self.timeout } else { self.timeout * STORED_WITHIN };
            match tokio::time::timeout(bound, &mut asked).await {
                Ok(answer) => break answer.map_err(|error| VolumeError::Transport(uri, innermost(&error))),
                Err(_) if taken.load(Ordering::Relaxed) > before => before = taken.load(Ordering::Relaxed),
                Err(_) => {
                    break Err(VolumeError::Transport(uri, format!("no progress after {before} of {bytes} bytes")));
                }
            }
        };
        let failed = answer.as_ref().map_or(true, |response| response.status().is_server_error());
        self.metrics.count(Call::VolumePut, begun.elapsed(), failed);
        answer
    }

    async fn send(
        &self,
        call: Call,
        request: Request<Segments>,
        bound: Duration,
    ) -> Result<Response<Incoming>, VolumeError> {
        let uri = request.uri().to_string();
        let begun = Instant::now();
        let answer = match tokio::time::timeout(bound, self.client().request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(VolumeError::Transport(uri, innermost(&error))),
            Err(_) => {
                let seconds = bound.as_secs_f32();
                Err(VolumeError::Transport(uri, format!("no answer within {seconds:.1} s")))
            }
        };
        let failed = answer.as_ref().map_or(true, |response| response.status().is_server_error());
        self.metrics.count(call, begun.elapsed(), failed);
        answer
    }
}

/// A connector needs a TLS configuration even if only `http` is used. This one trusts no one.
pub(super) fn plain_only() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.2 and 1.3")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

#[derive(serde::Serialize)]
struct Claims<'a> {
    fid: &'a str,
    exp: u64,
}

fn token(key: &SigningKey, file_id: &str) -> Result<String, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = Claims { fid: file_id, exp: now + key.expires_after_seconds };
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    let secret = jsonwebtoken::EncodingKey::from_secret(key.expose_bytes());
    jsonwebtoken::encode(&header, &claims, &secret).map_err(|error| format!("cannot sign a token: {error}"))
}

fn bearer(token: &str) -> Result<HeaderValue, VolumeError> {
    let mut value = header(&format!("Bearer {token}"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn header(text: &str) -> Result<HeaderValue, VolumeError> {
    HeaderValue::from_str(text)
        .map_err(|_| VolumeError::Transport(String::new(), "a header value contains control characters".to_owned()))
}

/// The JSON of an upload: `{"name","size","error","eTag",..}`. Status 201 may still carry an error.
#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Uploaded {
    size: Option<u64>,
    error: String,
}

async fn stored(uri: String, response: Response<Incoming>, bytes: u64, bound: Duration) -> Result<(), VolumeError> {
    let body = tokio::time::timeout(bound, Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect()).await;
    let Ok(Ok(body)) = body else {
        return Err(VolumeError::Transport(uri, "the answer to an upload was interrupted".to_owned()));
    };
    let answer: Uploaded = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    if !answer.error.is_empty() {
        return Err(VolumeError::Status(uri, StatusCode::CREATED, answer.error));
    }
    match answer.size {
        Some(size) if size != bytes => {
            let text = format!("{size} of {bytes} bytes were stored");
            Err(VolumeError::Status(uri, StatusCode::CREATED, text))
        }
        _ => Ok(()),
    }
}

async fn refusal(uri: String, response: Response<Incoming>) -> VolumeError {
    let status = response.status();
    if status == StatusCode::NOT_FOUND {
        return VolumeError::NotFound(uri);
    }
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
    let text = match tokio::time::timeout(Duration::from_secs(1), body).await {
        Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).chars().take(300).collect(),
        _ => String::new(),
    };
    VolumeError::Status(uri, status, text)
}

/// The innermost cause of an error, which says most.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// A body made of pieces that are already in memory. Cloning copies no data, so an upload can be repeated.
#[derive(Clone, Default)]
pub(super) struct Segments {
    pieces: VecDeque<Bytes>,
    remaining: u64,
    /// Counts the bytes that the connection has taken.
    taken: Option<Arc<AtomicU64>>,
}

impl Segments {
    fn counted_by(self, taken: &Arc<AtomicU64>) -> Segments {
        Segments { taken: Some(Arc::clone(taken)), ..self }
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        self.remaining += piece.len() as u64;
        self.pieces.push_back(piece);
    }

    /// The total number of bytes.
    pub(super) fn len(&self) -> u64 {
        self.remaining
    }

    /// The pieces in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter()
    }
}

impl Body for Segments {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        let bytes = piece.as_ref().map_or(0, |piece| piece.len() as u64);
        self.remaining -= bytes;
        if let Some(taken) = &self.taken {
            taken.fetch_add(bytes, Ordering::Relaxed);
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that gives one canned answer per connection, then closes it. `heads` are the requests that it received.
    pub(in super::super) async fn canned(answers: Vec<Vec<u8>>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = tokio::spawn(async move {
            let mut heads = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).await.unwrap();
                heads.push(String::from_utf8_lossy(&head[..length]).into_owned());
                stream.write_all(&answer).await.unwrap();
            }
            heads
        });
        (address, served)
    }

    fn client(security: &Security) -> VolumeClient {
        let seconds = Duration::from_secs(5);
        VolumeClient::new(security, seconds, seconds, Arc::default())
    }

    fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
            .into()
    }

    /// The span of a request that is traced.
    pub(in super::super) fn span() -> Arc<traces::Active> {
        let settings = traces::TraceSettings {
            endpoint: "http://127.0.0.1:1/".into(),
            sampled_per_million: 1_000_000,
            per_second_max: 1,
            service_name: String::new(),
            token_file: None,
            with_paths: false,
        };
        let (tracer, _exporter) = traces::Tracer::new(&settings, "", &traces::TraceMetrics::default()).unwrap();
        tracer.begin(&http::HeaderMap::new()).unwrap()
    }

    /// The header goes to every server that is asked, and only for requests that are traced.
    #[tokio::test]
    async fn a_traced_request_says_to_which_trace_it_belongs() {
        let (server, served) = canned(vec![answer("200 OK", "", "data"), answer("200 OK", "", "data")]).await;
        let client = client(&Security::default());
        let ask = || client.get(&server, "3,01637037d6", None, Duration::from_secs(5));
        let context = span().answering(async { ask().await.map(|_| traces::current().unwrap()) }).await.unwrap();
        ask().await.unwrap();
        let heads = served.await.unwrap();
        assert!(heads[0].contains(&format!("traceparent: {}\r\n", context.header())), "{heads:?}");
        assert!(!heads[1].contains("traceparent"), "{heads:?}");
    }

    #[tokio::test]
    async fn one_redirect_is_followed_with_the_token() {
        let mut security = Security::default();
        security.volume_read = Some(SigningKey::new("k", 60));
        let (second, served) = canned(vec![answer("200 OK", "", "data")]).await;
        let location = format!("Location: http://{second}/3,01637037d6?proxied=true\r\n");
        let (first, _) = canned(vec![answer("302 Found", &location, "")]).await;
        let got = client(&security).get(&first, "3,01637037d6", None, Duration::from_secs(5)).await.unwrap();
        assert_eq!(got.into_body().collect().await.unwrap().to_bytes(), "data");
        let head = served.await.unwrap().concat();
        assert!(
            head.starts_with("GET /3,01637037d6?proxied=true ") && head.contains("authorization: Bearer "),
            "{head}"
        );

        let (circle, _) = canned(vec![answer("302 Found", &location, "")]).await;
        let (first, _) = canned(vec![answer("302 Found", &format!("Location: http://{circle}/x\r\n"), "")]).await;
        assert!(client(&security).get(&first, "3,01637037d6", None, Duration::from_secs(5)).await.is_err());
    }

    #[tokio::test]
    async fn an_upload_succeeds_only_if_all_of_it_was_stored() {
        for (answer, stored) in [
            (answer("201 Created", "", r#"{"size":4}"#), true),
            (answer("204 No Content", "", ""), true),
            (answer("201 Created", "", r#"{"size":3}"#), false),
            (answer("201 Created", "", r#"{"size":4,"error":"disk full"}"#), false),
            (answer("500 Internal Server Error", "", "disk full"), false),
            (answer("401 Unauthorized", "", ""), false),
            (b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{".to_vec(), false),
            (Vec::new(), false),
        ] {
            let text = String::from_utf8_lossy(&answer).into_owned();
            let (server, _) = canned(vec![answer]).await;
            let mut body = Segments::default();
            body.push(Bytes::from_static(b"da"));
            body.push(Bytes::from_static(b"ta"));
            let outcome = client(&Security::default()).put(&server, "3,01637037d6", body, None, "").await;
            assert_eq!(outcome.is_ok(), stored, "{text}: {outcome:?}");
        }
    }

    /// A server that reads an upload slowly, as much as it is told to, and then answers or not.
    async fn slow(bytes: usize, answers: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut piece, mut read) = (vec![0; 256 << 10], 0);
            while read < bytes {
                read += stream.read(&mut piece).await.unwrap();
                tokio::time::sleep(Duration::from_millis(8)).await;
            }
            if answers {
                stream.write_all(&answer("204 No Content", "", "")).await.unwrap();
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        });
        address
    }

    #[tokio::test]
    async fn an_upload_may_take_long_while_it_goes_on() {
        const BYTES: usize = 24 << 20;
        let limit = Duration::from_millis(300);
        let client = VolumeClient::new(&Security::default(), limit, limit, Arc::default());
        for (server, stored) in [
            (slow(BYTES, true).await, true),
            (slow(BYTES, false).await, false),
            (slow(BYTES / 2, false).await, false),
            (slow(0, false).await, false),
        ] {
            let mut body = Segments::default();
            (0..BYTES >> 16).for_each(|_| body.push(Bytes::from(vec![0; 1 << 16])));
            let begun = Instant::now();
            let outcome = client.put(&server, "3,01637037d6", body, None, "").await;
            assert_eq!(outcome.is_ok(), stored, "{outcome:?}");
            assert!(!stored || begun.elapsed() > limit, "the server was too fast for a result");
        }
    }

    #[tokio::test]
    async fn silence_ends_in_a_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = listener.local_addr().unwrap().to_string();
        let begun = Instant::now();
        let got = client(&Security::default()).get(&silent, "3,01637037d6", None, Duration::from_millis(50)).await;
        assert!(matches!(got, Err(VolumeError::Transport(..))) && begun.elapsed() < Duration::from_secs(2), "{got:?}");
    }
}
