//! Permission is a value that is held, not an `if` that is remembered.

use policy::Decision;

/// The proof that an operation may run: every permission it needs was allowed. Only `authorize` makes one.
#[derive(Debug)]
pub struct Permit<Op> {
    operation: Op,
    decision: Decision,
}

impl<Op> Permit<Op> {
    pub(crate) fn new(operation: Op, decision: Decision) -> Self {
        Self { operation, decision }
    }

    /// What may run.
    pub fn operation(&self) -> &Op {
        &self.operation
    }

    /// What may run, given away with the proof.
    pub fn into_operation(self) -> Op {
        self.operation
    }

    /// The decision that allowed it.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The same proof for the one operation inside a larger value: `choose` takes the operation out of its enum and must
    /// not make another one.
    pub fn narrow<Inner>(self, choose: impl FnOnce(Op) -> Inner) -> Permit<Inner> {
        Permit { operation: choose(self.operation), decision: self.decision }
    }
}
