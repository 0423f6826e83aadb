use std::sync::Arc;

use policy::{Policy, PolicyError, PolicyKind};

use super::{IamError, Request};

/// The text of a policy parameter, which the evaluator must be able to read.
pub(super) fn checked_document(request: &Request<'_>, kind: PolicyKind, parameter: &str) -> Result<Arc<str>, IamError> {
    let text = request.params.required(parameter)?;
    parsed(Policy::parse(kind, text)).map(|_| text.into())
}

/// A policy of a call, or AWS's error with the place in the document.
pub(super) fn parsed(policy: Result<Policy, PolicyError>) -> Result<Policy, IamError> {
    policy.map_err(|error| {
        let status = if error.code() == "LimitExceeded" { 409 } else { 400 };
        IamError::new(error.code(), status, error.message_and_path())
    })
}
