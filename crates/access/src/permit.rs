//! Permission is a value that you hold, not an `if` that you have to remember.

use policy::Decision;
use s3::Operation;
use s3::op::*;

/// The proof that an operation may run: every permission it needs was allowed.
///
/// Only [`authorize`](crate::authorize) makes one, and it asks the operation itself what it needs. A permit for one
/// operation never becomes one for another. The permit for an [`Operation`] only becomes that of the operation inside
/// it, as [`Permitted`].
///
/// No other code can make one:
/// ```compile_fail
/// fn forge(operation: s3::op::GetObject, decision: policy::Decision) -> access::Permit<s3::op::GetObject> {
///     access::Permit { operation, decision }
/// }
/// ```
/// Nor can other code choose the permissions of an operation:
/// ```compile_fail
/// fn unneeded(operation: s3::op::GetObject) -> access::Resolved<s3::op::GetObject> {
///     access::Resolved { operation, needs: Vec::new() }
/// }
/// ```
/// Nor does a permit to read allow a delete:
/// ```compile_fail
/// fn other(permit: access::Permit<s3::op::GetObject>) -> access::Permit<s3::op::DeleteObject> {
///     permit
/// }
/// ```
/// Legitimate code compiles, which shows that the three examples above fail for the right reasons:
/// ```
/// fn read(permit: &access::Permit<s3::op::GetObject>) -> &s3::op::GetObject {
///     permit.operation()
/// }
/// fn decide(operation: s3::op::GetObject, input: access::DecisionInput<'_>) -> bool {
///     access::authorize(access::Resolved::from(operation), input).is_ok()
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

    /// The operation that may run. Consumes the permit.
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
        /// A permit for an operation of S3, with one variant for each operation.
        #[derive(Debug)]
        #[allow(missing_docs, reason = "each variant is the permit for the operation with its name")]
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
