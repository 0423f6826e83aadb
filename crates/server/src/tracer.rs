//! The tracer of the data plane, and the worker that sends its spans.

use std::sync::Arc;
use std::time::Duration;

use gateway::Metrics;
use iam_formats::TraceSettings;
use traces::{Exporter, TraceMetrics, Tracer};

use crate::workers::{Period, RunEnd, RunsOn, Worker};

/// How often spans are sent.
const EVERY: Duration = Duration::from_secs(1);

/// Checks that [`start`] can use the settings.
pub fn check(settings: &TraceSettings) -> Result<(), String> {
    open(settings, &TraceMetrics::default()).map(|_| ())
}

fn open(settings: &TraceSettings, counters: &TraceMetrics) -> Result<(Tracer, Exporter), String> {
    let settings = traces::TraceSettings {
        endpoint: settings.endpoint.clone(),
        sampled_per_million: settings.sampled_per_million,
        per_second_max: settings.per_second_max,
        service_name: settings.service_name.clone(),
        token_file: settings.token_file.clone(),
        with_paths: settings.with_paths,
    };
    let opened = Tracer::new(&settings, env!("CARGO_PKG_VERSION"), counters);
    opened.map_err(|error| format!("kelpgate.traces: {error}"))
}

/// The tracer that the settings ask for, with the worker that sends its spans; one that traces nothing if they ask for none.
pub fn start(settings: Option<&TraceSettings>, metrics: &Metrics) -> Result<(Tracer, Option<Worker>), String> {
    let counters = TraceMetrics::default();
    metrics.register(|registry| counters.register(registry));
    let Some(settings) = settings else { return Ok((Tracer::default(), None)) };
    let (tracer, exporter) = open(settings, &counters)?;
    let exporter = Arc::new(exporter);
    let send = move || {
        let exporter = Arc::clone(&exporter);
        async move {
            exporter.send_waiting().await;
            Ok(RunEnd::Done)
        }
    };
    let worker = Worker::new("traces", Period::Every(EVERY), RunsOn::EveryGateway, send).runs_at_stop();
    Ok((tracer, Some(worker)))
}
