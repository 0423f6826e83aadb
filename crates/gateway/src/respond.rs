//! The last door: answers and errors become HTTP, and every request leaves one audit line.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use access::Refusal;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use ids::BucketName;
use policy::Decision;
use s3::{Routing, S3Error};

use crate::body::ResponseBody;
use crate::fence::REVISION;
use crate::gateway::Gateway;
use crate::op::{self, Answer, Denied};
use crate::unauthenticated::{SignatureLimit, Unauthenticated};

/// What became known of a request on its way.
pub(crate) struct Trail {
    pub(crate) request_id: String,
    /// The operation's name; `Unknown` until it was parsed.
    pub(crate) operation: &'static str,
    /// The bucket that the request addresses, whose CORS rules the answer follows.
    pub(crate) bucket: Option<BucketName>,
    /// The caller's ARN; empty for anonymous callers.
    pub(crate) principal: Arc<str>,
    pub(crate) decision: Option<Decision>,
    pub(crate) refused: Option<(String, String)>,
    /// The signature is not one that is good here.
    pub(crate) unauthenticated: Option<Unauthenticated>,
}

/// A random id of a request: 16 upper-case hexadecimal digits, as AWS has them.
pub(crate) fn request_id() -> String {
    format!("{:016X}", rand::random::<u64>())
}

impl Trail {
    pub(crate) fn new(request_id: String) -> Self {
        Self {
            request_id,
            operation: "Unknown",
            bucket: None,
            principal: Arc::default(),
            decision: None,
            refused: None,
            unauthenticated: None,
        }
    }

    /// Notes what the request is for.
    pub(crate) fn routed(&mut self, routing: &Routing) {
        (self.operation, self.bucket) = match routing {
            Routing::S3(operation) => (operation.name(), operation.bucket().cloned()),
            Routing::Preflight(preflight) => ("CorsPreflight", preflight.bucket.clone()),
            Routing::Query(_) => ("Query", None),
        };
    }

    /// Notes why there is no permit, and gives the error of the answer.
    pub(crate) fn denied(&mut self, denied: &Denied) -> S3Error {
        if let Denied::Refused(refusal) = denied {
            self.refuse(refusal);
        }
        denied.to_error(&self.request_id)
    }

    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        self.decision = Some(refusal.decision);
        self.refused = Some((refusal.action.clone(), refusal.resource.clone()));
    }

    /// Notes that a signature is refused, and whose it says it is.
    pub(crate) fn unauthenticated(&mut self, key: String, error: S3Error) -> S3Error {
        self.unauthenticated = Some(Unauthenticated::new(key, &error));
        error
    }

    /// A line for a signature that is refused, unless there are too many.
    pub(crate) fn audit_signature(&self, limit: &SignatureLimit, client: IpAddr) {
        let Some(Unauthenticated { key, code, reason }) = &self.unauthenticated else { return };
        if limit.admits(client) {
            tracing::info!(
                target: "audit", request = %self.request_id, operation = self.operation, %client, %key, code, %reason,
                "refused a signature"
            );
        }
    }

    /// One line for each request: refusals at level info, the rest at debug.
    pub(crate) fn audit(&self, head: &Parts, status: StatusCode, took: Duration) {
        let path = head.uri.path();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match &self.refused {
            Some((action, resource)) => tracing::info!(
                target: "audit", request = %self.request_id, operation = self.operation, principal = %self.principal,
                %action, %resource, decision = ?self.decision, status = status.as_u16(), micros, "refused"
            ),
            None => tracing::debug!(
                target: "audit", request = %self.request_id, operation = self.operation, principal = %self.principal,
                method = %head.method, path, decision = ?self.decision, status = status.as_u16(), micros, "answered"
            ),
        }
    }
}

/// Makes the HTTP answer.
pub(crate) fn respond(gateway: &Gateway, head: &Parts, answer: Answer, trail: &Trail) -> Response<ResponseBody> {
    let mut response = answer.unwrap_or_else(|error| error_response(head, &error, &trail.request_id));
    let headers = response.headers_mut();
    op::answer::set(headers, HeaderName::from_static("x-amz-request-id"), &trail.request_id);
    headers.insert(header::SERVER, HeaderValue::from_static("Kelpgate"));
    if !trail.principal.is_empty() {
        op::answer::set(headers, HeaderName::from_static(REVISION), &gateway.fence.revision());
    }
    op::cors::add_headers(gateway, head, trail.bucket.as_ref(), headers);
    response
}

fn error_response(head: &Parts, error: &S3Error, request_id: &str) -> Response<ResponseBody> {
    let status = error.status();
    let bodiless = head.method == Method::HEAD || status == StatusCode::NOT_MODIFIED;
    let mut response = if bodiless {
        Response::new(ResponseBody::Empty)
    } else {
        let error = match &error.resource {
            Some(_) => error.clone(),
            None => error.clone().about(head.uri.path()),
        };
        let mut response = Response::new(ResponseBody::full(error.to_xml(request_id, "kelpgate")));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response
    };
    *response.status_mut() = status;
    for (name, value) in &error.headers {
        op::answer::set(response.headers_mut(), HeaderName::from_static(name), value);
    }
    response
}

/// An error found before the IAM or STS call was known, in the shape that the called API's clients parse.
pub(crate) fn query_error(
    gateway: &Gateway,
    head: &Parts,
    error: &S3Error,
    request_id: &str,
) -> Response<ResponseBody> {
    let service = crate::query::claimed_service(head);
    let (code, status) = crate::query::query_code(error);
    let body = gateway.query_api.refuse(&service, code, status, error.message(), request_id);
    let mut response = Response::new(ResponseBody::Full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    op::answer::set(response.headers_mut(), HeaderName::from_static("x-amzn-requestid"), request_id);
    response
}
