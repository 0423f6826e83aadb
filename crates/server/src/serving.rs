//! What `server` and `s3` share: put the two planes together, listen, and stop in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use access::{Addressing, Door, Network};
use control::feed::Follower;
use control::fence::FenceConfig;
use control::last_used::Recorder;
use control::mirror::Mirror;
use fence::Moment;
use filer::{Filer, FilerConfiguration};
use gateway::accept::{self, CONNECTIONS_MAX, Limits};
use gateway::tls::{Tls, TlsFiles};
use gateway::{Gateway, Metrics, Settings, UploadLimits};
use iam::{FenceSettings, Identities};
use s3::HostRules;
use store::{FilerStore, IamStore, Layout, SecretKeys};
use sts::SessionKeys;
use tokio::net::{TcpListener, lookup_host};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::arguments::Serving;
use crate::configuration::Configuration;
use crate::control_plane::{ControlPlane, DataPlaneFence};
use crate::fingerprint::Fingerprint;
use crate::root_key::RootKey;
use crate::status::Status;

/// The most bytes of one PUT, as on AWS.
const MAX_BODY_BYTES: u64 = 5 << 30;
/// How long the sender of a body may pause.
const BODY_PATIENCE: Duration = Duration::from_secs(60);
/// How long requests in flight may take after a signal to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// How long a gateway that stops tries to mirror inline policies.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// How long requests are decided after a signal to stop.
const LAST_REQUESTS: Duration = Duration::from_millis(100);

/// What differs between the two.
pub struct Plan {
    pub filer: Arc<dyn Filer>,
    pub filer_configuration: FilerConfiguration,
    pub configuration: Configuration,
    pub trusted_proxies: Vec<Network>,
    pub session_keys: Option<Arc<SessionKeys>>,
    pub filer_names: Vec<String>,
    pub bind: String,
    pub region: String,
    pub auto_create_bucket: bool,
    pub iam: bool,
    pub iam_read_only: bool,
    /// Adds who is not in any file: the root user, or the administrator of the environment.
    pub complete: fn(&mut Identities, Option<&RootKey>) -> Result<(), String>,
    /// For `complete`.
    pub root: Option<RootKey>,
    /// Gateways of SeaweedFS on the same cluster, kept up to date by whoever made the plan.
    pub weed_gateways: Arc<RwLock<Vec<String>>>,
    /// Other gateways may use the same filer.
    pub several: bool,
    /// This gateway's address for other people's eyes, without its port; empty for the machine's name.
    pub address: String,
    /// Adds the filer client's metrics.
    pub register_metrics: Box<dyn FnOnce(&Metrics) + Send>,
}

/// The flags that are checked before anything is opened.
pub fn check(serving: &Serving) -> Result<(), String> {
    object_mode(serving)?;
    if serving.key_file.is_some() != serving.cert_file.is_some() {
        return Err("TLS needs both -key.file and -cert.file".to_owned());
    }
    if serving.port_https != 0 && serving.key_file.is_none() {
        return Err("-port.https needs -key.file and -cert.file".to_owned());
    }
    if serving.tls_verify_client_cert && (serving.cacert_file.is_none() || serving.key_file.is_none()) {
        return Err("-tlsVerifyClientCert needs -cacert.file, -key.file and -cert.file".to_owned());
    }
    tls(serving).map(|_| ())
}

