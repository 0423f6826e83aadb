//! All sinks of a gateway, and its memory of refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use access::AuditRecord;
use arc_swap::ArcSwap;
use iam_formats::{AuditSettings, FileSettings, NetworkSettings, SinkKind, SinkSettings};
use ids::AccountId;

use crate::chain::{Digest, DigestKey};
use crate::cloudtrail;
use crate::encoder::Encoder;
use crate::file::{FileLog, SharedHead};
use crate::metrics::AuditMetrics;
use crate::network::{Network, sender};
use crate::recent::Recent;
use crate::sink::{Running, Sink, Underway, in_reused_memory};
use crate::strangers::Strangers;
use crate::writer::Output;

/// The last digest of a log in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The id of the log: hexadecimal digits.
    pub log: String,
    /// The digest, as its line.
    pub line: String,
}

/// The audit log of a gateway.
pub struct Auditing {
    sinks: ArcSwap<Vec<Sink>>,
    recent: Recent,
    strangers: Strangers,
    region: String,
    metrics: AuditMetrics,
    refuses: AtomicBool,
}

/// Sinks that are open, and wait for [`Auditing::take_over`]. Dropping them closes what was opened for them.
pub struct Prepared {
    sinks: Vec<Sink>,
    opened: Vec<Arc<Running>>,
    strangers_bytes_per_s: u32,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.opened.iter().for_each(|running| running.stop());
    }
}

/// A record that must be written before its request is answered.
pub struct Pending(Vec<Underway>);

impl Pending {
    /// Waits until it is. The error is for the answer.
    pub async fn written(self) -> Result<(), String> {
        for underway in self.0 {
            underway.written().await?;
        }
        Ok(())
    }
}

/// Checks what the connection of a sink needs, as if it were opened. Sinks without one have nothing to check.
///
/// Error: a file is missing, or cannot be used.
pub fn check_connection(settings: &SinkSettings) -> Result<(), String> {
    let SinkKind::Network(network) = &settings.kind else { return Ok(()) };
    sender(&network.protocol).map(|_| ()).map_err(|error| format!("the sink `{}`: {error}", settings.name))
}

/// How long records on their way to a sink that is no longer wanted are waited for.
const LAST_RECORDS: Duration = Duration::from_secs(15);

impl Auditing {
    /// Opens all sinks. `key_of` finds the key that signs the digests of a file.
    pub fn start(
        settings: &AuditSettings,
        region: &str,
        key_of: impl Fn(&FileSettings) -> Result<DigestKey, String>,
    ) -> Result<Self, String> {
        let (recent, strangers, refuses) = (Recent::default(), Strangers::default(), AtomicBool::new(false));
        let (sinks, metrics) = (ArcSwap::default(), AuditMetrics::default());
        let auditing = Self { sinks, recent, strangers, region: region.to_owned(), metrics, refuses };
        auditing.take_over(auditing.prepare(settings, key_of)?);
        Ok(auditing)
    }

    /// Opens what other settings need, and changes nothing yet. A sink keeps its thread if its name and the place to which it writes stay
    /// the same.
    ///
    /// Error: a sink cannot be opened, or can be changed by a restart only.
    pub fn prepare(
        &self,
        settings: &AuditSettings,
        key_of: impl Fn(&FileSettings) -> Result<DigestKey, String>,
    ) -> Result<Prepared, String> {
        let running = self.sinks.load();
        let strangers_bytes_per_s = settings.unknown_callers_bytes_per_s;
        let mut prepared = Prepared { sinks: Vec::new(), opened: Vec::new(), strangers_bytes_per_s };
        for wanted in &settings.sinks {
            let known = running.iter().find(|sink| sink.settings().name == wanted.name);
            let sink = match known.filter(|sink| same_place(&sink.settings().kind, &wanted.kind)) {
                Some(sink) => sink.with(wanted.clone()),
                None => {
                    running.iter().try_for_each(|sink| leaves_room(sink.settings(), wanted))?;
                    let opened = self.open(wanted, &key_of)?;
                    prepared.opened.push(Arc::clone(opened.running()));
                    opened
                }
            };
            prepared.sinks.push(sink);
        }
        Ok(prepared)
    }

    fn open(
        &self,
        settings: &SinkSettings,
        key_of: &impl Fn(&FileSettings) -> Result<DigestKey, String>,
    ) -> Result<Sink, String> {
        let metrics = self.metrics.of(&settings.name);
        let (output, head) = match &settings.kind {
            SinkKind::StandardOutput => (Output::Stdout, None),
            SinkKind::Network(network) => {
                let encoder = Encoder::new(settings.format, &self.region);
                let opened = Network::open(network, encoder, metrics.dropped.clone());
                let opened = opened.map_err(|error| format!("the sink `{}`: {error}", settings.name))?;
                (Output::Network(Box::new(opened)), None)
            }
            SinkKind::File(file) => {
                let head = SharedHead::default();
                let log = FileLog::open(file.clone(), key_of(file)?, Arc::clone(&head))?;
                (Output::File(Box::new(log)), Some(head))
            }
        };
        Sink::start(settings.clone(), &self.region, output, head, metrics)
    }

