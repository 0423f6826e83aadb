//! The room of background workers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus_client::registry::Registry;
use server::workers::{Period, RunEnd, RunsOn, STOP_PATIENCE, Worker, WorkerMetrics, Workers};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);

/// Counts runs, and ends each as `end` says, which is told the number of the run.
fn counting(
    end: impl Fn(usize) -> Result<RunEnd, String> + Send + Sync + 'static,
    name: &'static str,
    period: Period,
) -> (Worker, Arc<AtomicUsize>) {
    let (runs, end) = (Arc::new(AtomicUsize::new(0)), Arc::new(end));
    let counted = Arc::clone(&runs);
    let job = move || {
        let (counted, end) = (Arc::clone(&counted), Arc::clone(&end));
        async move { end(counted.fetch_add(1, Ordering::SeqCst) + 1) }
    };
    (Worker::new(name, period, RunsOn::EveryGateway, job), runs)
}

struct Room {
    workers: Workers,
    registry: Registry,
}

impl Room {
    fn start(workers: Vec<Worker>) -> Self {
        let (metrics, mut registry) = (WorkerMetrics::default(), Registry::default());
        metrics.register(&mut registry);
        Self { workers: Workers::start(workers, &metrics), registry }
    }

    /// The value of a metric; `None` if it is not printed.
    fn metric(&self, name: &str, worker: &str) -> Option<f64> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let start = format!("worker_{name}{{worker=\"{worker}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).map(|value| value.parse().unwrap())
    }

