//! The endpoint of both query APIs: an authenticated call goes in, an HTTP answer comes out.

use std::mem;

use access::{AuditedError, DecisionObserver};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use iam::{Caller, CallerSession, ClientCertificate};
use iam_api::answer;
pub use iam_api::answer::Service;
use iam_api::{Params, QueryAction};
use policy::Context;
use s3::QueryString;

use crate::iam_api::{IamApi, QueryAnswer};
use crate::query::{Call, QueryError, service_of};
use crate::sts_api::StsApi;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// IAM and STS of this gateway.
pub struct QueryEndpoint {
    iam: Option<IamApi>,
    sts: StsApi,
}

/// An authenticated call.
pub struct Query<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// The parameters of query and body together.
    pub parameters: QueryString,
    /// The condition keys of the request that do not depend on the action.
    pub context: Context,
    /// The request's id.
    pub request_id: &'a str,
    /// When the request was read, in seconds since 1970.
    pub now_s: i64,
    /// Who is told of the decisions.
    pub observer: &'a dyn DecisionObserver,
    /// The caller's verified client certificate, or the reason why the call has none.
    pub certificate: Result<&'a ClientCertificate, &'static str>,
}

impl QueryEndpoint {
    /// Without `iam`, STS alone is served (`-iam=false`).
    pub fn new(iam: Option<IamApi>, sts: StsApi) -> Self {
        Self { iam, sts }
    }

    /// Answers one call. Errors are answers too, in the shape that the called API's clients parse.
    pub async fn answer(&self, query: Query<'_>) -> Response<Bytes> {
        let request_id = query.request_id;
        let mut response = match self.run(query).await {
            Ok(answer) => success(answer),
            Err(error) => failure(&error, request_id),
        };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }

    /// Runs one call.
    pub async fn run(&self, mut query: Query<'_>) -> Result<QueryAnswer, QueryError> {
        let mut random = [0; 96];
        rand::fill(&mut random);
        let (params, context) = (Params::from(mem::take(&mut query.parameters)), mem::take(&mut query.context));
        self.dispatch(&self.call(&query, &params, &random), context).await
    }

    /// Turns an identity provider's token into a session token, for this request alone.
    pub async fn bearer_session(&self, token: &str, mut query: Query<'_>) -> Result<String, QueryError> {
        let (params, context) = (Params::from(mem::take(&mut query.parameters)), mem::take(&mut query.context));
        self.sts.bearer_session(&self.call(&query, &params, &[0; 96]), context, token).await
    }

    fn call<'a>(&'a self, query: &Query<'a>, params: &'a Params, random: &'a [u8; 96]) -> Call<'a> {
        Call {
            caller: query.caller,
            params,
            sent: params,
            request_id: query.request_id,
            now_s: query.now_s,
            random,
            observer: query.observer,
            certificate: query.certificate,
            message_keys: self.sts.message_keys(),
        }
    }

    /// What metrics and logs call an action, for example `iam:CreateUser`; `None` for an unknown action.
    pub fn label(action: &str) -> Option<&'static str> {
        QueryAction::find(action).ok().map(|action| action.label())
    }

    /// The XML of an error that was found before the call was known, such as a bad signature. `service` is that of the signature's
    /// scope.
    pub fn refuse(service: Service, code: &str, status: StatusCode, message: &str, request_id: &str) -> Bytes {
        answer::error(service, code, message, status.as_u16(), request_id).into()
    }

    async fn dispatch(&self, call: &Call<'_>, context: Context) -> Result<QueryAnswer, QueryError> {
        match (service_of(call.action()?), &self.iam) {
            (Service::Sts, _) => {
                let xml = self.sts.answer(call, context).await?;
                Ok(QueryAnswer { xml, not_enforced: Vec::new() })
            }
            (Service::Iam, _) if call.caller.session.as_ref().is_some_and(may_not_call_iam) => {
                let message = "The IAM API cannot be called with a session that was made without a role, except with one of \
                               GetSessionToken with MFA; use the access key";
                Err(QueryError::access_denied(message))
            }
            (Service::Iam, Some(iam)) => Box::pin(iam.answer(call, context)).await,
            (Service::Iam, None) => {
                let message = "The IAM API is switched off on this gateway (-iam=false)";
                Err(QueryError::new(Service::Iam, "NotImplemented", 501, message))
            }
        }
    }
}

/// As with the sessions that users make on AWS. Without MFA, they could leave keys behind that outlive them.
fn may_not_call_iam(session: &CallerSession) -> bool {
    let has_mfa = session.mfa_at_s.is_some() && session.federated_by.is_none();
    !session.is_of_role() && !has_mfa
}

pub(crate) fn success(answer: QueryAnswer) -> Response<Bytes> {
    let mut response = Response::new(answer.xml.into());
    let behind = HeaderValue::from_str(&answer.not_enforced.join(", "));
    if let (false, Ok(behind)) = (answer.not_enforced.is_empty(), behind) {
        response.headers_mut().insert(s3::NOT_ENFORCED, behind);
    }
    response
}

fn failure(error: &QueryError, request_id: &str) -> Response<Bytes> {
    let mut response = Response::new(error.to_xml(request_id).into());
    response.extensions_mut().insert(AuditedError { code: error.code.clone(), message: String::new() });
    *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
