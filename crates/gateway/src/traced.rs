//! What a span tells of a request, by OpenTelemetry's conventions for HTTP servers.
//!
//! Source: OpenTelemetry, "Semantic conventions for HTTP spans", 1.2x: HTTP server.

use std::sync::Arc;

use access::{HEADER_BYTES_MAX, shortened};
use http::uri::Authority;
use http::{Response, Version, header};
use traces::{Active, Attribute, Ended};

use crate::arrived::{Arrived, known_method};
use crate::body::ResponseBody;
use crate::gateway::Gateway;
use crate::keep_alive::Work;
use crate::request_facts::RequestFacts;

/// Answers a request in its span, and hands over what was noted, even if its client goes away.
pub(crate) async fn answering(gateway: Arc<Gateway>, span: Arc<Active>, work: Work) -> Response<ResponseBody> {
    let finished = Finished(gateway, Arc::clone(&span));
    let response = span.answering(work).await;
    drop(finished);
    response
}

struct Finished(Arc<Gateway>, Arc<Active>);

impl Drop for Finished {
    fn drop(&mut self) {
        self.0.tracer.finish(&self.1);
    }
}

/// Notes what is known of a request once its answer is, if it is sampled.
pub(crate) fn end(gateway: &Gateway, arrived: &Arrived<'_>, facts: &RequestFacts, status: u16) {
    traces::end(|| Ended {
        name: format!("S3/{}", facts.operation),
        attributes: attributes(gateway, arrived, facts, status),
        failed: status >= 500,
    });
}

fn attributes(gateway: &Gateway, arrived: &Arrived<'_>, facts: &RequestFacts, status: u16) -> Vec<Attribute> {
    let Arrived { head, connection, client, .. } = arrived;
    let text = |name| head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let host = head.uri.authority().cloned().or_else(|| text(header::HOST)?.parse::<Authority>().ok());
    let mut attributes: Vec<Attribute> = vec![
        // Each invented method would be a value of its own.
        ("http.request.method", known_method(&head.method).unwrap_or("_OTHER").into()),
        ("url.scheme", if connection.tls.is_some() { "https" } else { "http" }.into()),
        ("http.response.status_code", status.into()),
        ("network.protocol.version", if head.version == Version::HTTP_2 { "2" } else { "1.1" }.into()),
        ("client.address", client.to_string().into()),
        ("aws.request_id", facts.request_id.as_str().into()),
    ];
    attributes.extend(host.as_ref().map(|host| ("server.address", shortened(host.host(), 256).into_owned().into())));
    attributes.extend(host.and_then(|host| Some(("server.port", host.port_u16()?.into()))));
    let agent = text(header::USER_AGENT).map(|agent| shortened(&agent, HEADER_BYTES_MAX).into_owned());
    attributes.extend(agent.map(|agent| ("user_agent.original", agent.into())));
    attributes.extend(facts.bucket.as_ref().map(|bucket| ("aws.s3.bucket", bucket.as_str().into())));
    if let Some(error) = &facts.error {
        attributes.push(("error.type", error.code.as_str().into()));
    }
    if gateway.tracer.with_paths() {
        // Without the query string, which may hold a signature.
        attributes.push(("url.path", shortened(head.uri.path(), 4096).into_owned().into()));
    }
    attributes
}
