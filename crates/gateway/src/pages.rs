//! The operator's pages on the S3 port: `/status`, `/healthz`, `/readyz`, `/metrics`. They need no signature, and ignore
//! parameters. A signed request for such a path is an S3 request for a bucket with that name, except that
//! administrators get `/status` with addresses.

use std::sync::Arc;

use access::{DecisionInput, Refusal, RequestTarget, Services, authorize};
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use ids::AccountId;
use jiff::Timestamp;
use s3::{Needs, QueryString, Requirement, S3Error, S3ErrorCode};
use sigv4::AuthForm;

use crate::accept::{Connection, Handler};
use crate::body::ResponseBody;
use crate::gateway::Gateway;
use crate::op::Answer;
use crate::query::StatusDetail;
use crate::request_facts::RequestFacts;

/// The pages. Their names cannot be bucket names.
pub(crate) const NAMES: [&str; 4] = ["status", "healthz", "readyz", "metrics"];

/// The permission to read `/status` with the addresses inside the cluster.
struct ReadAddresses;

impl Needs for ReadAddresses {
    fn permissions(&self) -> Vec<Requirement> {
        vec![Requirement::on_resource("iam:GetAccountSummary", "*".to_owned())]
    }
}

/// The permission to read the decisions about other callers and the policies behind them. It is the permission to read all policies.
struct ReadDecisions;

impl Needs for ReadDecisions {
    fn permissions(&self) -> Vec<Requirement> {
        vec![Requirement::on_resource("iam:GetAccountAuthorizationDetails", "*".to_owned())]
    }
}

/// The requested page, if it is one.
pub(crate) fn page(gateway: &Gateway, head: &Parts) -> Option<Response<ResponseBody>> {
    let is_page = |path: &str| NAMES.iter().any(|name| path.strip_prefix('/') == Some(name));
    if !is_page(head.uri.path()) || !reads(head) || is_signed(head) {
        return None;
    }
    match head.uri.path() {
        "/status" => Some(status(gateway, StatusDetail::Public)),
        "/healthz" => Some(text(StatusCode::OK, "text/plain", "ok\n".to_owned())),
        "/readyz" => Some(match gateway.status.readiness() {
            Ok(ready) => text(StatusCode::OK, "text/plain", format!("{ready}\n")),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", format!("not ready: {why}\n")),
        }),
        "/metrics" if !gateway.settings.metrics_apart => Some(metrics(gateway)),
        _ => None,
    }
}

/// A signed request for `/status`: the answer depends on the caller.
pub(crate) fn is_signed_status(head: &Parts) -> bool {
    head.uri.path() == "/status" && reads(head) && is_signed(head)
}

/// The state of this gateway.
fn status(gateway: &Gateway, detail: StatusDetail) -> Response<ResponseBody> {
    text(StatusCode::OK, "application/json", gateway.status.status(detail))
}

impl Gateway {
    /// `/status` with the addresses inside the cluster, for callers of the gateway's own account who may `iam:GetAccountSummary`; with
    /// `?decision=ID` the record of a refusal, for callers who may `iam:GetAccountAuthorizationDetails`.
    pub(crate) async fn administrators_status(
        &self,
        head: &Parts,
        target: &RequestTarget<'_>,
        now: Timestamp,
        facts: &mut RequestFacts,
    ) -> Answer {
        facts.operation = "Status";
        let scope = self.scope(head, target, now, facts).await?;
        let authenticated = self.authenticate(&scope.unverified(Services::S3, None), &scope.snapshot, facts)?;
        self.limit(&authenticated.caller, facts)?;
        let (caller, snapshot) = (&authenticated.caller, &*scope.snapshot);
        let context = self.context(&scope, &authenticated)?;
        let input = DecisionInput { caller, snapshot, context: &context, observer: &*facts.decisions };
        let refused = |refusal: Box<Refusal>| refusal.to_error(&facts.request_id);
        // Administrators of other accounts are not the operators of the gateway.
        let tenant = Some(caller.account).filter(|account| *account != snapshot.settings().account);
        let detail = if tenant.is_none() { StatusDetail::WithAddresses } else { StatusDetail::Public };
        let asked = QueryString::parse(head.uri.query())?;
        match asked.get("decision") {
            None => authorize(ReadAddresses.into(), input).map(|_permit| status(self, detail)).map_err(refused),
            Some(id) => {
                let _permit = authorize(ReadDecisions.into(), input).map_err(refused)?;
                decision(self, id, tenant)
            }
        }
    }
}

/// The record of a request that was refused not long ago: what an account may read of it, or all without one.
fn decision(gateway: &Gateway, id: &str, reader: Option<AccountId>) -> Result<Response<ResponseBody>, S3Error> {
    let found = gateway.auditor.recall(id, reader).ok_or_else(|| {
        let message = "This gateway does not remember a refusal with this id. Ask the gateway that refused, or the files of the audit log";
        S3Error::with_message(S3ErrorCode::NoSuchKey, message)
    })?;
    Ok(text(StatusCode::OK, "application/x-ndjson", found))
}

fn reads(head: &Parts) -> bool {
    matches!(head.method, Method::GET | Method::HEAD)
}

/// Whether the request claims a caller, in a header or in its query.
fn is_signed(head: &Parts) -> bool {
    !matches!(sigv4::auth_form(head), Ok(AuthForm::Anonymous))
}

/// Answers only the pages, for their own listener.
pub struct MetricsListener(pub Arc<Gateway>);

impl Handler for MetricsListener {
    async fn handle(self: Arc<Self>, _connection: Connection, request: Request<Incoming>) -> Response<ResponseBody> {
        let (head, _) = request.into_parts();
        let found = match head.uri.path() {
            "/metrics" if reads(&head) => Some(metrics(&self.0)),
            _ => page(&self.0, &head),
        };
        found.unwrap_or_else(|| text(StatusCode::NOT_FOUND, "text/plain", "see /metrics\n".to_owned()))
    }
}

/// The metrics for Prometheus.
fn metrics(gateway: &Gateway) -> Response<ResponseBody> {
    text(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", gateway.metrics.text())
}

fn text(status: StatusCode, content_type: &'static str, text: String) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
