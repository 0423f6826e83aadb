//! The decisions of one request: counted by the metrics, and kept for its audit line.

use std::sync::{Arc, Mutex, PoisonError};

use access::{AuditedDecision, AuditedObject, AuditedSignIn, DecisionObserver};
use policy::Decision;

use crate::metrics::Metrics;

/// Watches the decisions of one request. The limits of a request bound their number: DeleteObjects has the most, a few for each of
/// 1000 keys.
pub struct Decisions {
    metrics: Arc<Metrics>,
    /// Decisions that allow are kept too, because the log prints them or the auditor takes them.
    allowed: bool,
    kept: Mutex<Vec<AuditedDecision>>,
    objects: Mutex<Vec<AuditedObject>>,
    sign_in: Mutex<Option<AuditedSignIn>>,
}

impl Decisions {
    pub(crate) fn new(metrics: Arc<Metrics>, auditor_takes_all: bool) -> Self {
        let allowed = auditor_takes_all || tracing::enabled!(target: "audit", tracing::Level::DEBUG);
        Self { metrics, allowed, kept: Mutex::default(), objects: Mutex::default(), sign_in: Mutex::default() }
    }

    /// Decisions that allow are kept as well as those that refuse.
    pub(crate) fn keeps_all(&self) -> bool {
        self.allowed
    }

    /// The decisions so far, in order.
    pub(crate) fn take(&self) -> Vec<AuditedDecision> {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whose user asked for a session, as far as that was verified.
    pub(crate) fn take_sign_in(&self) -> Option<AuditedSignIn> {
        self.sign_in.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps what became of one key of DeleteObjects.
    pub(crate) fn object(&self, object: impl FnOnce() -> AuditedObject) {
        if self.allowed {
            self.objects.lock().unwrap_or_else(PoisonError::into_inner).push(object());
        }
    }

    /// What became of the keys so far.
    pub(crate) fn take_objects(&self) -> Vec<AuditedObject> {
        std::mem::take(&mut self.objects.lock().unwrap_or_else(PoisonError::into_inner))
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

    fn signs_in(&self, sign_in: AuditedSignIn) {
        *self.sign_in.lock().unwrap_or_else(PoisonError::into_inner) = Some(sign_in);
    }
}
