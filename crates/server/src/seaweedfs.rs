//! A gateway in front of a SeaweedFS cluster.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bucket::leftovers::completed_uploads;
use filer::FilerError;
use filer::seaweedfs::{FilerAddress, Options, SeaweedFiler, Sweeper};
use tokio::sync::Mutex;

use crate::certificates::{self, CertificateMetrics};
use crate::configuration::{
    Configuration, check_credential_store, security, session_key_of, trusted_proxies_of_security,
};
use crate::plan::Plan;
use crate::serving;
use crate::settings::Settings;
use crate::workers::{Period, RunEnd, RunsOn, Worker};

/// The cluster in front of which the gateway runs.
pub struct Cluster {
    /// Its filers.
    pub filers: Vec<FilerAddress>,
    /// The data center whose volume servers are preferred; empty for any.
    pub data_center: String,
    /// Whether object data is encrypted on the volume servers.
    pub encrypt_volume_data: bool,
}

/// Runs until a signal arrives.
pub async fn run(settings: Settings, cluster: Cluster) -> Result<(), String> {
    serving::check(&settings)?;
    check_credential_store(settings.config_dir.as_deref())?;
    let names: Vec<String> = cluster.filers.iter().map(ToString::to_string).collect();
    let configuration = Configuration::read(settings.identities_file.as_deref(), settings.iam_file.as_deref(), &names)?;
    let security = security(settings.config_dir.as_deref())?;
    let listed = trusted_proxies_of_security(security.source.as_deref())?;
    let trusted_proxies = configuration.trusted_proxies(&listed)?;
    let session_keys = configuration.session_keys(session_key_of(&security))?;

    let mut options = Options::new(cluster.filers, security.clone());
    options.data_center = cluster.data_center;
    options.encrypt_volume_data = cluster.encrypt_volume_data;
    let grace = Duration::from_secs(configuration.iam.kelpgate.abandoned_uploads_s);
    options.journals_uploads = !grace.is_zero();
    let filer = SeaweedFiler::connect(options);
    let filer_configuration = tokio::select! {
        reached = filer.wait_until_reachable() => reached,
        _ = tokio::signal::ctrl_c() => return Ok(()),
    };
    let (counted, ending) = (filer.clone(), filer.clone());
    let certificates = CertificateMetrics::default();
    let config_dir = settings.config_dir.clone();
    let watched = certificates::watch_clients(filer.clone(), &security, config_dir, certificates.clone());
    let weed_gateways = Arc::default();
    let mut workers = vec![
        watched,
        watch_weed(counted.clone(), Arc::clone(&weed_gateways)),
        remove_completed_uploads(counted.clone()),
    ];
    if !grace.is_zero() {
        workers.extend(abandoned_uploads(&counted, grace));
    }
    let plan = Plan {
        filer: Arc::new(filer),
        filer_configuration,
        configuration,
        trusted_proxies,
        session_keys,
        filer_names: names,
        certificates,
        workers,
        weed_gateways,
        several: true,
        complete: |identities, _| Configuration::add_environment_admin(identities),
        root: None,
        embedded: None,
        register_metrics: Box::new(move |metrics| {
            metrics
                .register(|registry| registry.register_collector(Box::new(crate::filer_metrics::FilerCalls(counted))));
        }),
    };
    let served = Box::pin(serving::run(plan, settings, |_| ())).await;
    ending.sign_off().await;
    served
}

/// How often within the grace heartbeats are written and looked for.
const HEARTBEATS_WITHIN_GRACE: u32 = 5;
/// The longest time between two heartbeats.
const HEARTBEAT_EVERY_MAX: Duration = Duration::from_secs(60);

/// Writes heartbeats, and frees the chunks of gateways that have not done so for the grace.
fn abandoned_uploads(filer: &SeaweedFiler, grace: Duration) -> [Worker; 2] {
    let every = || Period::Every((grace / HEARTBEATS_WITHIN_GRACE).min(HEARTBEAT_EVERY_MAX));
    let own = filer.clone();
    let heartbeat = move || {
        let filer = own.clone();
        async move {
            let failed =
                |error: FilerError| format!("other gateways may consider this gateway's uploads abandoned: {error}");
            filer.heartbeat().await.map(|()| RunEnd::Done).map_err(failed)
        }
    };
    let sweeper = Arc::new(Mutex::new(Sweeper::new(filer, grace)));
    let sweep = move || {
        let sweeper = Arc::clone(&sweeper);
        async move {
            let failed = |error: FilerError| format!("chunks of abandoned uploads are left for now: {error}");
            sweeper.lock().await.round().await.map(|()| RunEnd::Done).map_err(failed)
        }
    };
    [
        Worker::new("upload-heartbeat", every(), RunsOn::EveryGateway, heartbeat),
        Worker::new("abandoned-uploads", every(), RunsOn::EveryGateway, sweep),
    ]
}

/// How often the master is asked for SeaweedFS's gateways.
const WEED_EVERY: Duration = Duration::from_secs(10);

/// Asks the master for the gateways of SeaweedFS that it knows, and keeps them in `known`.
fn watch_weed(filer: SeaweedFiler, known: Arc<RwLock<Vec<String>>>) -> Worker {
    let ask = move || {
        let (filer, known) = (filer.clone(), Arc::clone(&known));
        async move {
            let found = filer.cluster_nodes("s3").await;
            *known.write().unwrap_or_else(PoisonError::into_inner) = found;
            Ok(RunEnd::Done)
        }
    };
    Worker::new("weed-gateways", Period::Every(WEED_EVERY), RunsOn::EveryGateway, ask)
}

/// How often completed uploads that are still listed are looked for.
const COMPLETED_EVERY: Duration = Duration::from_secs(3600);

/// Removes completed uploads that are still listed as unfinished because a filer died while completing them.
fn remove_completed_uploads(filer: SeaweedFiler) -> Worker {
    let remove = move || {
        let filer = filer.clone();
        async move {
            let failed =
                |error: FilerError| format!("completed uploads that are still listed could not be removed: {error}");
            for upload in completed_uploads(&filer).await.map_err(failed)? {
                upload.remove(&filer).await.map_err(failed)?;
                tracing::info!(bucket = upload.bucket, key = %upload.key, "removed a completed upload still listed");
            }
            Ok(RunEnd::Done)
        }
    };
    Worker::new("completed-uploads", Period::Every(COMPLETED_EVERY), RunsOn::EveryGateway, remove)
}
