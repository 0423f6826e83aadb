//! Background workers: what a gateway does besides answering requests.
//!
//! A worker is a name, a period and a job. This module runs it, counts its runs and failures, logs each failure, and
//! stops it in order. A job that fails or panics runs again later, and no other worker notices.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long all workers together may take to stop.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A run that failed is repeated after this time, if the period does not say how often the job runs.
const RETRY: Duration = Duration::from_secs(1);

/// A job that runs in the background for as long as the gateway does.
pub struct Worker {
    name: &'static str,
    period: Period,
    runs_on: RunsOn,
    runs_at_stop: bool,
    job: Box<dyn Fn() -> Run + Send + Sync>,
}

/// When a job runs. A run that failed is repeated after the time of `Every`, or after a second.
pub enum Period {
    /// At the start, and each time so long after the end of the run before.
    Every(Duration),
    /// After the start, and after each change.
    AfterChange {
        /// Tells of changes.
        changes: watch::Receiver<u64>,
        /// Changes that come within this time are one run.
        collect: Duration,
        /// A random part of this time is added, so that gateways do not begin at the same moment.
        spread: Duration,
    },
}

/// Which gateways of a cluster run a worker.
///
/// No worker needs a leader, so gateways do not elect one: a job must tolerate that every gateway does it at the same
/// time. The first worker that needs a leader adds a variant here, and the election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunsOn {
    /// All of them, each for itself.
    EveryGateway,
}

/// The end of a run that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// Nothing is left to do until the next period.
    Done,
    /// There is more to do, for example because another gateway wrote first: the job runs again without waiting for a change, or after the
    /// time of [`Period::Every`]. This is not a failure.
    Again,
}

/// One run of a job. The error is for the log.
type Run = Pin<Box<dyn Future<Output = Result<RunEnd, String>> + Send>>;

impl Worker {
    /// A worker. `name` is its label in metrics and logs; no two workers of a gateway share one. The error of a run is logged.
    pub fn new<Job, Running>(name: &'static str, period: Period, runs_on: RunsOn, job: Job) -> Self
    where
        Job: Fn() -> Running + Send + Sync + 'static,
        Running: Future<Output = Result<RunEnd, String>> + Send + 'static,
    {
        Self { name, period, runs_on, runs_at_stop: false, job: Box::new(move || Box::pin(job())) }
    }

    /// The job runs once more when the gateway stops, for what came up after its last run.
    #[must_use]
    pub fn runs_at_stop(self) -> Self {
        Self { runs_at_stop: true, ..self }
    }

    async fn work(mut self, metrics: WorkerMetrics, mut stop: watch::Receiver<bool>) {
        tracing::debug!(worker = self.name, runs_on = ?self.runs_on, "background worker started");
        let mut last = Last::None;
        loop {
            tokio::select! {
                biased;
                // An error means that the sender is gone: stop as well.
                _ = stop.wait_for(|stop| *stop) => break,
                () = self.period.due(last) => {}
            }
            // Outside of `select!`: a run that has begun ends.
            last = self.run(&metrics).await;
        }
        if self.runs_at_stop {
            self.run(&metrics).await;
        }
    }

    async fn run(&self, metrics: &WorkerMetrics) -> Last {
        let labels = Labels { worker: self.name };
        // What a job shares with others is behind locks, which a panic poisons or releases.
        let ran = AssertUnwindSafe(async { (self.job)().await }).catch_unwind().await;
        metrics.runs.get_or_create(&labels).inc();
        let why = match ran {
            Ok(Ok(ran)) => {
                metrics.last_run_seconds.get_or_create(&labels).set(now_s());
                return Last::Ended(ran);
            }
            Ok(Err(why)) => why,
            Err(panic) => format!("it panicked: {}", message(&*panic)),
        };
        metrics.failures.get_or_create(&labels).inc();
        tracing::warn!(
            worker = self.name,
            "a background worker failed, and tries again in {:?}: {why}",
            self.period.retry()
        );
        Last::Failed
    }
}

/// How the last run ended, if there was one.
#[derive(Clone, Copy)]
enum Last {
    None,
    Ended(RunEnd),
    Failed,
}

impl Period {
    fn retry(&self) -> Duration {
        match self {
            Self::Every(time) => *time,
            Self::AfterChange { .. } => RETRY,
        }
    }

    /// Waits until the next run is due.
    async fn due(&mut self, last: Last) {
        match (&mut *self, last) {
            (Self::Every(_), Last::None) => {}
            (Self::Every(time), _) => tokio::time::sleep(*time).await,
            (Self::AfterChange { changes, collect, spread }, last) => {
                match last {
                    Last::None | Last::Ended(RunEnd::Again) => {}
                    Last::Ended(RunEnd::Done) => {
                        if changes.changed().await.is_err() {
                            // Nobody is left who could change anything.
                            std::future::pending::<()>().await;
                        }
                    }
                    Last::Failed => tokio::time::sleep(RETRY).await,
                }
                tokio::time::sleep(*collect + spread.mul_f64(rand::random())).await;
                changes.borrow_and_update();
            }
        }
    }
}

/// All workers of a gateway, running.
pub struct Workers {
    running: Vec<(&'static str, JoinHandle<()>)>,
    stop: watch::Sender<bool>,
}

impl Workers {
    /// Starts them.
    pub fn start(workers: Vec<Worker>, metrics: &WorkerMetrics) -> Self {
        let (stop, stopped) = watch::channel(false);
        let start = |worker: Worker| {
            metrics.know(worker.name);
            (worker.name, tokio::spawn(worker.work(metrics.clone(), stopped.clone())))
        };
        Self { running: workers.into_iter().map(start).collect(), stop }
    }

    /// Stops them: each ends the run that it is in, and those of [`Worker::runs_at_stop`] run once more. Who takes longer than
    /// [`STOP_PATIENCE`] is broken off, and the log says so.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let deadline = Instant::now() + STOP_PATIENCE;
        for (worker, mut handle) in self.running {
            if tokio::time::timeout_at(deadline, &mut handle).await.is_err() {
                handle.abort();
                tracing::warn!(worker, "a background worker did not end within {STOP_PATIENCE:?}, and was aborted");
            }
        }
    }
}

/// What is counted for each worker.
#[derive(Debug, Clone, Default)]
pub struct WorkerMetrics {
    runs: Family<Labels, Counter>,
    failures: Family<Labels, Counter>,
    last_run_seconds: Family<Labels, Gauge<f64, AtomicU64>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    worker: &'static str,
}

impl WorkerMetrics {
    /// Registers them as `worker_*`, in a registry that puts its own prefix before them.
    pub fn register(&self, registry: &mut Registry) {
        let worker = registry.sub_registry_with_prefix("worker");
        worker.register("runs", "Runs of background workers", self.runs.clone());
        worker.register("failures", "Runs of background workers that failed", self.failures.clone());
        let help = "When a background worker last ran without a failure, seconds since 1970";
        worker.register("last_run_seconds", help, self.last_run_seconds.clone());
    }

    /// Shows a worker that has not run yet.
    fn know(&self, worker: &'static str) {
        drop(self.runs.get_or_create(&Labels { worker }));
        drop(self.failures.get_or_create(&Labels { worker }));
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}
