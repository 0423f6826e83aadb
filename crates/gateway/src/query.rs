//! What the data plane needs from the control plane: it hands over calls and sends back the answers.

use std::sync::Arc;

use access::DecisionObserver;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Response, StatusCode};
use iam::{Caller, ClientCertificate};
use jiff::Timestamp;
use s3::{QueryString, S3Error, S3ErrorCode};
use sigv4::{AuthForm, SigError};

use crate::body::ResponseBody;

/// The services of the query API. Their errors differ in the XML namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryService {
    /// IAM.
    Iam,
    /// STS.
    Sts,
}

/// An authenticated call of the IAM or STS query API.
pub struct QueryCall {
    /// Who makes the call.
    pub caller: Caller,
    /// Parameters of the query string and of the form.
    pub parameters: QueryString,
    /// The condition keys of the request that do not depend on the action.
    pub context: policy::Context,
    /// The request's id.
    pub request_id: String,
    /// When the request was read.
    pub now: Timestamp,
    /// Who observes the decisions.
    pub observer: Arc<dyn DecisionObserver>,
    /// The caller's verified client certificate, or the reason why the call has none.
    pub certificate: Result<ClientCertificate, &'static str>,
}

/// Answers IAM and STS queries.
#[async_trait]
pub trait QueryApi: Send + Sync + 'static {
    /// Answers one call. Errors are answers too, in the form that clients of the API parse.
    async fn answer(&self, call: QueryCall) -> Response<ResponseBody>;

    /// Runs an action that changes IAM state, for an operation of S3 Control. Returns when every gateway enforces the change.
    async fn change(&self, call: QueryCall) -> Result<(), S3Error>;

    /// Turns an identity provider's token into a session token, for this request alone. The call is that
    /// of an anonymous caller.
    async fn bearer_session(&self, token: &str, call: QueryCall) -> Result<String, S3Error>;

    /// What metrics and logs call an action, for example `iam:CreateUser`; `None` if there is none with this name, so that
    /// clients cannot invent labels.
    fn label(&self, action: &str) -> Option<&'static str>;

    /// The answer for an error that occurs before the call is known, such as a bad signature.
    fn refuse(&self, service: QueryService, code: &str, status: StatusCode, message: &str, request_id: &str) -> Bytes;
}

/// What `/status` says of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusDetail {
    /// For everyone: how many filers and gateways there are.
    Public,
    /// For administrators: their addresses too.
    WithAddresses,
}

/// The pages that need no signature.
pub trait StatusPages: Send + Sync + 'static {
    /// `GET /status`: JSON.
    fn status(&self, detail: StatusDetail) -> String;
    /// `GET /readyz`: which requests can be served at the moment, or why none can.
    fn readiness(&self) -> Result<&'static str, String>;
}

/// The parameters of query string and form. One that is in both, or twice, is refused: two readers could use
/// different values.
pub(crate) fn parameters(query: Option<&str>, body: &[u8]) -> Result<QueryString, S3Error> {
    let form = std::str::from_utf8(body)
        .map_err(|_| S3Error::with_message(S3ErrorCode::InvalidRequest, "The form in the body is not UTF-8"))?;
    let raw = [query.unwrap_or(""), form].join("&");
    QueryString::parse(Some(&raw))
}

impl QueryService {
    /// The service for which the request says it is signed; STS if it does not say.
    pub(crate) fn claimed(form: &Result<AuthForm, SigError>) -> Self {
        match form {
            Ok(AuthForm::HeaderV4(claim) | AuthForm::PresignedV4(claim)) if claim.scope.service == "iam" => Self::Iam,
            _ => Self::Sts,
        }
    }
}

/// The query APIs' code for an S3 error.
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
