//! What the audit log counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Labels {
    sink: String,
}

/// Counters of all sinks.
#[derive(Debug, Clone, Default)]
pub struct AuditMetrics {
    records: Family<Labels, Counter>,
    dropped: Family<Labels, Counter>,
    failures: Family<Labels, Counter>,
    queued: Family<Labels, Gauge>,
    pub(crate) refused: Counter,
    pub(crate) left_out: Counter,
}

/// Counters of one sink.
#[derive(Debug, Clone)]
pub(crate) struct SinkMetrics {
    pub(crate) records: Counter,
    pub(crate) dropped: Counter,
    pub(crate) failures: Counter,
    pub(crate) queued: Gauge,
}

impl AuditMetrics {
    /// Registers them as `audit_*`, in a registry that puts its own prefix before them.
    pub fn register(&self, registry: &mut Registry) {
        let audit = registry.sub_registry_with_prefix("audit");
        audit.register("records", "Audit records written, by sink", self.records.clone());
        audit.register("dropped_records", "Audit records that a sink lost, in mode best-effort", self.dropped.clone());
        audit.register("failures", "Failed attempts of a sink to write audit records", self.failures.clone());
        audit.register("queued_records", "Audit records that wait to be written", self.queued.clone());
        let help = "Requests refused because a sink in mode block could not take their audit record";
        audit.register("refused_requests", help, self.refused.clone());
        let help = "Refused requests of unknown callers that have no record of their own, beyond the bound";
        audit.register("left_out_records", help, self.left_out.clone());
    }

    pub(crate) fn of(&self, sink: &str) -> SinkMetrics {
        let labels = Labels { sink: sink.to_owned() };
        SinkMetrics {
            records: self.records.get_or_create(&labels).clone(),
            dropped: self.dropped.get_or_create(&labels).clone(),
            failures: self.failures.get_or_create(&labels).clone(),
            queued: self.queued.get_or_create(&labels).clone(),
        }
    }
}
