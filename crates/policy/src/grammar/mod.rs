//! Turns text into a document in which every element has the type that the grammar requires.

mod document;
mod json;
mod nearest;
mod operator;

pub(crate) use document::{
    ActionElement, Condition, Document, Effect, PrincipalElement, PrincipalKind, PrincipalName, ResourceElement,
    Statement,
};
pub(crate) use nearest::nearest;
pub(crate) use operator::{Comparison, Operator, SetQualifier};
