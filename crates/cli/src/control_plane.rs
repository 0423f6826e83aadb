//! The control plane as the data plane sees it: IAM and STS calls go in, answers come out.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use control::feed::Follower;
use control::iam_api::IamApi;
use control::last_used::Recorder;
use control::query::{Call, QueryError, service_of};
use control::sts_api::StsApi;
use gateway::{QueryApi, QueryCall, ResponseBody};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use iam::StsConfig;
use store::IamStore;
use sts::SessionKeys;
use sts::xml::Service;

/// IAM and STS of this gateway.
pub struct ControlPlane {
    iam: Option<IamApi>,
    sts: StsApi,
}

impl ControlPlane {
    /// `iam` false serves STS alone (`-iam=false`).
    pub fn new(
        follower: &Arc<Follower>,
        store: Arc<dyn IamStore>,
        recorder: Arc<Recorder>,
        keys: Option<Arc<SessionKeys>>,
        config: &StsConfig,
        iam: bool,
        read_only: bool,
    ) -> Self {
        Self {
            iam: iam.then(|| IamApi::new(Arc::clone(follower), store, read_only, recorder)),
            sts: StsApi::new(Arc::clone(follower), keys, config),
        }
    }

    async fn xml(&self, call: &Call<'_>, context: policy::Context) -> Result<String, QueryError> {
        match (service_of(call.action()?), &self.iam) {
            (Service::Sts, _) => self.sts.answer(call, context).await,
            (Service::Iam, Some(iam)) => iam.answer(call, context).await,
            (Service::Iam, None) => Err(QueryError {
                code: "NotImplemented".to_owned(),
                status: 501,
                message: "The IAM API is switched off on this gateway (-iam=false)".to_owned(),
                service: Service::Iam,
            }),
        }
    }
}

#[async_trait]
impl QueryApi for ControlPlane {
    async fn answer(&self, query: QueryCall) -> Response<ResponseBody> {
        let random: [u8; 96] = std::array::from_fn(|_| rand::random());
        let call = Call {
            caller: &query.caller,
            params: &query.parameters,
            request_id: &query.request_id,
            now_s: query.now.as_second(),
            random: &random,
        };
        let (status, xml) = match self.xml(&call, query.context).await {
            Ok(xml) => (StatusCode::OK, xml),
            Err(error) => {
                let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, error.to_xml(&query.request_id))
            }
        };
        let mut response = Response::new(ResponseBody::full(xml));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        if let Ok(id) = HeaderValue::from_str(&query.request_id) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        response
    }

    fn refuse(&self, service: &str, code: &str, status: StatusCode, message: &str, request_id: &str) -> Bytes {
        let service = if service == "iam" { Service::Iam } else { Service::Sts };
        sts::xml::error(service, code, message, status.as_u16(), request_id).into()
    }
}
