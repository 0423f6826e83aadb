//! A sink: a queue with a bound, and a thread that encodes and writes. Requests only hand over a record.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use access::AuditRecord;
use iam_formats::{AuditFormat, SinkKind, SinkSettings};
use tokio::sync::oneshot;

use crate::file::{FileLog, SharedHead};
use crate::filter;
use crate::metrics::SinkMetrics;
use crate::network::Network;
use crate::{access_log, cloudtrail, minio, ocsf, weed};

/// How many bytes of records may wait, about. Beyond that, a sink in mode best-effort loses records, and one in mode block refuses requests.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// How many bytes are written at once.
const BATCH_BYTES: usize = 1 << 20;
/// How long a sink in mode best-effort collects records: fewer wake-ups for requests to cause.
const COLLECT: Duration = Duration::from_millis(20);
/// How long the thread waits for records before it looks after its files.
const REST: Duration = Duration::from_secs(1);
/// A sink in mode block tries again after this time.
const RETRY: Duration = Duration::from_millis(200);
/// A write that takes longer counts as stuck.
const STUCK: Duration = Duration::from_secs(2);
/// How long a request waits for its record to be written.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a sink that fails may go on trying after the gateway stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// Where the lines go.
pub(crate) enum Output {
    File(Box<FileLog>),
    Stdout,
    Network(Box<Network>),
}

impl Output {
    /// Writes lines. `written` grows by the bytes that need not be written again.
    fn write(&mut self, lines: &[u8], written: &mut usize) -> io::Result<()> {
        match self {
            Self::File(log) => return log.write(lines, written),
            Self::Network(network) => network.write(lines)?,
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines).and_then(|()| out.flush())?;
            }
        }
        *written += lines.len();
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        match self {
            Self::File(log) => log.rest(),
            Self::Network(network) => network.rest(),
            Self::Stdout => Ok(()),
        }
    }
}

/// What a sink is told.
enum Message {
    Record(Arc<AuditRecord>, Option<oneshot::Sender<()>>),
    Change(Box<SinkSettings>),
    Stop,
}

/// What follows after a message.
enum Then {
    More,
    Change(Box<SinkSettings>),
    Stop,
}

/// What requests and the thread share.
struct State {
    began: Instant,
    queued_bytes: AtomicUsize,
    /// When the write in progress began, in milliseconds since `began`; 0 if none is.
    writing_since_ms: AtomicU64,
    fails: AtomicBool,
    stops: AtomicBool,
    metrics: SinkMetrics,
}

/// A sink that runs, with the settings that requests follow.
pub(crate) struct Sink {
    settings: SinkSettings,
    running: Arc<Running>,
}

/// The thread of a sink. Settings may change while it runs.
pub(crate) struct Running {
    name: String,
    sender: Sender<Message>,
    state: Arc<State>,
    thread: Mutex<Option<JoinHandle<()>>>,
    head: Option<SharedHead>,
}

/// A record that is on its way to a sink without which nothing is answered.
pub(crate) struct Underway<'a> {
    sink: &'a Sink,
    written: oneshot::Receiver<()>,
}

impl Underway<'_> {
    /// Waits until it is written. The error is for the answer.
    pub(crate) async fn written(self) -> Result<(), String> {
        match tokio::time::timeout(PATIENCE, self.written).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(format!(
                "its audit record is not written yet: the sink `{}` does not answer",
                self.sink.settings.name
            )),
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
        let (sender, receiver) = channel();
        let state = Arc::new(State {
            began: Instant::now(),
            queued_bytes: AtomicUsize::new(0),
            writing_since_ms: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            stops: AtomicBool::new(false),
            metrics,
        });
        let writer = Writer {
            settings: settings.clone(),
            region: region.to_owned(),
            host: crate::host_name(),
            output,
            state: Arc::clone(&state),
        };
        let thread =
            std::thread::Builder::new().name(format!("audit-{}", settings.name)).spawn(move || writer.run(&receiver));
        let thread = thread
            .map_err(|error| format!("the thread of the audit sink `{}` does not start: {error}", settings.name))?;
        let name = settings.name.clone();
        let running = Arc::new(Running { name, sender, state, thread: Mutex::new(Some(thread)), head });
        Ok(Self { settings, running })
    }

    pub(crate) fn settings(&self) -> &SinkSettings {
        &self.settings
    }

    pub(crate) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// The same thread for other settings, which it follows once it is told.
    pub(crate) fn with(&self, settings: SinkSettings) -> Self {
        Self { settings, running: Arc::clone(&self.running) }
    }

    /// Tells the thread its settings. It follows them from the next record on.
    pub(crate) fn tell(&self) {
        let _ = self.running.sender.send(Message::Change(Box::new(self.settings.clone())));
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
        let since_ms = state.writing_since_ms.load(Ordering::Relaxed);
        let is_stuck = since_ms > 0 && state.now_ms().saturating_sub(since_ms) > STUCK.as_millis() as u64;
        if is_stuck || state.queued_bytes.load(Ordering::Relaxed) > QUEUE_BYTES_MAX {
            return Err(format!("the audit log is behind (sink `{name}`); try again later"));
        }
        Ok(())
    }

    /// Hands over a record, if the filter admits it. In mode best-effort it is dropped and counted if there is no room. In mode block it
    /// is always taken: [`ready`](Self::ready) limits how many there are.
    pub(crate) fn take(&self, record: &Arc<AuditRecord>) -> Option<Underway<'_>> {
        let Running { state, sender, .. } = &*self.running;
        if !filter::admits(&self.settings.filter, record) {
            return None;
        }
        let (done, written) = self.settings.blocks.then(oneshot::channel).unzip();
        let weight = record.weight_bytes();
        let queued = state.queued_bytes.fetch_add(weight, Ordering::Relaxed);
        let has_room = self.settings.blocks || queued <= QUEUE_BYTES_MAX;
        if has_room && sender.send(Message::Record(Arc::clone(record), done)).is_ok() {
            state.metrics.queued.inc();
        } else {
            state.queued_bytes.fetch_sub(weight, Ordering::Relaxed);
            state.metrics.dropped.inc();
        }
        // If the thread has ended, the request learns that its record is not written.
        written.map(|written| Underway { sink: self, written })
    }
}

