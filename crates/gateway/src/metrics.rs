//! The metrics of the data plane. There are no bucket, key or user names in labels, so labels stay few.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use access::{DecisionObserver, outcome_label, policy_label};
use policy::{Action, Decision};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// What the names of our metrics begin with.
const PREFIX: &str = "kelpgate";

/// An operation and the status of its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

/// A decision, the type of policy that made it, and the kind of action.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    outcome: &'static str,
    policy_type: &'static str,
    action_group: &'static str,
}

/// Counters and histograms of the data plane, and the registry that `/metrics` prints.
pub struct Metrics {
    registry: Mutex<Registry>,
    authentication_failures: Family<ReasonLabels, Counter>,
    limited: Family<LimitLabels, Counter>,
    refused_connections: Family<LimitLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<OperationLabels, Histogram>,
    decisions: Family<DecisionLabels, Counter>,
    decision_seconds: Histogram,
    /// Requests being answered.
    pub in_flight: Gauge,
    /// Body bytes received.
    pub bytes_in: Counter<u64, AtomicU64>,
    /// Body bytes sent.
    pub bytes_out: Counter<u64, AtomicU64>,
    /// Requests refused because the lease has run out.
    pub closed: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut whole = Registry::default();
        let registry = whole.sub_registry_with_prefix(PREFIX);
        let requests = Family::<RequestLabels, Counter>::default();
        let seconds = Family::<OperationLabels, Histogram>::new_with_constructor(|| {
            Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
        });
        let decisions = Family::<DecisionLabels, Counter>::default();
        let decision_seconds =
            Histogram::new([2.5e-7, 5e-7, 1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2]);
        let (in_flight, bytes_in, bytes_out) = (Gauge::default(), Counter::default(), Counter::default());
        registry.register("requests", "Requests answered, by operation and HTTP status", requests.clone());
        registry.register("request_duration_seconds", "Time to the head of the answer, by operation", seconds.clone());
        let help = "Access decisions, by outcome, deciding policy type, and service and access level of the action";
        registry.register("decisions", help, decisions.clone());
        let help = "Time to evaluate the policies for one decision";
        registry.register("decision_duration_seconds", help, decision_seconds.clone());
        registry.register("requests_in_flight", "Requests being answered", in_flight.clone());
        registry.register("received_bytes", "Body bytes received", bytes_in.clone());
        registry.register("sent_bytes", "Body bytes sent", bytes_out.clone());
        let closed = Counter::default();
        let help = "Requests refused because this gateway may have missed changes";
        registry.register("fence_refused_requests", help, closed.clone());
        let authentication_failures = Family::<ReasonLabels, Counter>::default();
        let help = "Requests whose signature or session was refused, by AWS's code";
        registry.register("authentication_failures", help, authentication_failures.clone());
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The version of Kelpgate", Info::new(version));
        let limited = Family::<LimitLabels, Counter>::default();
        registry.register("rate_limited_requests", "Requests refused because of a limit, by limit", limited.clone());
        let refused_connections = Family::<LimitLabels, Counter>::default();
        let help = "Connections closed because of a limit, by limit";
        registry.register("refused_connections", help, refused_connections.clone());
        Self {
            registry: Mutex::new(whole),
            limited,
            refused_connections,
            authentication_failures,
            requests,
            seconds,
            decisions,
            decision_seconds,
            in_flight,
            bytes_in,
            bytes_out,
            closed,
        }
    }
}

impl Metrics {
    /// Counts an answer.
    pub fn answered(&self, operation: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { operation, status }).inc();
        self.seconds.get_or_create(&OperationLabels { operation }).observe(took.as_secs_f64());
    }

    /// Counts a request whose signature or session was refused.
    pub(crate) fn unauthenticated(&self, reason: &'static str) {
        self.authentication_failures.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// Counts a request that is refused because of a limit.
    pub(crate) fn limited(&self, limit: &'static str) {
        self.limited.get_or_create(&LimitLabels { limit }).inc();
    }

    /// Counts a connection that is closed because of a limit.
    pub(crate) fn refused_connection(&self, limit: &'static str) {
        self.refused_connections.get_or_create(&LimitLabels { limit }).inc();
    }

    /// Adds the metrics of another part of the program to `/metrics`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(self.registry().sub_registry_with_prefix(PREFIX));
    }

    /// Adds metrics whose names are not the program's own, such as `process_cpu_seconds_total`.
    pub fn register_common(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry());
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The text that Prometheus reads (OpenMetrics).
    pub fn text(&self) -> String {
        let registry = self.registry();
        let mut text = String::new();
        if prometheus_client::encoding::text::encode(&mut text, &registry).is_err() {
            let _ = writeln!(text, "# the metrics could not be printed");
        }
        text
    }
}

impl DecisionObserver for Metrics {
    fn observe(&self, action: &str, decide: &mut dyn FnMut() -> Decision) {
        let started = Instant::now();
        let decision = decide();
        self.decision_seconds.observe(started.elapsed().as_secs_f64());
        let labels = DecisionLabels {
            outcome: outcome_label(&decision),
            policy_type: policy_label(&decision),
            action_group: Action::named(action).map_or("other", Action::group),
        };
        self.decisions.get_or_create(&labels).inc();
    }
}