/// Runs the gateway until a signal. `announce` is called with the URL when it listens.
pub async fn run(mut plan: Plan, serving: &Serving, announce: impl FnOnce(&str)) -> Result<(), String> {
    let started = Instant::now();
    if plan.region == "any" {
        plan.region.clear();
    }
    (plan.complete)(&mut plan.configuration.identities, plan.root.as_ref())?;
    let config = &plan.configuration;
    let layout = Layout::new(&config.iam, &plan.filer_configuration.buckets_root);
    let secret_keys = config.secret_keys()?;
    let key_ids = secret_keys.iter().flat_map(SecretKeys::ids).collect::<Vec<_>>().join(", ");
    if !key_ids.is_empty() {
        tracing::info!("secret access keys are stored encrypted; keys {key_ids}, the first one encrypts");
    }
    let store = FilerStore::new(Arc::clone(&plan.filer), layout).with_secrets(secret_keys);
    seed(&store, config).await;
    let mut follower = Follower::new(Arc::clone(&plan.filer), store.clone(), &config.iam, &config.identities);
    if plan.several && config.iam.kelpgate.fence.enabled {
        follower = follower.fenced(fence_config(&config.iam.kelpgate.fence, &plan, serving));
    }
    let follower = Arc::new(follower);
    let following = Following::start(Arc::clone(&follower))?;

    let metrics = Arc::new(Metrics::default());
    metrics.register(|registry| follower.metrics().register(registry));
    (plan.register_metrics)(&metrics);
    let keys = plan.session_keys;
    let flags = flags_of(&plan.region, &plan.trusted_proxies, (plan.iam, plan.iam_read_only), serving);
    let flags = format!("{flags} {key_ids}");
    let key = keys.as_ref().map(|keys| &keys.current);
    let fingerprint = Arc::new(Fingerprint::new(key, &flags, &config.iam, &config.identities));
    let door = Door::new(plan.region.clone(), serving.sig_v2, keys.clone());
    let recorder = Arc::new(Recorder::new(door.uses(), store.clone(), Arc::clone(&follower)));
    let store: Arc<dyn IamStore> = Arc::new(store);
    let mirror = (plan.iam && !plan.iam_read_only)
        .then(|| Mirror::new(Arc::clone(&follower), Arc::clone(&store), config.iam.kelpgate.mirror_inline_policies));
    let status = Status {
        started,
        follower: Arc::clone(&follower),
        filers: plan.filer_names,
        filer_version: plan.filer_configuration.version.clone(),
        policy_store: config.iam.policy_store.name(),
        role_store: config.iam.role_store.name(),
        weed_gateways: plan.weed_gateways,
        fingerprint: Arc::clone(&fingerprint),
    };
    let gateway = Arc::new(Gateway {
        settings: settings(serving, plan.region, plan.trusted_proxies, plan.auto_create_bucket)?,
        filer: plan.filer,
        filer_configuration: plan.filer_configuration,
        snapshot: follower.shared(),
        door,
        fence: Arc::new(DataPlaneFence::new(&follower, &config.iam)),
        query_api: Arc::new(ControlPlane::new(
            &follower,
            store,
            Arc::clone(&recorder),
            keys,
            &config.iam,
            plan.iam,
            plan.iam_read_only,
        )),
        status: Arc::new(status),
        metrics,
        upload_limits: UploadLimits::new(serving.concurrent_file_upload_limit, serving.concurrent_upload_limit_mb),
        signature_limit: gateway::SignatureLimit::default(),
    });
    let complete = |identities: &mut Identities| (plan.complete)(identities, plan.root.as_ref());
    let reloading = Reloading { serving, follower: &follower, fingerprint: &fingerprint, complete };
    let workers = Workers::start(recorder, mirror);
    let served = listen(&gateway, &plan.bind, &reloading, announce).await;
    workers.finish().await;
    following.stop();
    served
}

fn settings(
    serving: &Serving,
    region: String,
    trusted_proxies: Vec<Network>,
    auto_create_bucket: bool,
) -> Result<Settings, String> {
    let (uid, gid) = owner_of_process();
    Ok(Settings {
        addressing: addressing(serving, trusted_proxies),
        region,
        allowed_origins: list(&serving.allowed_origins),
        allow_delete_bucket_not_empty: serving.allow_delete_bucket_not_empty,
        auto_create_bucket: serving.auto_create_bucket.unwrap_or(auto_create_bucket),
        object_mode: object_mode(serving)?,
        uid,
        gid,
        body_patience: BODY_PATIENCE,
        max_body_bytes: MAX_BODY_BYTES,
        metrics_apart: serving.metrics_port != 0,
    })
}

/// What goes on in the background while requests are answered.
struct Workers {
    recorder: Arc<Recorder>,
    recording: JoinHandle<()>,
    mirror: Option<(Arc<Mirror>, JoinHandle<()>)>,
}

impl Workers {
    fn start(recorder: Arc<Recorder>, mirror: Option<Mirror>) -> Self {
        let recording = tokio::spawn({
            let recorder = Arc::clone(&recorder);
            async move { recorder.run().await }
        });
        let mirror = mirror.map(Arc::new).map(|mirror| {
            let running = Arc::clone(&mirror);
            (mirror, tokio::spawn(async move { running.run().await }))
        });
        Self { recorder, recording, mirror }
    }