impl Running {
    /// The last digest of a log in files.
    pub(crate) fn head(&self) -> Option<String> {
        self.head.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes what waits, and ends the thread.
    pub(crate) fn stop(&self) {
        self.state.stops.store(true, Ordering::Relaxed);
        let _ = self.sender.send(Message::Stop);
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

impl State {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

/// The thread of a sink.
struct Writer {
    settings: SinkSettings,
    region: String,
    host: String,
    output: Output,
    state: Arc<State>,
}

/// Records that are written together.
#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    /// Where the lines of each record end.
    ends: Vec<usize>,
    weight: usize,
    done: Vec<oneshot::Sender<()>>,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        loop {
            let first = match receiver.recv_timeout(REST) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    self.rest();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if !self.settings.blocks && !self.state.stops.load(Ordering::Relaxed) {
                std::thread::sleep(COLLECT);
            }
            let mut batch = Batch::default();
            let mut then = self.add(first, &mut batch);
            while batch.lines.len() < BATCH_BYTES
                && matches!(then, Then::More)
                && let Ok(message) = receiver.try_recv()
            {
                then = self.add(message, &mut batch);
            }
            self.write(batch);
            match then {
                Then::More => {}
                Then::Change(settings) => self.change(*settings),
                Then::Stop => break,
            }
        }
        self.rest();
    }

    /// Takes over settings for the records that come from now on.
    fn change(&mut self, settings: SinkSettings) {
        if let (Output::File(log), SinkKind::File(file)) = (&mut self.output, &settings.kind) {
            log.change(file.clone());
        }
        self.settings = settings;
    }

    /// Encodes a record. Whatever else is told comes after what was added so far.
    fn add(&self, message: Message, batch: &mut Batch) -> Then {
        let (record, done) = match message {
            Message::Record(record, done) => (record, done),
            Message::Change(settings) => return Then::Change(settings),
            Message::Stop => return Then::Stop,
        };
        match self.settings.format {
            AuditFormat::CloudTrail => cloudtrail::encode(&record, &self.region, &mut batch.lines),
            AuditFormat::MinIo => minio::encode(&record, &mut batch.lines),
            AuditFormat::Ocsf => ocsf::encode(&record, &self.region, &mut batch.lines),
            AuditFormat::AccessLog => access_log::encode(&record, &mut batch.lines),
            AuditFormat::SeaweedFs => weed::encode(&record, &self.host, &mut batch.lines),
        };
        batch.ends.push(batch.lines.len());
        batch.weight += record.weight_bytes();
        batch.done.extend(done);
        Then::More
    }

    /// Writes a batch: in mode block until it is written, in mode best-effort once.
    fn write(&mut self, batch: Batch) {
        let Batch { lines, ends, weight, done } = batch;
        if ends.is_empty() {
            return;
        }
        let mut written = 0;
        let mut stopping: Option<Instant> = None;
        let is_written = loop {
            self.state.writing_since_ms.store(self.state.now_ms(), Ordering::Relaxed);
            let rest = lines.get(written..).unwrap_or_default();
            let result = self.output.write(rest, &mut written);
            self.state.writing_since_ms.store(0, Ordering::Relaxed);
            let Err(error) = result else { break true };
            self.failed(&error);
            if self.state.stops.load(Ordering::Relaxed) {
                let since = *stopping.get_or_insert_with(Instant::now);
                if since.elapsed() > STOP_PATIENCE {
                    break false;
                }
            }
            if !self.settings.blocks {
                break false;
            }
            std::thread::sleep(RETRY);
        };
        let State { metrics, queued_bytes, fails, .. } = &*self.state;
        let whole = ends.iter().filter(|end| **end <= written).count();
        metrics.records.inc_by(whole as u64);
        metrics.dropped.inc_by((ends.len() - whole) as u64);
        if is_written {
            if fails.swap(false, Ordering::Relaxed) {
                let lost = metrics.dropped.get();
                tracing::info!(sink = self.settings.name, lost, "audit records are written again");
            }
            for done in done {
                // The request may be gone.
                let _ = done.send(());
            }
        }
        queued_bytes.fetch_sub(weight, Ordering::Relaxed);
        metrics.queued.dec_by(i64::try_from(ends.len()).unwrap_or(i64::MAX));
    }

    fn rest(&mut self) {
        if let Err(error) = self.output.rest() {
            tracing::debug!(sink = self.settings.name, %error, "a digest of the audit log is not written yet");
        }
    }

    /// One line in the log for each time that it begins to fail.
    fn failed(&self, error: &io::Error) {
        self.state.metrics.failures.inc();
        if !self.state.fails.swap(true, Ordering::Relaxed) {
            let mode = if self.settings.blocks {
                "requests are refused until they can"
            } else {
                "they are lost until they can"
            };
            tracing::error!(sink = self.settings.name, %error, "audit records cannot be written; {mode}");
        }
    }
}
