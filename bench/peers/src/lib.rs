//! The same policies and the same request for each evaluator, in its own language.

pub mod cedar;
pub mod iam;
pub mod kelpgate;
pub mod measure;
pub mod workload;
