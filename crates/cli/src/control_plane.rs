//! The control plane as the data plane sees it: IAM and STS calls go in, answers come out.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use control::feed::{FloorError, Follower};
use control::fence::{Before, Lease};
use control::iam_api::{Answered, IamApi};
use control::last_used::Recorder;
use control::query::{Call, QueryError, service_of};
use control::sts_api::StsApi;
use gateway::{Enforcement, Fence, Floor, NOT_ENFORCED, QueryApi, QueryCall, ResponseBody};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use iam::{ChangeKind, IamConfig};
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
        config: &IamConfig,
        iam: bool,
        read_only: bool,
    ) -> Self {
        Self {
            iam: iam.then(|| {
                let unfenced = config.kelpgate.fence.off.clone();
                IamApi::new(Arc::clone(follower), store, read_only, recorder, unfenced)
            }),
            sts: StsApi::new(Arc::clone(follower), keys, &config.sts),
        }
    }

    async fn answered(&self, call: &Call<'_>, context: policy::Context) -> Result<Answered, QueryError> {
        match (service_of(call.action()?), &self.iam) {
            (Service::Sts, _) => {
                let xml = self.sts.answer(call, context).await?;
                Ok(Answered { xml, not_enforced: Vec::new() })
            }
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
            witness: &*query.witness,
        };
        let mut response = match self.answered(&call, query.context).await {
            Ok(answered) => {
                let mut response = Response::new(ResponseBody::full(answered.xml));
                let behind = HeaderValue::from_str(&answered.not_enforced.join(", "));
                if let (false, Ok(behind)) = (answered.not_enforced.is_empty(), behind) {
                    response.headers_mut().insert(NOT_ENFORCED, behind);
                }
                response
            }
            Err(error) => {
                let mut response = Response::new(ResponseBody::full(error.to_xml(&query.request_id)));
                *response.status_mut() =
                    StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                }
                response
            }
        };
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

/// The fence as the data plane sees it.
pub struct DataPlaneFence {
    follower: Arc<Follower>,
    lease: Lease,
    /// Changes of buckets wait for the other gateways.
    waits_for_buckets: bool,
}

impl DataPlaneFence {
    /// The fence of a follower.
    pub fn new(follower: &Arc<Follower>, config: &IamConfig) -> Self {
        let waits_for_buckets = !config.kelpgate.fence.off.contains(&ChangeKind::Buckets);
        Self { follower: Arc::clone(follower), lease: follower.lease(), waits_for_buckets }
    }
}

#[async_trait]
impl Fence for DataPlaneFence {
    fn may_decide(&self) -> bool {
        self.lease.runs()
    }

    fn revision(&self) -> Arc<String> {
        self.follower.revision()
    }

    async fn reach(&self, floor: &str) -> Result<(), Floor> {
        self.follower.reach(floor).await.map_err(|error| match error {
            FloorError::NotReached => Floor::Ahead,
            FloorError::Malformed(_) | FloorError::OtherEpoch => Floor::Wrong(error.to_string()),
        })
    }

    fn before_change(&self) -> Box<dyn Enforcement> {
        let before = self.follower.before().filter(|_| self.waits_for_buckets);
        Box::new(BucketChange { follower: Arc::clone(&self.follower), before })
    }
}

/// A change of a bucket, with what this gateway knew before it.
struct BucketChange {
    follower: Arc<Follower>,
    before: Option<Before>,
}

#[async_trait]
impl Enforcement for BucketChange {
    async fn everywhere(&self) -> Result<(), Vec<String>> {
        self.follower.enforced(self.before).await
    }
}
