//! Who is told of decisions: metrics, which need a clock that this crate does not have.

use policy::Decision;

/// Watches every decision while it is made.
pub trait Witness: Send + Sync {
    /// Calls `decide` once, about this action. What it returns is what counts: a witness changes no decision, and one that does not
    /// call at all refuses.
    fn watch(&self, action: &str, decide: &mut dyn FnMut() -> Decision);
}

/// Looks on and keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWitness;

impl Witness for NoWitness {
    fn watch(&self, _action: &str, decide: &mut dyn FnMut() -> Decision) {
        decide();
    }
}

/// The decision about an action, made before a witness.
pub fn witnessed(witness: &dyn Witness, action: &str, decide: impl Fn() -> Decision) -> Decision {
    let mut decision = None;
    witness.watch(action, &mut || *decision.insert(decide()));
    decision.unwrap_or(Decision::ImplicitDeny { missing: policy::PolicyType::NotNeeded })
}

#[cfg(test)]
mod tests {
    use policy::{Origin, PolicyType};

    use super::*;

    struct Asleep;

    impl Witness for Asleep {
        fn watch(&self, _: &str, _: &mut dyn FnMut() -> Decision) {}
    }

    #[test]
    fn what_nobody_decided_is_refused() {
        let allow = || Decision::Allow { by: Origin { policy: PolicyType::Resource, statement: 3 } };
        assert_eq!(witnessed(&NoWitness, "s3:GetObject", allow), allow());
        assert!(!witnessed(&Asleep, "s3:GetObject", allow).is_allow());
    }
}
