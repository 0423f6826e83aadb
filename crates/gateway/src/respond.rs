//! The last step: turns answers and errors into HTTP.

use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Version};
use s3::{S3Error, S3ErrorCode};
use sigv4::{AuthForm, SigError};

use crate::body::ResponseBody;
use crate::fence::REVISION;
use crate::gateway::Gateway;
use crate::op::{self, Answer};
use crate::query::QueryService;
use crate::request_facts::RequestFacts;

/// Makes the HTTP answer.
pub(crate) fn respond(gateway: &Gateway, head: &Parts, answer: Answer, facts: &RequestFacts) -> Response<ResponseBody> {
    let tells_region = facts.bucket.is_some() && tells_region(head, &answer);
    let mut response = answer.unwrap_or_else(|error| error_response(head, &error, &facts.request_id));
    let headers = response.headers_mut();
    if tells_region {
        op::answer::set(headers, HeaderName::from_static("x-amz-bucket-region"), gateway.settings.region_name());
    }
    op::answer::set(headers, HeaderName::from_static("x-amz-request-id"), &facts.request_id);
    headers.insert(header::SERVER, HeaderValue::from_static("Kelpgate"));
    if !facts.caller.arn.is_empty() {
        op::answer::set(headers, HeaderName::from_static(REVISION), &gateway.fence.revision());
    }
    op::cors::add_headers(gateway, head, facts, headers);
    response
}

/// The headers of an answer that begins before it is known. A client that was not told to send its body, because it was
/// not needed, has to open another connection.
pub(crate) fn early_headers(gateway: &Gateway, head: &Parts, facts: &RequestFacts) -> HeaderMap {
    let mut headers = respond(gateway, head, op::answer::document(String::new()), facts).headers().clone();
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
    form: &Result<AuthForm, SigError>,
    error: &S3Error,
    request_id: &str,
) -> Response<ResponseBody> {
    let (code, status) = crate::query::query_code(error);
    let body = gateway.query_api.refuse(QueryService::claimed(form), code, status, error.message(), request_id);
    let mut response = Response::new(ResponseBody::Full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    op::answer::set(response.headers_mut(), HeaderName::from_static("x-amzn-requestid"), request_id);
    response
}
