//! The decisions of one request: counted by the metrics, and kept for its audit line.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use access::{AuditedDecision, AuditedObject, AuditedSignIn, DecisionObserver};
use policy::Decision;

use crate::metrics::Metrics;

/// Watches the decisions of one request. The limits of a request bound their number: DeleteObjects has the most, a few for each of
/// 1000 keys.
pub struct Decisions {
    metrics: Arc<Metrics>,
    /// Decisions that allow are kept too, because the log prints them or the auditor takes them.
    allowed: bool,
    kept: Mutex<RecordedDecisions>,
}

/// What a record keeps of the decisions.
#[derive(Default)]
pub(crate) struct RecordedDecisions {
    /// The decisions, in order.
    pub(crate) decisions: Vec<AuditedDecision>,
    /// What became of each key of DeleteObjects.
    pub(crate) objects: Vec<AuditedObject>,
    /// Whose user asked for a session, as far as that was verified.
    pub(crate) sign_in: Option<AuditedSignIn>,
}

impl Decisions {
    pub(crate) fn new(metrics: Arc<Metrics>, auditor_takes_all: bool) -> Self {
        let allowed = auditor_takes_all || tracing::enabled!(target: "audit", tracing::Level::DEBUG);
        Self { metrics, allowed, kept: Mutex::default() }
    }

    /// Decisions that allow are kept as well as those that refuse.
    pub(crate) fn keeps_all(&self) -> bool {
        self.allowed
    }

    fn kept(&self) -> MutexGuard<'_, RecordedDecisions> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was kept so far.
    pub(crate) fn take(&self) -> RecordedDecisions {
        std::mem::take(&mut self.kept())
    }

    /// Keeps what became of one key of DeleteObjects.
    pub(crate) fn object(&self, object: impl FnOnce() -> AuditedObject) {
        if self.allowed {
            let object = object();
            self.kept().objects.push(object);
        }
    }
}

impl DecisionObserver for Decisions {
    fn observe(&self, action: &str, decide: &mut dyn FnMut() -> Decision) {
        self.metrics.observe(action, decide);
    }

    fn audit(&self, allowed: bool, decision: &dyn Fn() -> AuditedDecision) {
        if !allowed || self.allowed {
            let decision = decision();
            self.kept().decisions.push(decision);
        }
    }

    fn signs_in(&self, sign_in: AuditedSignIn) {
        self.kept().sign_in = Some(sign_in);
    }
}
