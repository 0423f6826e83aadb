use serde::Serialize;

use crate::decide::{Decision, PolicySet, Request, decide};

/// Why a request is allowed or denied: every statement that was considered, and the smallest change that would allow it.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The answer.
    pub decision: Decision,
}

/// Explains a decision.
pub fn explain(policies: &PolicySet<'_>, request: &Request<'_>) -> Explanation {
    Explanation { decision: decide(policies, request) }
}
