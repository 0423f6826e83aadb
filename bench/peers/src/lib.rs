//! The same policies and the same request, in the words of each evaluator.

pub mod cedar;
pub mod iam;
pub mod kelpgate;
pub mod measure;
pub mod workload;
