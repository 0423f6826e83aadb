//! HTTP: each batch is one POST, a JSON event per line.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use iam_formats::WebhookSettings;
use tokio::runtime::Runtime;

use crate::connection;
use crate::deliver::{Deliver, Undelivered};

/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Webhook {
    settings: WebhookSettings,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Made by the thread that uses and drops it: a runtime must not be dropped within another.
    runtime: Option<Runtime>,
}

impl Webhook {
    pub(crate) fn new(settings: &WebhookSettings) -> Result<Self, String> {
        let tls = connection::client_config(&settings.tls)?;
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(PATIENCE).build(https);
        // A file that cannot be used is a mistake in the settings, which the operator learns at once.
        token(settings)?;
        Ok(Self { settings: settings.clone(), client, runtime: None })
    }
}

/// `Authorization: Bearer`, with what the file holds now: another program may renew the token.
fn token(settings: &WebhookSettings) -> Result<Option<header::HeaderValue>, String> {
    let Some(path) = &settings.token_file else { return Ok(None) };
    let text = std::fs::read_to_string(path).map_err(|error| format!("`{path}` cannot be read: {error}"))?;
    let mut value: header::HeaderValue = format!("Bearer {}", text.trim())
        .parse()
        .map_err(|_| format!("`{path}` contains characters that a header cannot have"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

impl Deliver for Webhook {
    fn send(&mut self, lines: &[u8]) -> Result<(), Undelivered> {
        let request = Request::post(&self.settings.endpoint).header(header::CONTENT_TYPE, "application/x-ndjson");
        let request = match token(&self.settings).map_err(io::Error::other)? {
            Some(token) => request.header(header::AUTHORIZATION, token),
            None => request,
        };
        let request = request.body(Full::new(Bytes::copy_from_slice(lines))).map_err(io::Error::other)?;
        let answer = self.client.request(request);
        // The answer's body is never read: a receiver cannot make the gateway keep it.
        let runtime = match &mut self.runtime {
            Some(runtime) => runtime,
            empty => empty.insert(tokio::runtime::Builder::new_current_thread().enable_all().build()?),
        };
        let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await });
        match answer {
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time").into()),
            Ok(Err(error)) => Err(io::Error::other(format!("it cannot be reached: {error}")).into()),
            Ok(Ok(answer)) => taken(answer.status()),
        }
    }
}

/// What an answer says about the events. Those that it refuses by name are refused the next time too; all else may pass.
fn taken(status: StatusCode) -> Result<(), Undelivered> {
    let passes = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    match status {
        _ if status.is_success() => Ok(()),
        _ if status.is_client_error() && !passes => Err(Undelivered::Refused(status.to_string())),
        _ => Err(io::Error::other(format!("it answered {status}")).into()),
    }
}