    /// Stops them, and writes what they have not written yet.
    async fn finish(self) {
        self.recording.abort();
        if let Err(error) = self.recorder.flush().await {
            tracing::warn!(%error, "when keys were last used could not be written");
        }
        if let Some((mirror, mirroring)) = self.mirror {
            mirroring.abort();
            mirror_once_more(&mirror).await;
        }
    }
}

/// What was changed in the last moments is mirrored before the process ends.
async fn mirror_once_more(mirror: &Mirror) {
    let failed = match tokio::time::timeout(LAST_WRITES, mirror.reconcile()).await {
        Ok(done) => done.err().map(|error| error.to_string()),
        Err(_) => Some(format!("no answer within {LAST_WRITES:?}")),
    };
    if let Some(why) = failed {
        tracing::warn!("inline policies could not be mirrored for weed ({why}); any gateway that writes IAM does it");
    }
}

fn addressing(serving: &Serving, trusted_proxies: Vec<Network>) -> Addressing {
    let domains = HostRules::new(serving.domain_name.split(','));
    Addressing::new(domains, Some(serving.external_url.as_str()), trusted_proxies)
}

/// The change feed on a thread of its own: a listing of many documents must not hold up requests.
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

    /// Ends the thread, so that nothing uses the filer any more.
    fn stop(self) {
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the thread of the change feed ended with a panic");
        }
    }
}

/// How this gateway takes part among the others of its filer.
fn fence_config(settings: &FenceSettings, plan: &Plan, serving: &Serving) -> FenceConfig {
    let anywhere = ["", "0.0.0.0", "[::]", "::"].contains(&plan.address.as_str());
    let host = if anywhere {
        std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
    } else {
        plan.address.clone()
    };
    FenceConfig {
        cluster: format!("{:08x}", plan.filer_configuration.signature),
        gateway: format!("{host}:{}", serving.port),
        boot_id: hex::encode(rand::random::<[u8; 16]>()),
        lease: Duration::from_millis(settings.lease_ms),
        renewal: Duration::from_millis(settings.renewal_ms),
        serves_expired: settings.serves_expired,
        about: [("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())].into(),
        clock: Arc::new(boot_time),
    }
}

/// Nanoseconds since the machine started, the time that it slept included.
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

/// What SIGHUP reads again, and who has to know.
struct Reloading<'a, Complete: Fn(&mut Identities) -> Result<(), String>> {
    serving: &'a Serving,
    follower: &'a Follower,
    fingerprint: &'a Fingerprint,
    complete: Complete,
}

async fn listen<Complete: Fn(&mut Identities) -> Result<(), String>>(
    gateway: &Arc<Gateway>,
    bind: &str,
    reloading: &Reloading<'_, Complete>,
    announce: impl FnOnce(&str),
) -> Result<(), String> {
    let serving = reloading.serving;
    let tls = tls(serving)?;
    let (stop, stopped) = watch::channel(false);
    let idle = Duration::from_secs(serving.idle_timeout.max(1));
    let limits = Limits { idle, connections: CONNECTIONS_MAX, drain: DRAIN };
    let main_is_tls = tls.is_some() && serving.port_https == 0;
    let mut servers = Vec::new();
    let mut ports = vec![(serving.port, main_is_tls)];
    if serving.port_https != 0 {
        ports.push((serving.port_https, true));
    }
    let mut url = String::new();
    for (port, is_tls) in ports {
        let listener = bind_to(bind, port).await?;
        let local = listener.local_addr().map_err(|error| error.to_string())?;
        if url.is_empty() {
            url = format!("{}://{}", if is_tls { "https" } else { "http" }, shown(local));
        }
        let acceptor = tls.as_ref().filter(|_| is_tls).map(|tls| tls.acceptor());
        let shutdown = wait_for(stopped.clone());
        servers.push(tokio::spawn(accept::serve(listener, acceptor, Arc::clone(gateway), limits, shutdown)));
    }
    if serving.metrics_port != 0 {
        let bind = if serving.metrics_ip.is_empty() { bind } else { &serving.metrics_ip };
        let listener = bind_to(bind, serving.metrics_port).await?;
        let pages = Arc::new(gateway::MetricsListener(Arc::clone(gateway)));
        servers.push(tokio::spawn(accept::serve(listener, None, pages, limits, wait_for(stopped.clone()))));
    }
    announce(&url);
    tracing::info!("serving S3, IAM and STS on {url}");
    signals(tls.as_ref(), reloading).await?;
    tracing::info!("stopping: requests in flight may finish");
    let _ = stop.send(true);
    // Requests that are under way to this gateway are still decided; then no change waits for a gateway that goes away.
    if let Some(fencing) = reloading.follower.fencing() {
        tokio::time::sleep(LAST_REQUESTS).await;
        fencing.close(&*gateway.filer).await;
    }
    for server in servers {
        let _ = server.await;
    }
    Ok(())
}

async fn wait_for(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone: stop too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn bind_to(bind: &str, port: u16) -> Result<TcpListener, String> {
    let bare = bind.trim_start_matches('[').trim_end_matches(']');
    let host = if bare.is_empty() { "0.0.0.0" } else { bare };
    let problem = |error: std::io::Error| format!("cannot listen on {host}:{port}: {error}");
    let mut addresses = lookup_host((host, port)).await.map_err(problem)?;
    let address = addresses.next().ok_or_else(|| format!("cannot listen on {host}:{port}: no such host"))?;
    TcpListener::bind(address).await.map_err(problem)
}

/// The address as a client on this machine writes it.
fn shown(local: SocketAddr) -> String {
    if local.ip().is_unspecified() { format!("127.0.0.1:{}", local.port()) } else { local.to_string() }
}

/// Waits for SIGTERM or SIGINT. SIGHUP reads the identities file and the certificate again.
async fn signals<Complete: Fn(&mut Identities) -> Result<(), String>>(
    tls: Option<&Tls>,
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
            _ = hangup.recv() => reload(tls, reloading).await,
        }
    }
}

