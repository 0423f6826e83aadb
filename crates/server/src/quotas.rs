//! Quotas of buckets, as `-iam.config` says. Only the embedded filer counts bytes for them.

use filer::embedded::{EmbeddedFiler, Quotas};
use iam_formats::QuotaSettings;

/// Sets the quotas. Fails if the filer is SeaweedFS, which has its own.
pub(crate) async fn limit(embedded: Option<&EmbeddedFiler>, settings: &QuotaSettings) -> Result<(), String> {
    match embedded {
        None if settings.is_empty() => Ok(()),
        None => Err("kelpgate.quotas is for `kelpgate server`; on SeaweedFS set quotas with `s3.bucket.quota` of `weed shell`, and \
                     let `s3.bucket.quota.enforce` mark the buckets that are over them"
            .to_owned()),
        Some(filer) => {
            let QuotaSettings { others, named } = settings.clone();
            filer.limit(Quotas { others, named }).await.map_err(|error| format!("kelpgate.quotas: {error}"))
        }
    }
}
