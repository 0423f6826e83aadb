//! The IAM policy language and its one evaluator: parse, validate, compile, decide, explain.

mod action;
mod action_table;
mod compiled;
mod context;
mod decide;
mod error;
mod explain;
mod policy;
mod principal;
mod validate;

pub mod cases;

pub use action::{Action, Level, RequestAction, ResourceType};
pub use compiled::CompiledPolicy;
pub use context::Context;
pub use decide::{CrossAccount, Decision, Origin, PolicySet, PolicyType, Request, decide, decide_trust};
pub use error::PolicyError;
pub use explain::{Explanation, explain};
pub use policy::{Policy, PolicyKind};
pub use principal::{Principal, PrincipalError};
pub use validate::{Finding, Severity, validate};
