//! The settings from the command line, parsed and checked.

use std::path::PathBuf;
use std::time::Duration;

pub use access::SignatureV2;
pub use gateway::tls::{CertificateFiles, TlsFiles};
pub use gateway::{OBJECT_MODE, UploadLimits};

/// Settings of a gateway that do not depend on its filer.
pub struct Settings {
    /// Address to listen on; empty for all.
    pub bind: String,
    /// This gateway's address as operators see it, without its port; empty for the machine's name.
    pub address: String,
    /// Port of S3, IAM and STS.
    pub port: u16,
    /// The port for HTTPS in addition to plain HTTP. Without it, `tls` makes the main port HTTPS.
    pub port_https: Option<u16>,
    /// Certificate and key.
    pub tls: Option<TlsFiles>,
    /// The address and port of a separate listener for `/metrics`; an empty address means that of `bind`.
    pub metrics: Option<(String, u16)>,
    /// The file that sends the audit log to fluentd (`-auditLogConfig`).
    pub audit_file: Option<PathBuf>,
    /// The region for which requests must be signed; empty accepts all regions.
    pub region: String,
    /// Host names under which buckets are subdomains.
    pub domain_names: Vec<String>,
    /// The URL that clients use if a proxy in front hides it; empty if none does.
    pub external_url: String,
    /// The origins that CORS allows for a bucket that has no rules of its own.
    pub allowed_origins: Vec<String>,
    /// The identities file (`-config`).
    pub identities_file: Option<PathBuf>,
    /// The IAM file (`-iam.config`).
    pub iam_file: Option<PathBuf>,
    /// Directory of `security.toml`, searched before the usual places.
    pub config_dir: Option<PathBuf>,
    /// An idle connection is closed after this time.
    pub idle_timeout: Duration,
    /// The limits of uploads in progress.
    pub upload_limits: UploadLimits,
    /// Whether DeleteBucket also removes the objects in the bucket.
    pub allow_delete_bucket_not_empty: bool,
    /// Whether a write to a bucket that does not exist creates it, if the caller has `s3:CreateBucket`.
    pub auto_create_bucket: bool,
    /// The mode of new objects, such as `0o660`.
    pub object_mode: u32,
    /// For which requests signature V2 is accepted.
    pub signature_v2: SignatureV2,
    /// Whether the IAM query API is served.
    pub iam: bool,
    /// Whether IAM changes are refused.
    pub iam_read_only: bool,
    /// Changes what the log shows.
    pub log_filter: LogFilter,
}

/// Checks a filter of `kelpgate.log`; `None` for the one that the gateway began with. What is returned uses it.
///
/// Error: what is wrong with the filter.
pub type LogFilter = fn(Option<&str>) -> Result<Box<dyn FnOnce() + Send>, String>;