    /// Uses the sinks that were prepared. Sinks that are not among them write what they have and are closed, which blocks for some
    /// seconds if one of them does not answer.
    pub fn take_over(&self, mut prepared: Prepared) {
        prepared.opened.clear();
        self.strangers.bound(prepared.strangers_bytes_per_s);
        let sinks = std::mem::take(&mut prepared.sinks);
        // A thread must know that requests wait for it before the first of them does.
        sinks.iter().for_each(Sink::tell);
        let kept: Vec<_> = sinks.iter().map(|sink| Arc::clone(sink.running())).collect();
        let before = self.sinks.swap(Arc::new(sinks));
        let gone =
            before.iter().map(Sink::running).filter(|running| !kept.iter().any(|kept| Arc::ptr_eq(kept, running)));
        let gone: Vec<_> = gone.map(Arc::clone).collect();
        let began = Instant::now();
        // Requests that began before may still hand over their records.
        while !gone.is_empty() && Arc::strong_count(&before) > 1 && began.elapsed() < LAST_RECORDS {
            std::thread::sleep(Duration::from_millis(5));
        }
        gone.iter().for_each(|running| running.stop());
    }

    /// What it counts.
    pub fn metrics(&self) -> &AuditMetrics {
        &self.metrics
    }

    /// Whether there is a sink.
    pub fn has_sinks(&self) -> bool {
        !self.sinks.load().is_empty()
    }

    /// Whether a request may be carried out; the error is for its answer. One that may not is counted.
    pub fn ready(&self) -> Result<(), String> {
        let ready = self.sinks.load().iter().try_for_each(Sink::ready);
        if ready.is_err() {
            self.metrics.refused.inc();
        }
        if self.refuses.swap(ready.is_err(), Ordering::Relaxed) != ready.is_err() {
            match &ready {
                Err(why) => tracing::error!("requests are refused: {why}"),
                Ok(()) => tracing::info!("requests are carried out again: the audit log takes their records"),
            }
        }
        ready
    }

    /// Takes a record into all sinks. It is kept from here on, even if nobody waits for it. The records that must be written before the
    /// answer are returned: those of sinks in mode block.
    pub fn take(&self, record: &AuditRecord) -> Option<Pending> {
        if record.refusals().next().is_some() {
            let encode = |lines: &mut Vec<u8>| cloudtrail::encode(record, &self.region, lines);
            let told = record.for_reader().map(|told| {
                let mut lines = Vec::new();
                cloudtrail::encode(&told, &self.region, &mut lines);
                lines
            });
            let (id, reader) = (&record.request_id, record.reader());
            in_reused_memory(encode, |lines, _| self.recent.keep(id, reader, lines, told.as_deref()));
        }
        if !self.strangers.admits(record) {
            self.metrics.left_out.inc();
            return None;
        }
        let pending: Vec<_> = self.sinks.load().iter().filter_map(|sink| sink.take(record)).collect();
        (!pending.is_empty()).then_some(Pending(pending))
    }

    /// The events of a request that was refused not long ago, one line each: what this account may read of them, or all without one.
    /// `None` if the gateway does not remember it, or the account may read nothing.
    pub fn recall(&self, request_id: &str, reader: Option<AccountId>) -> Option<String> {
        self.recent.find(request_id, reader).and_then(|lines| String::from_utf8(lines).ok())
    }

    /// The last digests of the logs in files.
    pub fn heads(&self) -> Vec<Head> {
        let head = |line: String| Some(Head { log: serde_json::from_str::<Digest>(&line).ok()?.log, line });
        self.sinks.load().iter().filter_map(|sink| head(sink.running().head()?)).collect()
    }

    /// Hands over the record that tells how many refused requests of unknown callers have none of their own, if there are any.
    pub fn summarize(&self) {
        if let Some(summary) = self.strangers.summary() {
            self.sinks.load().iter().for_each(|sink| drop(sink.take(&summary)));
        }
    }

    /// Writes what waits, and closes the sinks. Blocks for a few seconds at most.
    pub fn stop(&self) {
        self.summarize();
        self.sinks.load().iter().for_each(|sink| sink.running().stop());
    }
}

/// Whether both settings write to the same place in the same way, so that what is open can go on.
fn same_place(running: &SinkKind, wanted: &SinkKind) -> bool {
    match (running, wanted) {
        (SinkKind::File(running), SinkKind::File(wanted)) => {
            (&running.path, &running.signing_key_file) == (&wanted.path, &wanted.signing_key_file)
        }
        _ => running == wanted,
    }
}

/// Refuses a new sink that needs what a running one holds.
fn leaves_room(running: &SinkSettings, wanted: &SinkSettings) -> Result<(), String> {
    let held = match (&running.kind, &wanted.kind) {
        (SinkKind::File(running), SinkKind::File(wanted)) if running.path == wanted.path => &wanted.path,
        (SinkKind::Network(running), SinkKind::Network(NetworkSettings { queue_directory: Some(wanted), .. }))
            if running.queue_directory.as_ref() == Some(wanted) =>
        {
            wanted
        }
        _ => return Ok(()),
    };
    Err(format!(
        "the running sink `{}` uses `{held}`: keep its name and settings, give the other sink a place of its own, or \
         restart the gateway",
        running.name
    ))
}
