//! The control plane as the data plane sees it: each asks for a trait, the other keeps it.

use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use control::endpoint::{Query, QueryEndpoint, Service};
use control::feed::{FloorError, Follower};
use control::fence::{Lease, ListingCount};
use gateway::{Enforcement, Fence, QueryApi, QueryCall, QueryService, ResponseBody};
use http::{Response, StatusCode};
use iam::ChangeKind;
use iam_formats::IamConfig;
use s3::{S3Error, S3ErrorCode};

/// IAM and STS as the data plane sees them.
pub struct ControlPlane(pub QueryEndpoint);

#[async_trait]
impl QueryApi for ControlPlane {
    async fn answer(&self, mut call: QueryCall) -> Response<ResponseBody> {
        self.0.answer(query(&mut call)).await.map(ResponseBody::full)
    }

    async fn change(&self, mut call: QueryCall) -> Result<(), S3Error> {
        self.0.run(query(&mut call)).await.map(drop).map_err(|error| {
            let code = match error.code.as_str() {
                "AccessDenied" => S3ErrorCode::AccessDenied,
                "ChangeNotYetEnforced" => S3ErrorCode::ChangeNotYetEnforced,
                "ConcurrentModification" => S3ErrorCode::OperationAborted,
                "NotImplemented" => S3ErrorCode::NotImplemented,
                "ServiceUnavailable" => S3ErrorCode::ServiceUnavailable,
                _ => S3ErrorCode::InternalError,
            };
            S3Error::with_message(code, error.message)
        })
    }

    async fn bearer_session(&self, token: &str, mut call: QueryCall) -> Result<String, S3Error> {
        self.0.bearer_session(token, query(&mut call)).await.map_err(|error| {
            let code = match error.code.as_str() {
                "AccessDenied" => S3ErrorCode::AccessDenied,
                "NotImplemented" => return S3Error::not_implemented("The authorization type Bearer"),
                "ExpiredTokenException" => S3ErrorCode::ExpiredToken,
                "IDPCommunicationError" | "ServiceUnavailable" => S3ErrorCode::ServiceUnavailable,
                _ => S3ErrorCode::InvalidToken,
            };
            S3Error::with_message(code, error.message)
        })
    }

    fn label(&self, action: &str) -> Option<&'static str> {
        QueryEndpoint::label(action)
    }

    fn refuse(&self, service: QueryService, code: &str, status: StatusCode, message: &str, request_id: &str) -> Bytes {
        let service = match service {
            QueryService::Iam => Service::Iam,
            QueryService::Sts => Service::Sts,
        };
        QueryEndpoint::refuse(service, code, status, message, request_id)
    }
}

/// The call as the control plane reads it. Takes parameters and context out of `call`.
fn query(call: &mut QueryCall) -> Query<'_> {
    let (parameters, context) = (mem::take(&mut call.parameters), mem::take(&mut call.context));
    Query {
        caller: &call.caller,
        parameters,
        context,
        request_id: &call.request_id,
        now_s: call.now.as_second(),
        observer: &*call.observer,
        certificate: call.certificate.as_ref().map_err(|why| *why),
    }
}

/// The fence as the data plane sees it.
pub struct DataPlaneFence {
    follower: Arc<Follower>,
    lease: Lease,
    /// Makes changes of buckets wait for the other gateways.
    waits_for_buckets: bool,
}

impl DataPlaneFence {
    /// The fence of a gateway that follows a filer.
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

    async fn reach(&self, floor: &str) -> Result<(), gateway::FloorError> {
        self.follower.reach(floor).await.map_err(|error| match error {
            FloorError::NotReached => gateway::FloorError::Ahead,
            FloorError::Malformed(_) | FloorError::OtherEpoch => gateway::FloorError::Wrong(error.to_string()),
        })
    }

    fn before_change(&self) -> Box<dyn Enforcement> {
        let before = self.follower.listing_count().filter(|_| self.waits_for_buckets);
        Box::new(BucketChange { follower: Arc::clone(&self.follower), before })
    }
}

/// A change of a bucket, with what this gateway knew before it.
struct BucketChange {
    follower: Arc<Follower>,
    before: Option<ListingCount>,
}

#[async_trait]
impl Enforcement for BucketChange {
    async fn everywhere(&self) -> Result<(), Vec<String>> {
        self.follower.enforced(self.before).await
    }
}
