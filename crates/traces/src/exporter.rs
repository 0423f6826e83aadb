//! Sends spans to a collector: OTLP over HTTP, in JSON.
//!
//! Source: OpenTelemetry Protocol 1.x, "OTLP/HTTP", and the JSON mapping of its messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

use crate::settings::{TraceMetrics, TraceSettings};
use crate::span::attribute;

/// How long the collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many spans are sent at once.
const BATCH: usize = 1024;

/// Takes the spans that wait, and sends them.
pub struct Exporter {
    endpoint: Uri,
    token_file: Option<String>,
    resource: Value,
    scope: Value,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    waiting: Mutex<mpsc::Receiver<Value>>,
    fails: AtomicBool,
    metrics: TraceMetrics,
}

impl Exporter {
    pub(crate) fn new(
        settings: &TraceSettings,
        version: &str,
        waiting: mpsc::Receiver<Value>,
        metrics: TraceMetrics,
    ) -> Result<Self, String> {
        let endpoint: Uri = settings.endpoint.parse().map_err(|_| format!("`{}` is not a URL", settings.endpoint))?;
        // A file that cannot be used is a mistake in the settings, which the operator learns at once.
        settings.token_file.as_deref().map(bearer).transpose()?;
        let attributes = [("service.name", settings.service_name.as_str()), ("service.version", version)];
        let attributes = attributes.map(|(key, value)| attribute(key, &value.into()));
        Ok(Self {
            client: client(endpoint.scheme_str() == Some("https"))?,
            endpoint,
            token_file: settings.token_file.clone(),
            resource: json!({ "attributes": attributes }),
            scope: json!({"name": "kelpgate", "version": version}),
            waiting: Mutex::new(waiting),
            fails: AtomicBool::new(false),
            metrics,
        })
    }

    /// Sends what waits. Spans that the collector does not take are lost and counted: they are about the past, and more are to come.
    pub async fn send_waiting(&self) {
        let mut waiting = self.waiting.lock().await;
        while !waiting.is_empty() {
            let mut spans = Vec::new();
            waiting.recv_many(&mut spans, BATCH).await;
            self.send(spans).await;
        }
    }

    async fn send(&self, spans: Vec<Value>) {
        let count = spans.len() as u64;
        if count == 0 {
            return;
        }
        let sent = self.post(spans).await;
        if sent.is_ok() {
            self.metrics.exported.inc_by(count)
        } else {
            self.metrics.dropped.inc_by(count)
        };
        if self.fails.swap(sent.is_err(), Ordering::Relaxed) != sent.is_err() {
            match sent {
                Ok(()) => tracing::info!("the collector accepts traces again"),
                Err(why) => tracing::warn!("the collector does not accept traces: {why}; spans are lost until it does"),
            }
        }
    }

    async fn post(&self, spans: Vec<Value>) -> Result<(), String> {
        let message = json!({
            "resourceSpans": [{"resource": self.resource, "scopeSpans": [{"scope": self.scope, "spans": spans}]}],
        });
        let request = Request::post(&self.endpoint).header(header::CONTENT_TYPE, "application/json");
        let request = match &self.token_file {
            Some(file) => request.header(header::AUTHORIZATION, bearer(file)?),
            None => request,
        };
        let request = request.body(Full::new(Bytes::from(message.to_string()))).map_err(|error| error.to_string())?;
        match tokio::time::timeout(PATIENCE, self.client.request(request)).await {
            Err(_) => Err("no answer in time".to_owned()),
            Ok(Err(error)) => Err(format!("it cannot be reached: {error}")),
            // The answer's body is never read: it may only say that some spans were not wanted.
            Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
            Ok(Ok(answer)) => Err(format!("it answered {}", answer.status())),
        }
    }
}

/// `Authorization: Bearer`, with what the file holds now: another program may renew the token.
fn bearer(path: &str) -> Result<HeaderValue, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("`{path}` cannot be read: {error}"))?;
    let value = HeaderValue::try_from(format!("Bearer {}", text.trim()));
    let mut value = value.map_err(|_| format!("`{path}` contains characters that a header cannot have"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A client that trusts the authorities of this machine.
fn client(is_https: bool) -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = HttpsConnectorBuilder::new();
    let https = if is_https {
        builder.with_provider_and_native_roots(provider).map_err(|error| error.to_string())?
    } else {
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| error.to_string())?.with_root_certificates(rustls::RootCertStore::empty());
        builder.with_tls_config(config.with_no_client_auth())
    };
    Ok(Client::builder(TokioExecutor::new())
        .pool_idle_timeout(PATIENCE)
        .build(https.https_or_http().enable_http1().build()))
}
