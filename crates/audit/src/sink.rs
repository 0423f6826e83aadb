//! A sink: requests encode their records and add them to a queue with a bound, and a thread writes.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use access::AuditRecord;
use iam_formats::SinkSettings;
use tokio::sync::oneshot;

use crate::encoder::Encoder;
use crate::file::SharedHead;
use crate::filter;
use crate::metrics::SinkMetrics;
use crate::state::State;
use crate::writer::{Output, STOP_PATIENCE, Writer};

/// How many bytes may wait. Beyond that, a sink in mode best-effort loses records, and one in mode block refuses requests.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// How long a request waits for its record to be written.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much memory a thread keeps for the next record.
const KEPT_BYTES: usize = 64 << 10;

/// A sink that runs, with the settings that requests follow.
pub(crate) struct Sink {
    settings: SinkSettings,
    encoder: Encoder,
    running: Arc<Running>,
}

/// The thread of a sink. Settings may change while it runs.
pub(crate) struct Running {
    name: String,
    state: Arc<State>,
    thread: Mutex<Option<JoinHandle<()>>>,
    head: Option<SharedHead>,
}

/// A record that is on its way to a sink without which nothing is answered.
pub(crate) struct Underway {
    running: Arc<Running>,
    written: oneshot::Receiver<()>,
}

impl Underway {
    /// Waits until it is written. The error is for the answer.
    pub(crate) async fn written(self) -> Result<(), String> {
        match tokio::time::timeout(PATIENCE, self.written).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(format!("its audit record is not written yet: the sink `{}` does not answer", self.running.name)),
        }
    }
}

impl Sink {
    pub(crate) fn start(
        settings: SinkSettings,
        region: &str,
        output: Output,
        head: Option<SharedHead>,
        metrics: SinkMetrics,
    ) -> Result<Self, String> {
        let state = Arc::new(State::new(metrics));
        let writer = Writer { settings: settings.clone(), output, state: Arc::clone(&state) };
        let thread = std::thread::Builder::new().name(format!("audit-{}", settings.name)).spawn(move || writer.run());
        let thread = thread
            .map_err(|error| format!("the thread of the audit sink `{}` does not start: {error}", settings.name))?;
        let name = settings.name.clone();
        let running = Arc::new(Running { name, state, thread: Mutex::new(Some(thread)), head });
        Ok(Self { encoder: Encoder::new(settings.format, region), settings, running })
    }

    pub(crate) fn settings(&self) -> &SinkSettings {
        &self.settings
    }

    pub(crate) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// The same thread for other settings, which it follows once it is told.
    pub(crate) fn with(&self, settings: SinkSettings) -> Self {
        Self { encoder: self.encoder.with(settings.format), settings, running: Arc::clone(&self.running) }
    }

    /// Tells the thread its settings. It follows them from the next batch on.
    pub(crate) fn tell(&self) {
        self.running.state.queue.change(Box::new(self.settings.clone()));
    }

    /// Whether a request may be carried out: `Err` with the reason if this sink must have its record and cannot take it.
    pub(crate) fn ready(&self) -> Result<(), String> {
        if !self.settings.blocks {
            return Ok(());
        }
        let (state, name) = (&self.running.state, &self.settings.name);
        if state.fails.load(Ordering::Relaxed) {
            // The operator finds the reason in the log; clients must not learn paths or addresses.
            return Err(format!("the audit log cannot be written (sink `{name}`); try again later"));
        }
        if state.queue.is_closed() {
            return Err(format!("the audit log is no longer written (sink `{name}`); the gateway must be restarted"));
        }
        if state.is_stuck() || state.queued_bytes.load(Ordering::Relaxed) > QUEUE_BYTES_MAX {
            return Err(format!("the audit log is behind (sink `{name}`); try again later"));
        }
        Ok(())
    }

    /// Takes a record, if the filter admits it. In mode best-effort it is dropped and counted if there is no room. In mode block it
    /// is always taken: [`ready`](Self::ready) limits how many there are.
    pub(crate) fn take(&self, record: &AuditRecord) -> Option<Underway> {
        if !filter::admits(&self.settings.filter, record) {
            return None;
        }
        let (done, written) = self.settings.blocks.then(oneshot::channel).unzip();
        in_reused_memory(|lines| self.encoder.encode(record, lines), |lines, number| self.add(lines, number, done));
        // If the thread has ended, the request learns that its record is not written.
        written.map(|written| Underway { running: Arc::clone(&self.running), written })
    }

    fn add(&self, lines: &[u8], number: usize, done: Option<oneshot::Sender<()>>) {
        let state = &self.running.state;
        let queued = state.queued_bytes.fetch_add(lines.len(), Ordering::Relaxed);
        let has_room = self.settings.blocks || queued <= QUEUE_BYTES_MAX;
        // Before the thread can count it as written.
        state.metrics.queued.inc();
        if !has_room || !state.queue.push(lines, number, done) {
            state.queued_bytes.fetch_sub(lines.len(), Ordering::Relaxed);
            state.metrics.queued.dec();
            state.metrics.dropped.inc();
        }
    }
}

/// Encodes a record in memory that the next one uses again. `encode` returns the number of its lines.
pub(crate) fn in_reused_memory(encode: impl FnOnce(&mut Vec<u8>) -> usize, use_lines: impl FnOnce(&[u8], usize)) {
    thread_local! { static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) } }
    LINES.with_borrow_mut(|lines| {
        lines.clear();
        let number = encode(lines);
        use_lines(lines, number);
        if lines.capacity() > KEPT_BYTES {
            *lines = Vec::new();
        }
    });
}

impl Running {
    /// The last digest of a log in files.
    pub(crate) fn head(&self) -> Option<String> {
        self.head.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes what waits, and ends the thread.
    pub(crate) fn stop(&self) {
        self.state.stops.store(true, Ordering::Relaxed);
        self.state.queue.stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let began = Instant::now();
        while thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            if began.elapsed() > STOP_PATIENCE * 2 {
                return tracing::error!(sink = self.name, "an audit sink does not end; what waits for it is lost");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
