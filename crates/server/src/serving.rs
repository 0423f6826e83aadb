//! What `server` and `s3` share: putting the two planes together, listening, and stopping in the right order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use access::{Addressing, Authenticator, RecentUses};
use audit::Auditing;
use control::endpoint::QueryEndpoint;
use control::feed::Follower;
use control::fence::FenceConfig;
use control::iam_api::IamApi;
use control::last_used::Recorder;
use control::mirror::Mirror;
use control::revocations::Revocations;
use control::sts_api::StsApi;
use federation::{Directory, KeyDemand, KeyKeeper, Plugin};
use fence::Moment;
use filer::{EmbeddedFiler, Filer, FilerConfiguration};
use gateway::accept::{self, CONNECTIONS_MAX, Limits};
use gateway::tls::{Tls, TlsFiles};
use gateway::{ConnectionLimits, Gateway, Limit, Metrics, Rate, RateLimits, Rates};
use iam::Identities;
use iam_formats::{ConnectionSettings, FenceSettings, KelpgateConfig, LimitSetting, LimitSettings, RateSetting};
use ids::Network;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use s3::HostRules;
use store::{FilerStore, Layout, SecretKeys};
use sts::SessionKeys;
use tokio::sync::{oneshot, watch};

use crate::audit_log::{self, AuditLog};
use crate::background;
use crate::certificates::{self, CertificateMetrics};
use crate::configuration::Configuration;
use crate::control_plane::{ControlPlane, DataPlaneFence};
use crate::fingerprint::Fingerprint;
use crate::key_metrics::AccessKeys;
use crate::listen::Place;
use crate::process_metrics::ProcessMetrics;
use crate::quotas;
use crate::reloading::Reloading;
use crate::root_key::RootKey;
use crate::settings::Settings;
use crate::status::{Status, Storage};
use crate::workers::{Worker, WorkerMetrics, Workers};

/// The largest body of one PUT, as on AWS.
const MAX_BODY_BYTES: u64 = 5 << 30;
/// How long the sender of a body may pause.
const BODY_PATIENCE: Duration = Duration::from_secs(60);
/// How long requests in progress may take after a signal to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// How long requests are still decided after a signal to stop.
const LAST_REQUESTS: Duration = Duration::from_millis(100);

/// What differs between `server` and `s3`.
pub struct Plan {
    pub filer: Arc<dyn Filer>,
    pub filer_configuration: FilerConfiguration,
    pub configuration: Configuration,
    pub trusted_proxies: Vec<Network>,
    pub session_keys: Option<Arc<SessionKeys>>,
    pub filer_names: Vec<String>,
    /// Adds the identity that is not in any file: the root user, or the administrator from the environment.
    pub complete: fn(&mut Identities, Option<&RootKey>) -> Result<(), String>,
    /// For `complete`.
    pub root: Option<RootKey>,
    /// SeaweedFS's gateways on the same cluster, kept up to date by the caller that made the plan.
    pub weed_gateways: Arc<RwLock<Vec<String>>>,
    /// Background workers that belong to the kind of filer.
    pub workers: Vec<Worker>,
    /// Whether other gateways may use the same filer.
    pub several: bool,
    /// The embedded filer, if it is the filer.
    pub embedded: Option<Arc<EmbeddedFiler>>,
    /// When certificates expire.
    pub certificates: CertificateMetrics,
    /// Adds the filer client's metrics.
    pub register_metrics: Box<dyn FnOnce(&Metrics) + Send>,
}

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

/// What the control plane is made of.
struct Control {
    store: FilerStore,
    /// The ids of the keys that encrypt secrets in the store.
    key_ids: String,
    follower: Arc<Follower>,
    following: Following,
    recorder: Arc<Recorder>,
    key_demand: Arc<KeyDemand>,
}

impl Control {
    /// Opens the store, and follows it.
    async fn start(plan: &Plan, settings: &Settings, uses: Arc<RecentUses>) -> Result<Self, String> {
        let (store, key_ids) = open_store(plan)?;
        seed(&store, &plan.configuration).await;
        let follower = Arc::new(follower(plan, settings, &store));
        let following = Following::start(Arc::clone(&follower))?;
        let recorder = Arc::new(Recorder::new(uses, store.clone(), Arc::clone(&follower)));
        Ok(Self { store, key_ids, follower, following, recorder, key_demand: Arc::default() })
    }

