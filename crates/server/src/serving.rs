//! What `server` and `s3` share: putting the two planes together.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use access::{Addressing, Authenticator};
use audit::Auditing;
use control::feed::Follower;
use gateway::tls::{Tls, TlsFiles};
use gateway::{Gateway, Metrics};
use iam::Identities;
use iam_formats::KelpgateConfig;
use ids::Network;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use s3::HostRules;

use crate::audit_log::{self, AuditLog};
use crate::certificates::{self, CertificateMetrics};
use crate::control_parts::Control;
use crate::control_plane::DataPlaneFence;
use crate::fingerprint::Fingerprint;
use crate::key_metrics::AccessKeys;
use crate::limits::{connection_limits, rate_limits};
use crate::listening::listen;
use crate::plan::Plan;
use crate::process_metrics::ProcessMetrics;
use crate::quotas;
use crate::reloading::Reloading;
use crate::settings::Settings;
use crate::status::{Status, Storage};
use crate::tracer;
use crate::workers::{WorkerMetrics, Workers};

/// The largest body of one PUT, as on AWS.
const BODY_BYTES_MAX: u64 = 5 << 30;
/// How long the sender of a body may pause.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// What is checked before anything is opened.
pub fn check(settings: &Settings) -> Result<(), String> {
    settings.audit_file.as_deref().map(audit_log::of_weed).transpose()?;
    tls(settings, None).map(|_| ())
}

/// Runs the gateway until a signal arrives. Calls `announce` with the URL once it listens.
pub async fn run(mut plan: Plan, settings: Settings, announce: impl FnOnce(&str)) -> Result<(), String> {
    let started = Instant::now();
    (plan.complete)(&mut plan.configuration.identities, plan.root.as_ref())?;
    let config = &plan.configuration;
    (settings.log_filter)(config.iam.kelpgate.log.as_deref())?();
    let region = if settings.region.is_empty() { "us-east-1" } else { &settings.region };
    let auditing = audit_log::start(&config.iam.kelpgate.audit, settings.audit_file.as_deref(), region)?;
    let authenticator = Authenticator::new(settings.region.clone(), settings.signature_v2, plan.session_keys.clone());
    let control = Control::start(&plan, &settings, authenticator.uses()).await?;
    let tls = tls(&settings, config.iam.client_authorities.as_deref())?.map(Arc::new);

    let fingerprint = Arc::new(fingerprint(&plan, &settings, &control.key_ids));
    let status = status(started, &plan, &settings, &control.follower, &fingerprint);
    let query_api = control.query_api(&plan, &settings)?;
    let worker_metrics = WorkerMetrics::default();
    let metrics = Arc::new(metrics(&control.follower, &worker_metrics, &auditing, &fingerprint, &plan.certificates));
    (plan.register_metrics)(&metrics);
    let mut workers = plan.workers;
    workers.extend(control.workers(&settings, &config.iam.kelpgate));
    workers.push(audit_log::anchors(&auditing, &plan.filer));
    let (tracer, exporter) = tracer::start(config.iam.kelpgate.traces.as_ref(), &metrics)?;
    workers.extend(exporter);
    workers.extend(tls.as_ref().map(|tls| certificates::watch(tls, plan.certificates)));

    let gateway = Arc::new(Gateway {
        settings: data_plane(&settings, &config.iam.kelpgate, plan.trusted_proxies),
        filer: plan.filer,
        filer_configuration: plan.filer_configuration,
        snapshot: control.follower.shared(),
        authenticator,
        fence: Arc::new(DataPlaneFence::new(&control.follower, &config.iam)),
        query_api: Arc::new(query_api),
        status: Arc::new(status),
        metrics,
        upload_limits: settings.upload_limits.clone(),
        connections: Arc::default(),
        rate_limits: rate_limits(&config.iam.kelpgate.limits).into(),
        tracer,
        auditor: Arc::new(AuditLog(Arc::clone(&auditing))),
        signature_limit: gateway::SignatureLimit::default(),
    });
    gateway.connections.limit(connection_limits(&config.iam.kelpgate.limits));
    quotas::limit(plan.embedded.as_deref(), &config.iam.kelpgate.quotas).await?;
    let reloading = Reloading {
        tls,
        gateway: Arc::clone(&gateway),
        filers: if plan.several { plan.filer_names } else { Vec::new() },
        embedded: plan.embedded,
        settings: &settings,
        follower: &control.follower,
        fingerprint: &fingerprint,
        complete: |identities: &mut Identities| (plan.complete)(identities, plan.root.as_ref()),
        auditing: Arc::clone(&auditing),
        in_force: plan.configuration.iam.into(),
    };
    let workers = Workers::start(workers, &worker_metrics);
    let served = listen(&gateway, &reloading, announce).await;
    // Before the last anchors, which are about the last records.
    let _ = tokio::task::spawn_blocking(move || auditing.stop()).await;
    workers.stop().await;
    control.following.stop();
    served
}

