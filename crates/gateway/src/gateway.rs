//! The parts of the data plane, assembled once at the start.

use std::sync::Arc;
use std::time::Duration;

use access::{Addressing, Authenticator};
use arc_swap::{ArcSwap, ArcSwapOption};
use bucket::directory::BucketDirectory;
use filer::{Filer, FilerConfiguration};
use iam::Snapshot;
use ids::NewBuckets;
use s3::HostRules;

use crate::auditor::SharedAuditor;
use crate::connections::Connections;
use crate::limits::UploadLimits;
use crate::metrics::Metrics;
use crate::query::QueryApi;
use crate::rate_limits::RateLimits;
use crate::unauthenticated::SignatureLimit;

/// The settings of the data plane. They are read once; nothing else here reads the command line or a file.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How clients reach this gateway.
    pub addressing: Addressing,
    /// The domains of websites: `bucket.domain` is the website of a bucket.
    pub website_domains: HostRules,
    /// The region of new buckets, and of `LocationConstraint`.
    pub region: String,
    /// The CORS origins for buckets without rules.
    pub allowed_origins: Vec<String>,
    /// Whether DeleteBucket removes what is in the bucket.
    pub allow_delete_bucket_not_empty: bool,
    /// Whether a write by an administrator creates a missing bucket.
    pub auto_create_bucket: bool,
    /// What a new bucket gets if its request does not say.
    pub new_buckets: NewBuckets,
    /// The mode of new objects, such as `0o660`.
    pub object_mode: u32,
    /// Owner of new entries.
    pub uid: u32,
    /// Group of new entries.
    pub gid: u32,
    /// How long the sender of a body may pause.
    pub body_patience: Duration,
    /// The largest object in one PUT, or the largest part, in bytes.
    pub max_body_bytes: u64,
    /// Whether `/metrics` has its own listener and is not a page of this one.
    pub metrics_apart: bool,
}

impl Settings {
    /// The region that clients are told: S3's first one if none is set.
    pub fn region_name(&self) -> &str {
        if self.region.is_empty() { "us-east-1" } else { &self.region }
    }
}

/// The IAM state by which requests are decided. Until it has been loaded for the first time it is empty, and the answer
/// is 503.
pub type SharedSnapshot = Arc<ArcSwapOption<Snapshot>>;

/// Everything a request needs.
pub struct Gateway {
    /// Settings.
    pub settings: Settings,
    /// The filer.
    pub filer: Arc<dyn Filer>,
    /// What the filer said about itself at the start.
    pub filer_configuration: FilerConfiguration,
    /// The IAM state.
    pub snapshot: SharedSnapshot,
    /// Whether decisions may use it, and which other gateways decide by it.
    pub fence: Arc<dyn crate::fence::Fence>,
    /// Authentication and authorization.
    pub authenticator: Authenticator,
    /// IAM and STS.
    pub query_api: Arc<dyn QueryApi>,
    /// Status, health and readiness.
    pub status: Arc<dyn crate::query::StatusPages>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The limits of uploads in progress.
    pub upload_limits: UploadLimits,
    /// The open connections and their limits.
    pub connections: Arc<Connections>,
    /// The limits of requests per second.
    pub rate_limits: ArcSwap<RateLimits>,
    /// Who keeps the audit records of requests.
    pub auditor: SharedAuditor,
    /// Decides which requests are traced.
    pub tracer: traces::Tracer,
    /// The limits of audit lines about refused signatures.
    pub signature_limit: SignatureLimit,
}

impl Gateway {
    /// The directory of a bucket on the filer.
    pub fn directory(&self, bucket: &str) -> BucketDirectory<'_> {
        BucketDirectory::new(&*self.filer, &self.filer_configuration, bucket)
    }
}
