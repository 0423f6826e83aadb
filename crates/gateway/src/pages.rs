//! The pages of an operator, on the S3 port: `/status`, `/healthz`, `/readyz`, `/metrics`. They need no signature; a signed
//! request for such a path is an S3 request for a bucket of that name, except that administrators get `/status` with addresses.

use std::sync::Arc;

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::accept::{Answer, Connection};
use crate::body::ResponseBody;
use crate::gateway::Gateway;

/// The pages, which are no bucket names therefore.
pub(crate) const NAMES: [&str; 4] = ["status", "healthz", "readyz", "metrics"];

/// The page that is asked for, if one is.
pub(crate) fn page(gateway: &Gateway, head: &Parts) -> Option<Response<ResponseBody>> {
    if !reads(head) || head.headers.contains_key(header::AUTHORIZATION) {
        return None;
    }
    match head.uri.path() {
        "/status" => Some(status(gateway, false)),
        "/healthz" => Some(text(StatusCode::OK, "text/plain", "ok\n".to_owned())),
        "/readyz" if gateway.status.is_ready() => Some(text(StatusCode::OK, "text/plain", "ready\n".to_owned())),
        "/readyz" => {
            let reason = "not ready: the access rules have not been loaded yet\n".to_owned();
            Some(text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", reason))
        }
        "/metrics" if !gateway.settings.metrics_apart => Some(metrics(gateway)),
        _ => None,
    }
}

/// A signed request for `/status`: whose it is decides what it gets.
pub(crate) fn is_signed_status(head: &Parts) -> bool {
    reads(head) && head.headers.contains_key(header::AUTHORIZATION) && head.uri.path() == "/status"
}

/// The state of this gateway. Addresses inside of the cluster are for administrators.
pub(crate) fn status(gateway: &Gateway, addresses: bool) -> Response<ResponseBody> {
    text(StatusCode::OK, "application/json", gateway.status.status(addresses))
}

fn reads(head: &Parts) -> bool {
    matches!(head.method, Method::GET | Method::HEAD) && head.uri.query().is_none()
}

/// Answers the pages alone, for a listener of their own.
pub struct MetricsListener(pub Arc<Gateway>);

impl Answer for MetricsListener {
    async fn answer(&self, _connection: Connection, request: Request<Incoming>) -> Response<ResponseBody> {
        let (head, _) = request.into_parts();
        let found = match head.uri.path() {
            "/metrics" if reads(&head) => Some(metrics(&self.0)),
            _ => page(&self.0, &head),
        };
        found.unwrap_or_else(|| text(StatusCode::NOT_FOUND, "text/plain", "see /metrics\n".to_owned()))
    }
}

/// What Prometheus reads.
fn metrics(gateway: &Gateway) -> Response<ResponseBody> {
    text(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", gateway.metrics.text())
}

fn text(status: StatusCode, content_type: &'static str, text: String) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