async fn reload<Complete: Fn(&mut Identities) -> Result<(), String>>(
    tls: Option<&Tls>,
    reloading: &Reloading<'_, Complete>,
) {
    let Reloading { serving, follower, fingerprint, complete } = reloading;
    if let Some(Err(error)) = tls.map(Tls::reload) {
        tracing::error!(%error, "SIGHUP: the certificate could not be read again; the old one stays");
    }
    let read = Configuration::read_identities(serving.config.as_deref(), serving.iam_config.as_deref());
    let replaced = match read.and_then(|mut identities| complete(&mut identities).map(|()| identities)) {
        Ok(identities) => {
            let replaced = follower.replace_identities(&identities).await.map_err(|error| error.to_string());
            replaced.map(|()| fingerprint.take(&identities))
        }
        Err(error) => Err(error),
    };
    match replaced {
        Ok(()) => tracing::info!("SIGHUP: identities and certificate were read again"),
        Err(error) => tracing::error!("SIGHUP: {error}; the old identities stay"),
    }
}

fn tls(serving: &Serving) -> Result<Option<Tls>, String> {
    let (Some(key), Some(certificate)) = (&serving.key_file, &serving.cert_file) else { return Ok(None) };
    let client_authorities: Option<PathBuf> = serving.cacert_file.clone().filter(|_| serving.tls_verify_client_cert);
    let files = TlsFiles { certificate: certificate.clone(), key: key.clone(), client_authorities };
    Tls::load(files).map(Some).map_err(|error| format!("TLS: {error}"))
}

/// The settings of the command line that every gateway of a cluster should share.
fn flags_of(region: &str, proxies: &[Network], (iam, iam_read_only): (bool, bool), serving: &Serving) -> String {
    let Serving { domain_name, external_url, allowed_origins, sig_v2, default_file_mode, .. } = serving;
    let (create, delete) = (serving.auto_create_bucket, serving.allow_delete_bucket_not_empty);
    format!(
        "{region:?} {domain_name:?} {external_url:?} {allowed_origins:?} {sig_v2} {default_file_mode:?} {create:?} {delete} \
         {iam} {iam_read_only} {proxies:?}"
    )
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn object_mode(serving: &Serving) -> Result<u32, String> {
    match serving.default_file_mode.as_str() {
        "" => Ok(gateway::object::OBJECT_MODE),
        text => u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| *mode <= 0o777)
            .ok_or_else(|| format!("-defaultFileMode `{text}` is no octal mode such as 0660")),
    }
}

/// User and group of this process, read off its own directory under /proc.
fn owner_of_process() -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").map(|metadata| (metadata.uid(), metadata.gid())).unwrap_or_default()
}
