//! The IAM policy language and its one evaluator: parse, validate, compile, decide, explain.

mod arn_pattern;
mod error;
mod fault;
mod grammar;
mod pattern;
mod places;
mod policy;
mod policy_kind;
mod position;
mod public;
mod rules;
mod template;
mod value;
mod variable_pattern;

mod acl;
mod action;
mod action_facts;
#[rustfmt::skip]
mod action_table;
mod context;
mod principal;
mod request;

mod action_element;
mod condition;
mod principal_element;
mod resource_element;
mod statement;

mod advice;
mod compiled;
mod decide;
mod explain;
mod explanation_text;
mod for_seaweedfs;
mod granted;
mod index;
mod legacy;
mod validate;
mod work;

pub mod cases;

pub use acl::{Acl, AclSubject, is_of_object_acl};
pub use action::{Action, RequestAction};
pub use action_facts::{Level, ResourceType};
pub use compiled::CompiledPolicy;
pub use context::{Context, ValueTooLong};
pub use decide::{CrossAccount, Decision, Origin, PolicySet, PolicyType, could_allow, decide, decide_trust};
pub use error::PolicyError;
pub use explain::{
    AppliedStatement, ElementExplanation, Explanation, StatementExplanation, applying, explain, explain_trust,
    missing_keys,
};
pub use for_seaweedfs::PolicyForSeaweedFs;
pub use granted::UnusedGrant;
pub use policy::Policy;
pub use policy_kind::PolicyKind;
pub use position::{Position, statement_spans};
pub use principal::{Principal, PrincipalError};
pub use principal_element::PrincipalIds;
pub use request::Request;
pub use validate::{Finding, Severity, validate};
pub use work::work;
