//! All sinks of a gateway, and its memory of refusals.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use access::AuditRecord;
use iam_formats::{AuditSettings, FileSettings, SinkKind};

use crate::chain::{Digest, DigestKey};
use crate::cloudtrail;
use crate::file::{FileLog, SharedHead};
use crate::metrics::AuditMetrics;
use crate::network::Network;
use crate::recent::Recent;
use crate::sink::{Output, Sink, Underway};

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
    sinks: Vec<Sink>,
    heads: Vec<SharedHead>,
    recent: Recent,
    region: String,
    metrics: AuditMetrics,
    refuses: AtomicBool,
}

impl Auditing {
    /// Opens all sinks. `key_of` finds the key that signs the digests of a file.
    pub fn start(
        settings: &AuditSettings,
        region: &str,
        key_of: impl Fn(&FileSettings) -> Result<DigestKey, String>,
    ) -> Result<Self, String> {
        let metrics = AuditMetrics::default();
        let (mut sinks, mut heads) = (Vec::new(), Vec::new());
        for sink in &settings.sinks {
            let output = match &sink.kind {
                SinkKind::StandardOutput => Output::Stdout,
                SinkKind::Network(network) => {
                    let opened =
                        Network::open(network).map_err(|error| format!("the sink `{}`: {error}", sink.name))?;
                    Output::Network(Box::new(opened))
                }
                SinkKind::File(file) => {
                    let head = SharedHead::default();
                    heads.push(Arc::clone(&head));
                    Output::File(Box::new(FileLog::open(file.clone(), key_of(file)?, head)?))
                }
            };
            sinks.push(Sink::start(sink.clone(), region, output, metrics.of(&sink.name))?);
        }
        let (recent, refuses) = (Recent::default(), AtomicBool::new(false));
        Ok(Self { sinks, heads, recent, region: region.to_owned(), metrics, refuses })
    }

    /// What it counts.
    pub fn metrics(&self) -> &AuditMetrics {
        &self.metrics
    }

    /// Whether there is a sink.
    pub fn has_sinks(&self) -> bool {
        !self.sinks.is_empty()
    }

    /// Whether a request may be carried out; the error is for its answer. One that may not is counted.
    pub fn ready(&self) -> Result<(), String> {
        let ready = self.sinks.iter().try_for_each(Sink::ready);
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

    /// Hands a record to all sinks. It is kept from here on, even if nobody waits for it.
    fn hand_over(&self, record: AuditRecord) -> Vec<Underway<'_>> {
        let record = Arc::new(record);
        if record.refusals().next().is_some() {
            self.recent.keep(Arc::clone(&record));
        }
        self.sinks.iter().filter_map(|sink| sink.take(&record)).collect()
    }

    /// Takes a record for which nobody waits.
    pub fn give(&self, record: AuditRecord) {
        drop(self.hand_over(record));
    }

    /// Takes a record, and waits for the sinks in mode block. The error is for the answer.
    pub async fn take(&self, record: AuditRecord) -> Result<(), String> {
        for underway in self.hand_over(record) {
            underway.written().await?;
        }
        Ok(())
    }

    /// The events of a request that was refused not long ago, one line each; `None` if the gateway does not remember it.
    pub fn recall(&self, request_id: &str) -> Option<String> {
        let record = self.recent.find(request_id)?;
        let mut lines = Vec::new();
        cloudtrail::encode(&record, &self.region, &mut lines);
        String::from_utf8(lines).ok()
    }

    /// The last digests of the logs in files.
    pub fn heads(&self) -> Vec<Head> {
        let line = |head: &SharedHead| Mutex::lock(head).unwrap_or_else(PoisonError::into_inner).clone();
        let head = |line: String| Some(Head { log: serde_json::from_str::<Digest>(&line).ok()?.log, line });
        self.heads.iter().filter_map(line).filter_map(head).collect()
    }

    /// Writes what waits, and closes the sinks. Blocks for a few seconds at most.
    pub fn stop(&self) {
        self.sinks.iter().for_each(Sink::stop);
    }
}