    /// The APIs of IAM and STS.
    fn query_api(&self, plan: &Plan, settings: &Settings) -> Result<ControlPlane, String> {
        let (config, follower) = (&plan.configuration.iam, || Arc::clone(&self.follower));
        let iam = settings.iam.then(|| {
            let (recorder, unfenced) = (Arc::clone(&self.recorder), config.kelpgate.fence.off.clone());
            IamApi::new(follower(), self.store.clone(), settings.iam_read_only, recorder, unfenced)
        });
        let directories = config.directories.iter().cloned().map(Directory::new).collect::<Result<_, _>>()?;
        let (keys, key_demand) = (plan.session_keys.clone(), Arc::clone(&self.key_demand));
        let sts = StsApi::new(follower(), keys, key_demand, self.store.clone(), &config.sts);
        let sts = sts.with_directories(directories).with_plugin(config.plugin.clone().map(Plugin::new));
        Ok(ControlPlane(QueryEndpoint::new(iam, sts)))
    }

    /// The workers that keep IAM documents up to date.
    fn workers(&self, settings: &Settings, config: &KelpgateConfig) -> Vec<Worker> {
        let (store, follower) = (|| self.store.clone(), || Arc::clone(&self.follower));
        let keeper = KeyKeeper::new(store(), self.follower.shared(), Arc::clone(&self.key_demand), config.oidc.clone());
        let revocations = Revocations::new(store(), follower());
        let mut workers = vec![background::oidc_keys(keeper), background::session_revocations(revocations)];
        workers.extend(background::last_used(&self.recorder));
        if settings.iam && !settings.iam_read_only {
            let mirror = Mirror::new(follower(), store(), config.mirror_inline_policies);
            workers.push(background::mirror(mirror, self.follower.revisions()));
        }
        workers
    }
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

/// The IAM documents, and the ids of the keys that encrypt secrets in them.
fn open_store(plan: &Plan) -> Result<(FilerStore, String), String> {
    let config = &plan.configuration;
    let layout = Layout::new(&config.iam, &plan.filer_configuration.buckets_root);
    let secret_keys = config.secret_keys()?;
    let key_ids = secret_keys.iter().flat_map(SecretKeys::ids).collect::<Vec<_>>().join(", ");
    if !key_ids.is_empty() {
        tracing::info!("secret access keys are stored encrypted; keys {key_ids}, the first one encrypts");
    }
    Ok((FilerStore::new(Arc::clone(&plan.filer), layout).with_secrets(secret_keys), key_ids))
}

fn follower(plan: &Plan, settings: &Settings, store: &FilerStore) -> Follower {
    let config = &plan.configuration;
    let follower = Follower::new(Arc::clone(&plan.filer), store.clone(), &config.iam, &config.identities);
    if !plan.several || !config.iam.kelpgate.fence.enabled {
        return follower;
    }
    follower.fenced(fence_config(&config.iam.kelpgate.fence, plan, settings))
}

pub(crate) fn rate_limits(limits: &LimitSettings) -> Arc<RateLimits> {
    let rate =
        |setting: Option<RateSetting>| setting.map(|RateSetting { per_second, burst }| Rate { per_second, burst });
    let limit = |setting: LimitSetting| Limit { requests: rate(setting.requests), bytes: rate(setting.bytes) };
    let LimitSettings { key, user, bucket, address, .. } = *limits;
    let rates = Rates { key: limit(key), user: limit(user), bucket: limit(bucket), address: limit(address) };
    Arc::new(RateLimits::new(&rates))
}

pub(crate) fn connection_limits(limits: &LimitSettings) -> ConnectionLimits {
    let ConnectionSettings { per_address, in_all } = limits.connections;
    ConnectionLimits { per_address, in_all }
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
        max_body_bytes: MAX_BODY_BYTES,
        metrics_apart: settings.metrics.is_some(),
    }
}

