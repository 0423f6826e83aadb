//! The data plane's parts, put together once at start.

use std::sync::Arc;
use std::time::Duration;

use access::{Addressing, Door};
use arc_swap::ArcSwapOption;
use filer::{Filer, FilerConfiguration};
use iam::{Bucket, Snapshot};
use s3::S3Error;

use crate::errors;
use crate::limits::UploadLimits;
use crate::metrics::Metrics;
use crate::query::QueryApi;
use crate::unauthenticated::SignatureLimit;

/// Settings of the data plane. Read once; nothing else reads the command line or a file.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How clients reach this gateway.
    pub addressing: Addressing,
    /// The region of new buckets, and of `LocationConstraint`.
    pub region: String,
    /// Origins for CORS where a bucket has no rules.
    pub allowed_origins: Vec<String>,
    /// DeleteBucket removes what is in it.
    pub allow_delete_bucket_not_empty: bool,
    /// A write of an administrator creates the bucket.
    pub auto_create_bucket: bool,
    /// Mode of new objects, such as `0o660`.
    pub object_mode: u32,
    /// Owner of new entries.
    pub uid: u32,
    /// Group of new entries.
    pub gid: u32,
    /// How long the sender of a body may pause.
    pub body_patience: Duration,
    /// The most bytes of an object in one PUT, or of a part.
    pub max_body_bytes: u64,
    /// `/metrics` has a listener of its own, and is not a page of this one.
    pub metrics_apart: bool,
}

impl Settings {
    /// The region that clients are told: S3's first one where none is set.
    pub fn region_name(&self) -> &str {
        if self.region.is_empty() { "us-east-1" } else { &self.region }
    }
}

/// The IAM state that requests are decided by. Empty until it was loaded for the first time: 503 until then.
pub type SharedSnapshot = Arc<ArcSwapOption<Snapshot>>;

/// Everything a request needs.
pub struct Gateway {
    /// Settings.
    pub settings: Settings,
    /// The filer.
    pub filer: Arc<dyn Filer>,
    /// What the filer said of itself at start.
    pub filer_configuration: FilerConfiguration,
    /// The IAM state.
    pub snapshot: SharedSnapshot,
    /// Whether it may be decided by, and who else decides by it.
    pub fence: Arc<dyn crate::fence::Fence>,
    /// Authentication and authorization.
    pub door: Door,
    /// IAM and STS.
    pub query_api: Arc<dyn QueryApi>,
    /// Status, health and readiness.
    pub status: Arc<dyn crate::query::StatusPages>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Limits of uploads in flight.
    pub upload_limits: UploadLimits,
    /// Limits of audit lines about refused signatures.
    pub signature_limit: SignatureLimit,
}

/// How long a change that was written may take to come back through the feed before the answer says that it has not.
const FEED_PATIENCE: Duration = Duration::from_secs(5);
/// How long it usually takes at most.
const FEED_DELAY: Duration = Duration::from_millis(20);

impl Gateway {
    /// The collection of volumes that belongs to a bucket.
    pub fn collection(&self, bucket: &str) -> String {
        match self.filer_configuration.filer_group.as_str() {
            "" => bucket.to_owned(),
            group => format!("{group}_{bucket}"),
        }
    }

    /// Waits until this gateway's own snapshot shows a change of a bucket that was just written, or one that followed it.
    ///
    /// A snapshot may pass over a change that another one overtakes at once. So after a while the filer is asked what it
    /// holds by now: a snapshot that shows this has the change behind it.
    pub(crate) async fn applied(&self, bucket: &str, shows: impl Fn(Option<&Bucket>) -> bool) -> Result<(), S3Error> {
        let began = tokio::time::Instant::now();
        let mut pause = Duration::from_micros(200);
        let mut followed: Vec<Option<u64>> = Vec::new();
        loop {
            if let Some(snapshot) = self.snapshot.load().as_deref() {
                let known = snapshot.bucket(bucket);
                if shows(known.map(|bucket| &**bucket)) || followed.contains(&known.map(|bucket| bucket.version)) {
                    return Ok(());
                }
            }
            if began.elapsed() > FEED_PATIENCE {
                return Err(errors::unavailable(
                    "The change is stored, but has not come back through the change feed: it is not in force on this gateway yet.",
                ));
            }
            if began.elapsed() > FEED_DELAY {
                followed.push(self.stored_version(bucket).await?);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    /// The version of a bucket that the filer holds; `None` if the bucket is gone.
    async fn stored_version(&self, bucket: &str) -> Result<Option<u64>, S3Error> {
        let path = crate::object::bucket_path(&self.filer_configuration.buckets_root, bucket);
        let entry = self.filer.lookup(&path).await.map_err(errors::from_filer)?;
        Ok(entry.map(|entry| Bucket::version_of(&entry.extended, &entry.content)))
    }
}
