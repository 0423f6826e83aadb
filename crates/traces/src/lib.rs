//! Traces: a span for each sampled request, and one for each call to a filer or volume server below it, sent by OTLP.
//!
//! Whether a request is sampled is decided once, when its head is read. A request that is not sampled pays one look at a task-local
//! variable for each call.

mod context;
mod exporter;
mod settings;
mod span;
mod tracer;

pub use context::{Context, TRACEPARENT};
pub use exporter::Exporter;
pub use settings::{TraceMetrics, TraceSettings};
pub use span::{Active, Attribute, Ended, called, current, end};
pub use tracer::Tracer;
