//! A GET, for what only HTTP tells: the status of gateways, and what a filer gives to whoever asks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A longer answer is none that is asked for here.
const LARGEST: usize = 1 << 20;

/// What a server answered.
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
    /// Its clock less ours, in seconds; the header tells whole seconds.
    pub ahead_s: Option<i64>,
}

/// Gets a URL, `http` or `https`. The error is the reason alone.
pub async fn get(url: &str) -> Result<Answer, String> {
    let request = Request::get(url)
        .body(Empty::<Bytes>::new())
        .map_err(|error| format!("this is no URL that can be asked: {error}"))?;
    let asked = tokio::time::timeout(PATIENCE, ask(request)).await;
    asked.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?
}

async fn ask(request: Request<Empty<Bytes>>) -> Result<Answer, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let https = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)
        .map_err(|error| format!("no root certificates on this machine: {error}"))?
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<hyper_rustls::HttpsConnector<HttpConnector>, _> =
        Client::builder(TokioExecutor::new()).build(https);
    let response = client.request(request).await.map_err(|error| in_words(&error))?;
    let now = Timestamp::now();
    let date = response.headers().get(header::DATE).and_then(|value| value.to_str().ok());
    let theirs = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok()).map(|date| date.timestamp());
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let body = body.map_err(|error| format!("the answer broke off: {error}"))?.to_bytes();
    Ok(Answer { status, body, ahead_s: theirs.map(|theirs| theirs.as_second() - now.as_second()) })
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
