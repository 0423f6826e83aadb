use std::sync::Arc;

use policy::{Policy, PolicyError, PolicyKind};

use super::{IamError, Request};

/// The longest document that is simulated or validated without being stored, in characters. White space counts, unlike in
/// quotas. Source: IAM API Reference, `PolicyInputList` of SimulateCustomPolicy.
const CHARACTERS_MAX: usize = 131_072;

/// Refuses a document that is too long to simulate or validate, with a message about this parameter.
pub(super) fn check_length(parameter: &str, text: &str) -> Result<(), String> {
    if text.chars().count() > CHARACTERS_MAX {
        return Err(format!("{parameter} has more than {CHARACTERS_MAX} characters: send a smaller document"));
    }
    Ok(())
}

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
