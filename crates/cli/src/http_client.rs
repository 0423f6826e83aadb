//! Requests, for what only HTTP shows: the status of gateways, what a filer serves to anyone, and backups in a bucket.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for a change, which waits for other gateways.
const LONG_PATIENCE: Duration = Duration::from_secs(60);
/// The longest answer in bytes. No page that is requested here is longer: a hundred policies, each with five versions.
const LARGEST: usize = 1 << 26;

/// What a server answered.
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
    /// Its clock minus ours, in seconds; the header has whole seconds.
    pub ahead_s: Option<i64>,
}

/// Keeps connections for further requests.
pub struct HttpClient(Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>);

/// Gets a URL, `http` or `https`. The error is only the reason.
pub async fn get(url: &str) -> Result<Answer, String> {
    let request =
        Request::get(url).body(Bytes::new()).map_err(|error| format!("this URL cannot be requested: {error}"))?;
    HttpClient::new()?.ask(request, PATIENCE).await
}

/// Sends a request, `http` or `https`, and waits as long as a change may take. The error is only the reason.
pub async fn send(request: Request<Bytes>) -> Result<Answer, String> {
    HttpClient::new()?.send(request).await
}

impl HttpClient {
    /// A client with the root certificates of this machine.
    pub fn new() -> Result<HttpClient, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(|error| format!("no root certificates on this machine: {error}"))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(HttpClient(Client::builder(TokioExecutor::new()).build(https)))
    }

    /// Sends a request, `http` or `https`, and waits as long as a change may take. The error is only the reason.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Answer, String> {
        self.ask(request, LONG_PATIENCE).await
    }

    async fn ask(&self, request: Request<Bytes>, patience: Duration) -> Result<Answer, String> {
        let asked = tokio::time::timeout(patience, self.answer(request)).await;
        asked.map_err(|_| format!("no answer within {} s", patience.as_secs()))?
    }

    async fn answer(&self, request: Request<Bytes>) -> Result<Answer, String> {
        let response = self.0.request(request.map(Full::new)).await.map_err(|error| in_words(&error))?;
        let now = Timestamp::now();
        let date = response.headers().get(header::DATE).and_then(|value| value.to_str().ok());
        let theirs = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok()).map(|date| date.timestamp());
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| format!("the answer broke off: {error}"))?.to_bytes();
        Ok(Answer { status, body, ahead_s: theirs.map(|theirs| theirs.as_second() - now.as_second()) })
    }
}

/// The error and what caused it.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
