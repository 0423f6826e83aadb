//! Quotas of buckets, as `-iam.config` says. Only the embedded filer counts bytes for them.

use filer::embedded::{EmbeddedFiler, Quotas};
use iam_formats::QuotaSettings;

/// Fails if there are quotas for a gateway on SeaweedFS, which has its own.
pub fn check_on_seaweedfs(settings: &QuotaSettings) -> Result<(), String> {
    if settings.is_empty() {
        return Ok(());
    }
    Err("kelpgate.quotas is for `kelpgate server`; on SeaweedFS set quotas with `s3.bucket.quota` of `weed shell`, and let \
         `s3.bucket.quota.enforce` mark the buckets that are over them"
        .to_owned())
}

/// Sets the quotas. Fails if the filer is SeaweedFS.
pub(crate) async fn limit(embedded: Option<&EmbeddedFiler>, settings: &QuotaSettings) -> Result<(), String> {
    match embedded {
        None => check_on_seaweedfs(settings),
        Some(filer) => {
            let QuotaSettings { others, named } = settings.clone();
            filer.limit(Quotas { others, named }).await.map_err(|error| format!("kelpgate.quotas: {error}"))
        }
    }
}
