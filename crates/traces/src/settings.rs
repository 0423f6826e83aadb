//! What the tracer and the exporter share: what is traced, and what is counted.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// What is traced, and where spans go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSettings {
    /// The URL of the collector, such as `http://localhost:4318/v1/traces`.
    pub endpoint: String,
    /// How many of a million requests whose callers do not say are sampled.
    pub sampled_per_million: u32,
    /// How many requests are sampled in a second at most, whatever their callers say.
    pub per_second_max: u32,
    /// `service.name`.
    pub service_name: String,
    /// A file with the token for `Authorization: Bearer`.
    pub token_file: Option<String>,
    /// Whether spans tell paths, which hold the keys of objects.
    pub with_paths: bool,
}

/// Counters of traces.
#[derive(Debug, Clone, Default)]
pub struct TraceMetrics {
    pub(crate) exported: Counter,
    pub(crate) dropped: Counter,
}

impl TraceMetrics {
    /// Registers them as `traces_*`, in a registry that puts its own prefix before them.
    pub fn register(&self, registry: &mut Registry) {
        let traces = registry.sub_registry_with_prefix("traces");
        traces.register(
            "exported_spans",
            "Spans in batches that the collector answered with 2xx",
            self.exported.clone(),
        );
        traces.register(
            "dropped_spans",
            "Spans that were lost, because the collector did not take them in time",
            self.dropped.clone(),
        );
    }
}