/// What gateways of one cluster should have in common. `key_ids` are those of the keys that encrypt secrets.
fn fingerprint(plan: &Plan, settings: &Settings, key_ids: &str) -> Fingerprint {
    let flags = format!("{} {key_ids}", flags_of(settings, &plan.trusted_proxies));
    let config = &plan.configuration;
    Fingerprint::new(plan.session_keys.as_deref(), &flags, &config.iam, &config.identities)
}

fn status(
    started: Instant,
    plan: &Plan,
    settings: &Settings,
    follower: &Arc<Follower>,
    fingerprint: &Arc<Fingerprint>,
) -> Status {
    Status {
        started,
        follower: Arc::clone(follower),
        filers: plan.filer_names.clone(),
        filer_version: plan.filer_configuration.version.clone(),
        policy_store: plan.configuration.iam.policy_store.name(),
        role_store: plan.configuration.iam.role_store.name(),
        weed_gateways: Arc::clone(&plan.weed_gateways),
        storage: plan.embedded.clone().map(|filer| -> Storage { Box::new(move || filer.health()) }),
        fingerprint: Arc::clone(fingerprint),
        signature_v2: settings.signature_v2,
    }
}

/// The metrics that do not depend on the kind of filer.
fn metrics(
    follower: &Arc<Follower>,
    workers: &WorkerMetrics,
    auditing: &Auditing,
    fingerprint: &Fingerprint,
    certificates: &CertificateMetrics,
) -> Metrics {
    let metrics = Metrics::default();
    metrics.register(|registry| follower.metrics().register(registry));
    metrics.register(|registry| workers.register(registry));
    metrics.register_common(|registry| registry.register_collector(Box::new(ProcessMetrics)));
    metrics.register(|registry| auditing.metrics().register(registry));
    let access_keys = AccessKeys(Arc::clone(follower));
    metrics.register_common(|registry| registry.register_collector(Box::new(access_keys)));
    metrics.register(|registry| register_session_keys(registry, fingerprint));
    metrics.register(|registry| certificates.register(registry));
    metrics
}

fn data_plane(settings: &Settings, kelpgate: &KelpgateConfig, trusted_proxies: Vec<Network>) -> gateway::Settings {
    let (uid, gid) = owner_of_process();
    let domains = HostRules::new(settings.domain_names.iter().map(String::as_str));
    gateway::Settings {
        addressing: Addressing::new(domains, Some(settings.external_url.as_str()), trusted_proxies),
        region: settings.region.clone(),
        allowed_origins: settings.allowed_origins.clone(),
        allow_delete_bucket_not_empty: settings.allow_delete_bucket_not_empty,
        auto_create_bucket: settings.auto_create_bucket,
        website_domains: HostRules::new(kelpgate.website_domains.iter().map(String::as_str)),
        new_buckets: kelpgate.new_buckets,
        object_mode: settings.object_mode,
        uid,
        gid,
        body_patience: BODY_PATIENCE,
        max_body_bytes: BODY_BYTES_MAX,
        metrics_apart: settings.metrics.is_some(),
    }
}

/// The TLS of the listener, if there is any. `authorities` is the file with those of certificates for sign-ins.
fn tls(settings: &Settings, authorities: Option<&str>) -> Result<Option<Tls>, String> {
    if settings.tls.is_none() && authorities.is_some() {
        return Err("a provider of type `certificate` needs TLS: set -cert.file and -key.file, or remove it".to_owned());
    }
    let sign_in_authorities = authorities.map(PathBuf::from);
    let files = settings.tls.clone().map(|files| TlsFiles { sign_in_authorities, ..files });
    let loaded = files.map(Tls::load).transpose();
    loaded.map_err(|error| format!("TLS: {error}"))
}

/// The settings of the command line that every gateway of a cluster should share.
fn flags_of(settings: &Settings, proxies: &[Network]) -> String {
    let Settings { region, domain_names, external_url, allowed_origins, signature_v2, object_mode, .. } = settings;
    let (create, delete) = (settings.auto_create_bucket, settings.allow_delete_bucket_not_empty);
    let (iam, iam_read_only) = (settings.iam, settings.iam_read_only);
    format!(
        "{region:?} {domain_names:?} {external_url:?} {allowed_origins:?} {signature_v2} {object_mode:o} {create} {delete} \
         {iam} {iam_read_only} {proxies:?}"
    )
}

/// The user and group of this process, read from its directory under /proc.
fn owner_of_process() -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").map(|metadata| (metadata.uid(), metadata.gid())).unwrap_or_default()
}

/// Which keys sign and verify sessions, by their fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SessionKeyLabels {
    fingerprint: String,
    signs: String,
}

/// Registers `session_keys`: 1 for each key.
fn register_session_keys(registry: &mut Registry, fingerprint: &Fingerprint) {
    let keys = Family::<SessionKeyLabels, Gauge>::default();
    let signing = fingerprint.signing_key.iter().map(|key| (key, true));
    for (key, signs) in signing.chain(fingerprint.accepted_keys.iter().map(|key| (key, false))) {
        keys.get_or_create(&SessionKeyLabels { fingerprint: key.clone(), signs: signs.to_string() }).set(1);
    }
    registry.register("session_keys", "Keys whose sessions are accepted, and which of them signs new ones", keys);
}
