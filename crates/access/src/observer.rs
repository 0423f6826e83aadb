//! Observers of decisions: metrics, which need a clock that this crate does not have.

use policy::Decision;

use crate::audit::{AuditedDecision, AuditedSignIn};

/// Observes every decision while it is made.
pub trait DecisionObserver: Send + Sync {
    /// Calls `decide` once, for this action. Only its result counts: an observer cannot change a decision, and if it does
    /// not call `decide`, the request is refused.
    fn observe(&self, action: &str, decide: &mut dyn FnMut() -> Decision);

    /// Takes the decision about a permission that an operation needs to run. `decision` names policy and statement, which costs time: it
    /// is called only for what is kept.
    fn audit(&self, _allowed: bool, _decision: &dyn Fn() -> AuditedDecision) {}

    /// Receives the user that asks for a session. It is called again when more is verified.
    fn signs_in(&self, _sign_in: AuditedSignIn) {}
}

/// Records nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl DecisionObserver for NoObserver {
    fn observe(&self, _action: &str, decide: &mut dyn FnMut() -> Decision) {
        decide();
    }
}

/// The decision about an action, made while an observer watches.
pub fn observed(observer: &dyn DecisionObserver, action: &str, decide: impl Fn() -> Decision) -> Decision {
    let mut decision = None;
    observer.observe(action, &mut || *decision.insert(decide()));
    decision.unwrap_or(Decision::ImplicitDeny { missing: policy::PolicyType::NotNeeded })
}

#[cfg(test)]
mod tests {
    use policy::{Origin, PolicyType};

    use super::*;

    struct Asleep;

    impl DecisionObserver for Asleep {
        fn observe(&self, _: &str, _: &mut dyn FnMut() -> Decision) {}
    }

    #[test]
    fn a_request_without_a_decision_is_refused() {
        let allow = || Decision::Allow { by: Origin { policy: PolicyType::Resource, statement: 3 } };
        assert_eq!(observed(&NoObserver, "s3:GetObject", allow), allow());
        assert!(!observed(&Asleep, "s3:GetObject", allow).is_allow());
    }
}