/// The change feed on a thread of its own: listing many documents must not delay requests.
struct Following {
    thread: std::thread::JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Following {
    fn start(follower: Arc<Follower>) -> Result<Self, String> {
        let problem = |error: std::io::Error| format!("the thread of the change feed does not start: {error}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(problem)?;
        let (stop, stopped) = oneshot::channel();
        let follow = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = follower.run() => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("feed".to_owned()).spawn(follow).map_err(problem)?;
        Ok(Self { thread, stop })
    }

    /// Ends the thread, so that nothing uses the filer afterwards.
    fn stop(self) {
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the thread of the change feed ended with a panic");
        }
    }
}

/// How this gateway works together with the others on its filer.
fn fence_config(fence: &FenceSettings, plan: &Plan, settings: &Settings) -> FenceConfig {
    let anywhere = ["", "0.0.0.0", "[::]", "::"].contains(&settings.address.as_str());
    let host = if anywhere {
        std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
    } else {
        settings.address.clone()
    };
    FenceConfig {
        cluster: format!("{:08x}", plan.filer_configuration.signature),
        gateway: format!("{host}:{}", settings.port),
        boot_id: hex::encode(rand::random::<[u8; 16]>()),
        lease: Duration::from_millis(fence.lease_ms),
        renewal: Duration::from_millis(fence.renewal_ms),
        serves_expired: fence.serves_expired,
        about: [("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())].into(),
        clock: Arc::new(boot_time),
    }
}

/// Nanoseconds since the machine started, including the time that it slept.
fn boot_time() -> Moment {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Moment(seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0)))
}

async fn seed(store: &FilerStore, config: &Configuration) {
    match store.seed(&config.iam).await {
        Ok(seeded) => {
            for (what, names) in [("created", &seeded.created), ("updated", &seeded.updated)] {
                if !names.is_empty() {
                    tracing::info!("-iam.config: {what} on the filer: {}", names.join(", "));
                }
            }
            for kept in &seeded.kept {
                tracing::warn!("-iam.config: {kept}");
            }
        }
        Err(error) => {
            tracing::error!(%error, "-iam.config: its roles and policies could not all be written to the filer")
        }
    }
}

async fn listen<Complete: Fn(&mut Identities) -> Result<(), String>>(
    gateway: &Arc<Gateway>,
    reloading: &Reloading<'_, Complete>,
    announce: impl FnOnce(&str),
) -> Result<(), String> {
    let settings = reloading.settings;
    let tls = &reloading.tls;
    let (stop, stopped) = watch::channel(false);
    let limits = Limits { idle: settings.idle_timeout, connections: CONNECTIONS_MAX, drain: DRAIN };
    let main_is_tls = tls.is_some() && settings.port_https.is_none();
    let mut servers = Vec::new();
    let https = settings.port_https.map(|port| (port, "-port.https", true));
    let ports = [(settings.port, "-port", main_is_tls)].into_iter().chain(https);
    let mut url = String::new();
    for (port, port_flag, is_tls) in ports {
        let place = Place { bind: &settings.bind, bind_flag: "-ip.bind", port, port_flag };
        let listener = place.listen().await?;
        let local = listener.local_addr().map_err(|error| error.to_string())?;
        if url.is_empty() {
            url = format!("{}://{}", if is_tls { "https" } else { "http" }, shown(local));
        }
        let acceptor = tls.clone().filter(|_| is_tls);
        let shutdown = wait_for(stopped.clone());
        servers.push(tokio::spawn(accept::serve(listener, acceptor, Arc::clone(gateway), limits, shutdown)));
    }
    if let Some((ip, port)) = &settings.metrics {
        let (bind, bind_flag) = if ip.is_empty() { (&settings.bind, "-ip.bind") } else { (ip, "-metricsIp") };
        let listener = Place { bind, bind_flag, port: *port, port_flag: "-metricsPort" }.listen().await?;
        let pages = Arc::new(gateway::MetricsListener(Arc::clone(gateway)));
        servers.push(tokio::spawn(accept::serve(listener, None, pages, limits, wait_for(stopped.clone()))));
    }
    announce(&url);
    tracing::info!("serving S3, IAM and STS on {url}");
    signals(reloading).await?;
    tracing::info!("stopping: requests in flight may finish");
    let _ = stop.send(true);
    // Requests that are on their way to this gateway are still decided. After that, no change waits for a gateway that
    // is stopping.
    if let Some(fence) = reloading.follower.fence() {
        tokio::time::sleep(LAST_REQUESTS).await;
        fence.close(&*gateway.filer).await;
    }
    for server in servers {
        let _ = server.await;
    }
    Ok(())
}

async fn wait_for(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone: stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// The address as a client on this machine would write it.
fn shown(local: SocketAddr) -> String {
    if local.ip().is_unspecified() { format!("127.0.0.1:{}", local.port()) } else { local.to_string() }
}

/// Waits for SIGTERM or SIGINT. SIGHUP reloads.
async fn signals<Complete: Fn(&mut Identities) -> Result<(), String>>(
    reloading: &Reloading<'_, Complete>,
) -> Result<(), String> {
    use tokio::signal::unix::{SignalKind, signal};
    let open = |kind| signal(kind).map_err(|error| format!("signals cannot be received: {error}"));
    let (mut terminate, mut interrupt) = (open(SignalKind::terminate())?, open(SignalKind::interrupt())?);
    let mut hangup = open(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            // A filer that does not answer must not keep the gateway from stopping.
            _ = hangup.recv() => tokio::select! {
                () = reloading.reload() => {}
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
            },
        }
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