    fn runs_and_failures(&self, worker: &str) -> (Option<f64>, Option<f64>) {
        (self.metric("runs_total", worker), self.metric("failures_total", worker))
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_at_the_start_and_after_each_period() {
    let (worker, runs) = counting(|_| Ok(RunEnd::Done), "w", Period::Every(MINUTE));
    let room = Room::start(vec![worker]);
    assert_eq!(room.runs_and_failures("w"), (Some(0.0), Some(0.0)), "known before it runs");
    for want in 1..4 {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(runs.load(Ordering::SeqCst), want);
        sleep(MINUTE - Duration::from_secs(1)).await;
    }
    assert!(room.metric("last_run_seconds", "w").unwrap() > 1.6e9);
    room.workers.stop().await;
    let ran = runs.load(Ordering::SeqCst);
    sleep(10 * MINUTE).await;
    assert_eq!(runs.load(Ordering::SeqCst), ran, "nothing runs after the stop");
}

#[tokio::test(start_paused = true)]
async fn changes_that_come_together_are_one_run_and_what_is_left_is_done_without_one() {
    let (changed, changes) = watch::channel(0);
    let period =
        Period::AfterChange { changes, collect: Duration::from_millis(300), spread: Duration::from_millis(200) };
    let end = |run| match run {
        3 => Ok(RunEnd::Again),
        5 => Err("no answer".to_owned()),
        _ => Ok(RunEnd::Done),
    };
    let (worker, runs) = counting(end, "w", period);
    let room = Room::start(vec![worker]);
    let wait_ms = |millis| sleep(Duration::from_millis(millis));
    wait_ms(299).await;
    assert_eq!(runs.load(Ordering::SeqCst), 0, "changes are collected at the start as well");
    wait_ms(MINUTE.as_millis() as u64).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1, "without a change it rests");
    for number in 1..10 {
        changed.send_replace(number);
        wait_ms(20).await;
    }
    wait_ms(500).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2, "nine changes, one run");
    changed.send_replace(10);
    wait_ms(1100).await;
    assert_eq!(runs.load(Ordering::SeqCst), 4, "the third run asked for the fourth");
    changed.send_replace(11);
    wait_ms(510).await;
    assert_eq!(room.runs_and_failures("w"), (Some(5.0), Some(1.0)));
    wait_ms(1510).await;
    assert_eq!(room.runs_and_failures("w"), (Some(6.0), Some(1.0)), "what failed is tried again, without a change");
    room.workers.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_counted_and_logged() {
    let log = Log::default();
    let _guard = log.listen();
    let (worker, _) = counting(
        |run| if run == 2 { Err("the filer is away".to_owned()) } else { Ok(RunEnd::Done) },
        "w",
        Period::Every(MINUTE),
    );
    let room = Room::start(vec![worker]);
    sleep(Duration::from_secs(1)).await;
    let ended = room.metric("last_run_seconds", "w").unwrap();
    assert_eq!((room.runs_and_failures("w"), log.text()), ((Some(1.0), Some(0.0)), String::new()));
    sleep(MINUTE).await;
    assert_eq!(room.runs_and_failures("w"), (Some(2.0), Some(1.0)));
    assert_eq!(room.metric("last_run_seconds", "w"), Some(ended), "a run that failed is not the last good one");
    assert!(
        log.text().contains("WARN") && log.text().contains("the filer is away") && log.text().contains("worker=\"w\""),
        "{}",
        log.text()
    );
    sleep(MINUTE).await;
    assert_eq!(room.runs_and_failures("w"), (Some(3.0), Some(1.0)));
    room.workers.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_neither_the_others_nor_the_worker_itself() {
    let log = Log::default();
    let _guard = log.listen();
    let panics = |run| if run == 1 { panic!("out of range") } else { Ok(RunEnd::Done) };
    let (panicking, _) = counting(panics, "panicking", Period::Every(MINUTE));
    let (other, _) = counting(|_| Ok(RunEnd::Done), "other", Period::Every(MINUTE));
    let room = Room::start(vec![panicking, other]);
    sleep(MINUTE + Duration::from_secs(1)).await;
    assert_eq!(room.runs_and_failures("panicking"), (Some(2.0), Some(1.0)));
    assert_eq!(room.runs_and_failures("other"), (Some(2.0), Some(0.0)));
    assert!(log.text().contains("out of range"), "{}", log.text());
    room.workers.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_run_in_progress_and_then_for_the_last_one() {
    for (runs_at_stop, want) in [(false, 1), (true, 2)] {
        let (begun, ended) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (tells, counts) = (Arc::clone(&begun), Arc::clone(&ended));
        let slow = move || {
            let (tells, counts) = (Arc::clone(&tells), Arc::clone(&counts));
            async move {
                tells.notify_one();
                sleep(Duration::from_secs(1)).await;
                counts.fetch_add(1, Ordering::SeqCst);
                Ok(RunEnd::Done)
            }
        };
        let worker = Worker::new("w", Period::Every(MINUTE), RunsOn::EveryGateway, slow);
        let room = Room::start(vec![if runs_at_stop { worker.runs_at_stop() } else { worker }]);
        begun.notified().await;
        room.workers.stop().await;
        assert_eq!(ended.load(Ordering::SeqCst), want, "runs_at_stop: {runs_at_stop}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_hangs_holds_up_the_stop_for_so_long_and_no_longer() {
    let log = Log::default();
    let _guard = log.listen();
    let hangs = || std::future::pending::<Result<RunEnd, String>>();
    let names = ["one", "two"];
    let workers = names.map(|name| Worker::new(name, Period::Every(MINUTE), RunsOn::EveryGateway, hangs));
    let (last, runs) = counting(|_| Ok(RunEnd::Done), "last", Period::Every(MINUTE));
    let room = Room::start(workers.into_iter().chain([last.runs_at_stop()]).collect());
    sleep(Duration::from_secs(1)).await;
    let before = Instant::now();
    room.workers.stop().await;
    assert_eq!(before.elapsed(), STOP_PATIENCE, "for all of them together");
    assert_eq!(runs.load(Ordering::SeqCst), 2, "a worker that hangs takes nothing from the next one");
    for name in names {
        assert!(log.text().contains(&format!("worker=\"{name}\"")), "{}", log.text());
    }
}

/// What this thread logs, from warnings on.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_ansi(false);
        tracing::subscriber::set_default(subscriber.with_writer(move || log.clone()).finish())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
