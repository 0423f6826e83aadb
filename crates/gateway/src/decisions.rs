//! The decisions of one request: counted by the metrics, and kept for its audit line.

use std::sync::{Arc, Mutex, PoisonError};

use access::{AuditedDecision, DecisionObserver};
use policy::Decision;

use crate::metrics::Metrics;

/// Watches the decisions of one request. The limits of a request bound their number: DeleteObjects has the most, a few for each of
/// 1000 keys.
pub struct Decisions {
    metrics: Arc<Metrics>,
    /// Decisions that allow are kept too, because the log prints them.
    allowed: bool,
    kept: Mutex<Vec<AuditedDecision>>,
}

impl Decisions {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        let allowed = tracing::enabled!(target: "audit", tracing::Level::DEBUG);
        Self { metrics, allowed, kept: Mutex::default() }
    }

    /// Decisions that allow are kept as well as those that refuse.
    pub(crate) fn keeps_all(&self) -> bool {
        self.allowed
    }

    /// The decisions so far, in order.
    pub(crate) fn take(&self) -> Vec<AuditedDecision> {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl DecisionObserver for Decisions {
    fn observe(&self, action: &str, decide: &mut dyn FnMut() -> Decision) {
        self.metrics.observe(action, decide);
    }

    fn audit(&self, allowed: bool, decision: &dyn Fn() -> AuditedDecision) {
        if !allowed || self.allowed {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(decision());
        }
    }
}
