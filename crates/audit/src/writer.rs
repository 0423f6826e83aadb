//! The thread of a sink: it takes batches of encoded records and writes them.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use iam_formats::{SinkKind, SinkSettings};

use crate::chain;
use crate::file::FileLog;
use crate::network::Network;
use crate::queue::{Batch, Next, Progress};
use crate::state::State;

/// How long a sink in mode best-effort collects records: fewer wake-ups for requests to cause.
const COLLECT: Duration = Duration::from_millis(20);
/// How long the thread waits for records before it looks after its files.
const REST: Duration = Duration::from_secs(1);
/// A sink in mode block tries again after this time.
const RETRY: Duration = Duration::from_millis(200);
/// How long a sink that fails may go on trying after the gateway stopped.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// Where the lines go.
pub(crate) enum Output {
    File(Box<FileLog>),
    Stdout,
    Network(Box<Network>),
}

impl Output {
    fn write(&mut self, lines: &[u8], number: u64, progress: &mut Progress) -> io::Result<()> {
        match self {
            Self::File(log) => log.write(lines, number, &mut progress.bytes),
            Self::Network(network) => {
                let mut part = Progress::default();
                let written = network.write(lines, &mut part);
                progress.bytes += part.bytes;
                progress.refused += part.refused;
                written
            }
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines).and_then(|()| out.flush())?;
                progress.bytes += lines.len();
                Ok(())
            }
        }
    }

    fn rest(&mut self) -> io::Result<()> {
        match self {
            Self::File(log) => log.rest(),
            Self::Network(network) => network.rest(),
            Self::Stdout => Ok(()),
        }
    }
}

/// The thread of a sink.
pub(crate) struct Writer {
    pub(crate) settings: SinkSettings,
    pub(crate) output: Output,
    pub(crate) state: Arc<State>,
}

impl Drop for Writer {
    /// However the thread ends: what still waits is lost, and counted.
    fn drop(&mut self) {
        let lost = self.state.queue.close();
        self.state.metrics.dropped.inc_by(lost as u64);
        self.state.metrics.queued.dec_by(i64::try_from(lost).unwrap_or(i64::MAX));
    }
}

impl Writer {
    pub(crate) fn run(mut self) {
        loop {
            let has_full_batch = self.state.queue.wait(REST);
            if !has_full_batch && !self.settings.blocks && !self.state.stops.load(Ordering::Relaxed) {
                std::thread::sleep(COLLECT);
            }
            match self.state.queue.next() {
                Next::Write(batch) => self.write(batch),
                Next::Change(settings) => self.change(*settings),
                Next::Rest => self.rest(),
                Next::Stop => break,
            }
        }
        self.rest();
    }

    /// Takes over settings. Batches that wait are written by them too.
    fn change(&mut self, settings: SinkSettings) {
        match (&mut self.output, &settings.kind) {
            (Output::File(log), SinkKind::File(file)) => log.change(file.clone()),
            (Output::Network(network), _) => network.change(settings.format),
            _ => {}
        }
        self.settings = settings;
    }

    /// Writes a batch: in mode block until it is written, in mode best-effort once.
    fn write(&mut self, mut batch: Batch) {
        let mut progress = Progress::default();
        let is_written = self.attempts(&batch, &mut progress);
        let State { metrics, queued_bytes, fails, .. } = &*self.state;
        let whole = batch.ends.partition_point(|end| *end <= progress.bytes);
        metrics.records.inc_by((whole as u64).saturating_sub(progress.refused));
        metrics.dropped.inc_by((batch.ends.len() - whole) as u64);
        if is_written {
            if fails.swap(false, Ordering::Relaxed) {
                let lost = metrics.dropped.get();
                tracing::info!(sink = self.settings.name, lost, "audit records are written again");
            }
            for done in batch.done.drain(..) {
                // The request may be gone.
                let _ = done.send(());
            }
        }
        queued_bytes.fetch_sub(batch.lines.len(), Ordering::Relaxed);
        metrics.queued.dec_by(i64::try_from(batch.ends.len()).unwrap_or(i64::MAX));
        self.state.queue.reuse(batch);
    }

    /// Whether all is written.
    fn attempts(&mut self, batch: &Batch, progress: &mut Progress) -> bool {
        let mut stopping: Option<Instant> = None;
        loop {
            let rest = batch.lines.get(progress.bytes..).unwrap_or_default();
            let number = if progress.bytes == 0 { batch.number } else { chain::count(rest) };
            self.state.writes(true);
            let result = self.output.write(rest, number, progress);
            self.state.writes(false);
            let Err(error) = result else { return true };
            self.failed(&error);
            let stops = self.state.stops.load(Ordering::Relaxed);
            let since = stops.then(|| *stopping.get_or_insert_with(Instant::now));
            if !self.settings.blocks || since.is_some_and(|since| since.elapsed() > STOP_PATIENCE) {
                return false;
            }
            std::thread::sleep(RETRY);
        }
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
