//! The filer client's counters, as `/metrics` prints them.

use filer::seaweedfs::SeaweedFiler;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

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
        Ok(())
    }
}
