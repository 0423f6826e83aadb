//! The counters of filers, as `/metrics` shows them.

use std::sync::Arc;

use filer::embedded::{DiskSpace, EmbeddedFiler};
use filer::seaweedfs::SeaweedFiler;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Calls to filers and volume servers.
pub struct FilerCalls(pub SeaweedFiler);

impl std::fmt::Debug for FilerCalls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FilerCalls")
    }
}

impl Collector for FilerCalls {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let rows = self.0.metrics().rows();
        let mut calls = encoder.encode_descriptor(
            "filer_calls",
            "Calls to filers and volume servers",
            None,
            MetricType::Counter,
        )?;
        for row in &rows {
            ConstCounter::new(row.calls).encode(calls.encode_family(&[("call", row.call.name())])?)?;
        }
        let help = "Calls that got no usable answer";
        let mut errors = encoder.encode_descriptor("filer_call_errors", help, None, MetricType::Counter)?;
        for row in &rows {
            ConstCounter::new(row.errors).encode(errors.encode_family(&[("call", row.call.name())])?)?;
        }
        let help = "Time spent waiting for answers";
        let mut seconds = encoder.encode_descriptor("filer_call_seconds", help, None, MetricType::Counter)?;
        for row in &rows {
            let spent = row.nanoseconds as f64 / 1e9;
            ConstCounter::new(spent).encode(seconds.encode_family(&[("call", row.call.name())])?)?;
        }
        let swept = self.0.swept();
        let help = "Chunks of dead gateways that this one freed";
        let chunks = encoder.encode_descriptor("abandoned_chunks_freed", help, None, MetricType::Counter)?;
        ConstCounter::new(swept.freed_chunks).encode(chunks)?;
        let help = "Unfinished uploads of dead gateways that this one has not settled";
        ConstGauge::new(swept.left).encode(encoder.encode_descriptor(
            "abandoned_uploads",
            help,
            None,
            MetricType::Gauge,
        )?)?;
        Ok(())
    }
}

/// The state of the embedded filer.
pub struct EmbeddedStorage(pub Arc<EmbeddedFiler>);

impl std::fmt::Debug for EmbeddedStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmbeddedStorage")
    }
}

impl Collector for EmbeddedStorage {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let health = self.0.health();
        let full_buckets = self.0.quotas().iter().filter(|(_, bytes, quota)| bytes >= quota).count() as u64;
        let help = "Reads that found corrupt data";
        let mut corrupt = encoder.encode_descriptor("storage_corrupt_reads", help, None, MetricType::Counter)?;
        for (part, reads) in [("data", health.corrupt_data_reads), ("database", health.corrupt_database_reads)] {
            ConstCounter::new(reads).encode(corrupt.encode_family(&[("part", part)])?)?;
        }
        for (name, help, value) in [
            ("storage_scrubbed_bytes", "Bytes read and verified in the background", health.scrub.bytes),
            ("storage_scrub_passes", "Complete passes over all stored data", health.scrub.passes),
        ] {
            ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        for (name, help, value) in [
            ("storage_free_bytes", "Free bytes of the disk", health.free_bytes),
            (
                "storage_writable",
                "1 if objects can be stored, 0 if the disk is full or read-only",
                u64::from(health.room == DiskSpace::Enough),
            ),
            ("storage_full_buckets", "Buckets that have as many bytes as their quota allows", full_buckets),
            ("storage_open", "1 if the database can be used, 0 if it is closed", u64::from(health.closed.is_none())),
            (
                "storage_scrub_findings",
                "Corrupt files and pages that the current or the last pass found",
                health.scrub.findings,
            ),
        ] {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}
