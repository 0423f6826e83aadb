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

    /// The operation and its seal apart, to look inside an enum of operations.
    pub fn split(self) -> (Op, Seal) {
        (self.operation, Seal(self.decision))
    }
}

/// What makes a permit out of an operation: it comes from another permit, whose operation held this one.
#[derive(Debug)]
pub struct Seal(Decision);

impl Seal {
    /// The permit for the operation that was inside the sealed one, and for no other.
    pub fn on<Op>(self, inner: Op) -> Permit<Op> {
        Permit { operation: inner, decision: self.0 }
    }
}
