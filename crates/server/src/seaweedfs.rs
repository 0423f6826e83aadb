//! `kelpgate s3`: in front of a SeaweedFS filer, in place of `weed s3`.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use filer::seaweedfs::{FilerAddress, Options, SeaweedFiler, Security};

use crate::arguments::S3;
use crate::configuration::{Configuration, check_credential_store, trusted_proxies_of_security};
use crate::serving::{self, Plan};

/// Runs until a signal.
pub async fn run(s3: S3) -> Result<(), String> {
    let serving = &s3.serving;
    serving::check(serving)?;
    if let Some(file) = &s3.audit_log_config {
        return Err(format!(
            "-auditLogConfig={} asks for a fluentd audit log, which is not supported yet: start without it, and take the audit \
             lines of the log (KELPGATE_LOG=info,audit=debug)",
            file.display()
        ));
    }
    for flag in s3.ignored.given() {
        tracing::warn!("-{flag} has no effect here");
    }
    check_credential_store(serving.config_dir.as_deref())?;
    let filers = FilerAddress::parse_list(&s3.filer).map_err(|error| format!("-filer: {error}"))?;
    let names: Vec<String> = filers.iter().map(ToString::to_string).collect();
    let configuration = Configuration::read(serving.config.as_deref(), serving.iam_config.as_deref(), &names)?;
    let security = security(serving.config_dir.as_deref())?;
    let listed = trusted_proxies_of_security(security.source.as_deref())?;
    let trusted_proxies = configuration.trusted_proxies(&listed)?;
    let filer_key = security.filer_write.as_ref().map(|key| ("jwt.filer_signing.key", key.expose_bytes()));
    let session_keys = configuration.session_keys(filer_key)?;

    let mut options = Options::new(filers, security);
    options.data_center = s3.data_center.clone();
    options.encrypt_volume_data = s3.encrypt_volume_data;
    let filer = SeaweedFiler::connect(options);
    let filer_configuration = tokio::select! {
        reached = filer.wait_until_reachable() => reached,
        _ = tokio::signal::ctrl_c() => return Ok(()),
    };
    let counted = filer.clone();
    let plan = Plan {
        filer: Arc::new(filer),
        filer_configuration,
        configuration,
        trusted_proxies,
        session_keys,
        filer_names: names,
        bind: s3.ip_bind.clone(),
        region: s3.region.clone(),
        auto_create_bucket: true,
        weed_gateways: watch_weed(counted.clone()),
        several: true,
        address: if s3.ip.is_empty() { s3.ip_bind.clone() } else { s3.ip.clone() },
        iam: s3.iam,
        iam_read_only: s3.iam_read_only,
        complete: |identities, _| Configuration::add_environment_admin(identities),
        root: None,
        register_metrics: Box::new(move |metrics| {
            metrics
                .register(|registry| registry.register_collector(Box::new(crate::filer_metrics::FilerCalls(counted))));
        }),
    };
    serving::run(plan, serving, |_| ()).await
}

/// How often the master is asked for gateways of SeaweedFS.
const WEED_EVERY: Duration = Duration::from_secs(10);

/// The gateways of SeaweedFS that the master knows, from now on.
fn watch_weed(filer: SeaweedFiler) -> Arc<RwLock<Vec<String>>> {
    let known = Arc::new(RwLock::new(Vec::new()));
    let shared = Arc::clone(&known);
    tokio::spawn(async move {
        loop {
            let found = filer.cluster_nodes("s3").await;
            *shared.write().unwrap_or_else(PoisonError::into_inner) = found;
            tokio::time::sleep(WEED_EVERY).await;
        }
    });
    known
}

/// `security.toml` and the environment's overrides.
pub fn security(config_dir: Option<&std::path::Path>) -> Result<Security, String> {
    let security = Security::load(config_dir, &|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    if let Some(source) = &security.source {
        tracing::info!("security settings from {}", source.display());
    }
    Ok(security)
}
