//! What the data plane needs of the control plane, seen from the data plane: it hands over and sends back.

use std::sync::Arc;

use access::Witness;
use async_trait::async_trait;
use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use iam::Caller;
use jiff::Timestamp;
use s3::{QueryString, S3Error, S3ErrorCode};

use crate::body::ResponseBody;

/// A call of the IAM or STS query API, authenticated.
pub struct QueryCall {
    /// Who asks.
    pub caller: Caller,
    /// Parameters of the query string and of the form, decoded, in order.
    pub parameters: Vec<(String, String)>,
    /// The condition keys of the request that do not depend on the action.
    pub context: policy::Context,
    /// The scope's service, `iam`, `sts` or `s3`; empty for anonymous callers.
    pub service: String,
    /// The request's id.
    pub request_id: String,
    /// When the request was read.
    pub now: Timestamp,
    /// Who is told of the decisions.
    pub witness: Arc<dyn Witness>,
}

/// Answers IAM and STS queries.
#[async_trait]
pub trait QueryApi: Send + Sync + 'static {
    /// Answers one call; errors are answers too, in the shape that the called API's clients parse.
    async fn answer(&self, call: QueryCall) -> Response<ResponseBody>;

    /// The shape of an error that was found before the call was known: a bad signature, say.
    fn refuse(&self, service: &str, code: &str, status: http::StatusCode, message: &str, request_id: &str) -> Bytes;
}

/// The pages that need no signature.
pub trait StatusPages: Send + Sync + 'static {
    /// `GET /status`: JSON, with the addresses of filers and gateways or without.
    fn status(&self, addresses: bool) -> String;
    /// `GET /readyz`: requests can be decided.
    fn is_ready(&self) -> bool;
}

impl QueryCall {
    /// The name of the action, for metrics and logs: one of those that exist, so that clients cannot make up labels.
    pub(crate) fn operation(&self) -> &'static str {
        let action = self.parameters.iter().find(|(name, _)| name == "Action").map_or("", |(_, value)| value.as_str());
        match self.service.as_str() {
            "sts" => policy::Action::named(&format!("sts:{action}")).map_or("sts", policy::Action::as_str),
            _ => policy::Action::named(&format!("iam:{action}")).map_or("iam", policy::Action::as_str),
        }
    }
}

/// The parameters of query string and form. One that stands in both, or twice, is refused: two readers could each believe
/// another one.
pub(crate) fn parameters(query: Option<&str>, body: &[u8]) -> Result<Vec<(String, String)>, S3Error> {
    let form = std::str::from_utf8(body)
        .map_err(|_| S3Error::with_message(S3ErrorCode::InvalidRequest, "The form in the body is not UTF-8"))?;
    let raw = [query.unwrap_or(""), form].join("&");
    let pairs = QueryString::parse(Some(&raw))?;
    Ok(pairs.into_pairs())
}

/// The service that the request says it is signed for; `sts` when it says nothing.
pub(crate) fn claimed_service(head: &Parts) -> String {
    let authorization = head.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let iam = authorization.is_some_and(|text| text.contains("/iam/aws4_request"));
    if iam { "iam".to_owned() } else { "sts".to_owned() }
}

/// The code of an S3 error in the words of the query APIs.
pub(crate) fn query_code(error: &S3Error) -> (&'static str, StatusCode) {
    match error.code {
        S3ErrorCode::InvalidAccessKeyId | S3ErrorCode::InvalidToken => ("InvalidClientTokenId", StatusCode::FORBIDDEN),
        S3ErrorCode::ExpiredToken => ("ExpiredToken", StatusCode::FORBIDDEN),
        S3ErrorCode::AuthorizationHeaderMalformed | S3ErrorCode::AuthorizationQueryParametersError => {
            ("IncompleteSignature", StatusCode::BAD_REQUEST)
        }
        S3ErrorCode::RequestTimeTooSkewed => ("SignatureDoesNotMatch", StatusCode::FORBIDDEN),
        other => (other.as_str(), other.status()),
    }
}
