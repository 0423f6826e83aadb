//! Permission is a value that is held, not an `if` that is remembered.

use policy::Decision;
use s3::Operation;
use s3::op::*;

/// The proof that an operation may run: every permission it needs was allowed.
///
/// Only [`authorize`](crate::authorize) makes one, and it asks the operation itself what it needs. A permit for one operation
/// never becomes one for another: that of an [`Operation`] becomes that of the operation inside it, as [`Permitted`].
///
/// Nobody else can make one:
/// ```compile_fail
/// fn forge(operation: s3::op::GetObject, decision: policy::Decision) -> access::Permit<s3::op::GetObject> {
///     access::Permit { operation, decision }
/// }
/// ```
/// Nor are the permissions of an operation anybody's choice:
/// ```compile_fail
/// fn unneeded(operation: s3::op::GetObject) -> access::Resolved<s3::op::GetObject> {
///     access::Resolved { operation, needs: Vec::new() }
/// }
/// ```
/// Nor does a permit to read delete:
/// ```compile_fail
/// fn other(permit: access::Permit<s3::op::GetObject>) -> access::Permit<s3::op::DeleteObject> {
///     permit
/// }
/// ```
/// What needs no permit compiles, so that the three above fail for their own reasons:
/// ```
/// fn read(permit: &access::Permit<s3::op::GetObject>) -> &s3::op::GetObject {
///     permit.operation()
/// }
/// fn decide(operation: s3::op::GetObject, world: access::World<'_>) -> bool {
///     access::authorize(access::Resolved::from(operation), world).is_ok()
/// }
/// ```
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
}

macro_rules! permitted {
    ($($module:ident: $($Name:ident),+;)+ = $listed:ident: $Listed:ident) => {
        /// A permit for an operation of S3, by the operation.
        #[derive(Debug)]
        #[allow(missing_docs, reason = "each variant is the permit for the operation of its name")]
        pub enum Permitted {
            $($($Name(Permit<$Name>),)+)+
            $Listed(Permit<$Listed>),
        }

        impl From<Permit<Operation>> for Permitted {
            fn from(permit: Permit<Operation>) -> Self {
                let Permit { operation, decision } = permit;
                match operation {
                    $($(Operation::$Name(operation) => Self::$Name(Permit { operation, decision }),)+)+
                    Operation::$Listed(operation) => Self::$Listed(Permit { operation, decision }),
                }
            }
        }
    };
}

s3::for_each_operation!(permitted);
