//! The store, the change feed and the APIs of IAM and STS, put together.

use std::sync::Arc;
use std::time::Duration;

use access::RecentUses;
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
use iam_formats::{FenceSettings, KelpgateConfig};
use store::{FilerStore, Layout, SecretKeys};
use tokio::sync::oneshot;

use crate::background;
use crate::control_plane::ControlPlane;
use crate::plan::Plan;
use crate::seeding;
use crate::settings::Settings;
use crate::workers::Worker;

/// What the control plane is made of.
pub(crate) struct Control {
    store: FilerStore,
    /// The ids of the keys that encrypt secrets in the store.
    pub(crate) key_ids: String,
    pub(crate) follower: Arc<Follower>,
    pub(crate) following: Following,
    recorder: Arc<Recorder>,
    key_demand: Arc<KeyDemand>,
}

impl Control {
    /// Opens the store, and follows it.
    pub(crate) async fn start(plan: &Plan, settings: &Settings, uses: Arc<RecentUses>) -> Result<Self, String> {
        let (store, key_ids) = open_store(plan)?;
        seeding::seed(&store, &plan.configuration.iam).await?;
        let follower = Arc::new(follower(plan, settings, &store));
        let following = Following::start(Arc::clone(&follower))?;
        let recorder = Arc::new(Recorder::new(uses, store.clone(), Arc::clone(&follower)));
        Ok(Self { store, key_ids, follower, following, recorder, key_demand: Arc::default() })
    }

    /// The APIs of IAM and STS.
    pub(crate) fn query_api(&self, plan: &Plan, settings: &Settings) -> Result<ControlPlane, String> {
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
    pub(crate) fn workers(&self, settings: &Settings, config: &KelpgateConfig) -> Vec<Worker> {
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

/// The change feed on a thread of its own: listing many documents must not delay requests.
pub(crate) struct Following {
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
    pub(crate) fn stop(self) {
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
