//! The last step: turns answers and errors into HTTP. And the trail: what becomes known of a request for its answer and its audit record.

use std::net::IpAddr;
use std::sync::Arc;

use access::{AuditedCaller, AuditedError, AuditedSignature, AuditedTarget, shortened};
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Version};
use ids::BucketName;
use s3::{Routing, S3Error, S3ErrorCode};

use crate::audited;
use crate::body::ResponseBody;
use crate::decisions::Decisions;
use crate::fence::REVISION;
use crate::gateway::Gateway;
use crate::keep_alive::Early;
use crate::op::{self, Answer};
use crate::rate_limits::Entered;
use crate::unauthenticated::{SignatureLimit, Unauthenticated};

/// What is known about a request so far.
pub(crate) struct Trail {
    pub(crate) request_id: String,
    /// The operation's name; `Unknown` until it is parsed.
    pub(crate) operation: &'static str,
    /// The bucket that the request addresses, whose CORS rules apply to the answer.
    pub(crate) bucket: Option<BucketName>,
    pub(crate) caller: AuditedCaller,
    /// What the request is about, for its audit record.
    pub(crate) target: AuditedTarget,
    /// The parameters of an IAM or STS call, without secrets; `None` for other requests.
    pub(crate) parameters: Option<Vec<(String, String)>>,
    /// How the request is signed; `None` until that was read.
    pub(crate) signature: Option<Option<AuditedSignature>>,
    /// The error that is answered.
    pub(crate) error: Option<AuditedError>,
    /// The decisions about what the request needs, as they are made.
    pub(crate) decisions: Arc<Decisions>,
    /// The revision of the IAM state that they are made by; 0 until it was loaded.
    pub(crate) revision: u64,
    /// Whether the signature was refused.
    pub(crate) unauthenticated: Option<Unauthenticated>,
    /// Lets the answer begin before it is known; `None` for requests that take no time.
    pub(crate) early: Option<Arc<Early>>,
    /// Who pays for its bytes.
    pub(crate) limits: Entered,
}

/// A random request id: 16 upper-case hexadecimal digits, as on AWS.
fn request_id() -> String {
    format!("{:016X}", rand::random::<u64>())
}

impl Trail {
    pub(crate) fn new(gateway: &Gateway, early: Option<Arc<Early>>) -> Self {
        let decisions = Decisions::new(Arc::clone(&gateway.metrics), gateway.auditor.takes_all());
        Self {
            request_id: request_id(),
            operation: "Unknown",
            bucket: None,
            caller: AuditedCaller::default(),
            target: AuditedTarget::default(),
            parameters: None,
            signature: None,
            error: None,
            decisions: Arc::new(decisions),
            revision: 0,
            unauthenticated: None,
            early,
            limits: Entered::new(gateway.rate_limits.load_full()),
        }
    }

    /// Records what the request is for.
    pub(crate) fn routed(&mut self, routing: &Routing) {
        (self.operation, self.bucket) = match routing {
            Routing::S3(operation) => (operation.name(), operation.bucket().cloned()),
            Routing::Preflight(preflight) => ("CorsPreflight", preflight.bucket.clone()),
            Routing::Query(_) => ("Query", None),
        };
        if self.decisions.keeps_all()
            && let Routing::S3(operation) = routing
        {
            self.target = audited::target_of(operation);
        }
    }

    /// Records the error that is answered.
    pub(crate) fn failed(&mut self, error: &S3Error) {
        let (code, message) = (error.code.as_str().to_owned(), shortened(error.message(), 512));
        self.error = Some(AuditedError { code, message });
    }

    /// Records that a signature is refused, and the key that it names.
    pub(crate) fn unauthenticated(&mut self, key: String, error: S3Error) -> S3Error {
        self.unauthenticated = Some(Unauthenticated::new(key, &error));
        error
    }

    /// Logs a refused signature, unless there are too many.
    pub(crate) fn audit_signature(&self, limit: &SignatureLimit, client: IpAddr) {
        let Some(Unauthenticated { key, code, reason }) = &self.unauthenticated else { return };
        if limit.admits(client) {
            tracing::info!(
                target: "audit", request = %self.request_id, operation = self.operation, %client, %key, code, %reason,
                "refused a signature"
            );
        }
    }
}

/// Makes the HTTP answer.
pub(crate) fn respond(gateway: &Gateway, head: &Parts, answer: Answer, trail: &Trail) -> Response<ResponseBody> {
    let tells_region = trail.bucket.is_some() && tells_region(head, &answer);
    let mut response = answer.unwrap_or_else(|error| error_response(head, &error, &trail.request_id));
    let headers = response.headers_mut();
    if tells_region {
        op::answer::set(headers, HeaderName::from_static("x-amz-bucket-region"), gateway.settings.region_name());
    }
    op::answer::set(headers, HeaderName::from_static("x-amz-request-id"), &trail.request_id);
    headers.insert(header::SERVER, HeaderValue::from_static("Kelpgate"));
    if !trail.caller.arn.is_empty() {
        op::answer::set(headers, HeaderName::from_static(REVISION), &gateway.fence.revision());
    }
    op::cors::add_headers(gateway, head, trail.bucket.as_ref(), headers);
    response
}

/// The headers of an answer that begins before it is known. A client that was not told to send its body, because it was
/// not needed, has to open another connection.
pub(crate) fn early_headers(gateway: &Gateway, head: &Parts, trail: &Trail) -> HeaderMap {
    let mut headers = respond(gateway, head, op::answer::document(String::new()), trail).headers().clone();
    if head.headers.contains_key(header::EXPECT) && head.version < Version::HTTP_2 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    headers
}

/// Whether the answer to a request for a bucket has the region, which SDKs read to try again with it. All buckets are in
/// one region, and the 403 for a bucket that does not exist has it as well, so this tells nothing about a bucket.
fn tells_region(head: &Parts, answer: &Answer) -> bool {
    match answer {
        Ok(_) => head.method == Method::HEAD,
        Err(error) => error.code != S3ErrorCode::NoSuchBucket,
    }
}

/// The answer of an error.
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
        let text = match s3::is_control(head, None) {
            true => error.to_control_xml(request_id),
            false => error.to_xml(request_id, "kelpgate"),
        };
        let mut response = Response::new(ResponseBody::full(text));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response
    };
    *response.status_mut() = status;
    for (name, value) in &error.headers {
        op::answer::set(response.headers_mut(), HeaderName::from_static(name), value);
    }
    response
}

/// An error that occurs before the IAM or STS call is known, in the form that clients of the API parse.
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
