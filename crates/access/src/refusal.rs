//! Why a request is refused, in S3's words.

use policy::{Decision, PolicyType, Principal};
use s3::{S3Error, S3ErrorCode};
use sigv4::SigError;

/// A refused permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The decision; never Allow.
    pub decision: Decision,
    /// The refused action, as AWS spells it.
    pub action: String,
    /// The resource for which it was refused.
    pub resource: String,
    /// The ARN of the caller; empty for anonymous callers.
    pub principal: String,
    /// A hint about what the operator may have forgotten.
    pub hint: Option<&'static str>,
    /// A stored policy that cannot be read, if that is the reason.
    pub unreadable: Option<String>,
}

impl Refusal {
    pub(crate) fn new(decision: Decision, action: &str, resource: &str, principal: &Principal) -> Self {
        let principal = match principal {
            Principal::Anonymous => String::new(),
            known => known.to_string(),
        };
        Self { decision, action: action.into(), resource: resource.into(), principal, hint: None, unreadable: None }
    }

    /// `AccessDenied`, in AWS's words: who, what, on which resource, and which type of policy refused it.
    pub fn to_error(&self, decision_id: &str) -> S3Error {
        let reason = match (&self.unreadable, self.decision) {
            (Some(reason), _) => format!("because {reason}"),
            (None, Decision::ExplicitDeny { by }) => format!("with an explicit deny in {}", named(by.policy)),
            (None, Decision::ImplicitDeny { missing: PolicyType::PublicAccessBlock }) => {
                "because the RestrictPublicBuckets setting allows only identities of the bucket's account".to_owned()
            }
            (None, Decision::ImplicitDeny { missing }) => {
                format!("because no {} allows the {} action", missing.description(), self.action)
            }
            (None, Decision::Allow { .. }) => "because the decision could not be used".to_owned(),
        };
        let who = match self.principal.as_str() {
            "" => "The anonymous caller".to_owned(),
            arn => format!("User: {arn}"),
        };
        let hint = self.hint.map(|hint| format!(". {hint}")).unwrap_or_default();
        let (action, resource) = (&self.action, &self.resource);
        let message =
            format!("{who} is not authorized to perform: {action} on resource: \"{resource}\" {reason}{hint}");
        S3Error::with_message(S3ErrorCode::AccessDenied, message).field("DecisionId", decision_id)
    }
}

/// The outcome of a decision, as metrics label it.
pub fn outcome_label(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allow { .. } => "allow",
        Decision::ExplicitDeny { .. } => "explicit_deny",
        Decision::ImplicitDeny { .. } => "implicit_deny",
    }
}

/// The type of policy that decided, as metrics and logs label it.
pub fn policy_label(decision: &Decision) -> &'static str {
    let policy = match *decision {
        Decision::ExplicitDeny { by } | Decision::Allow { by } => by.policy,
        Decision::ImplicitDeny { missing } => missing,
    };
    policy.label()
}

/// A type of policy with its article.
fn named(policy: PolicyType) -> String {
    let article = match policy {
        PolicyType::Identity(_) | PolicyType::Acl | PolicyType::Root | PolicyType::NotNeeded => "an",
        PolicyType::Resource | PolicyType::Session | PolicyType::Boundary => "a",
        PolicyType::PublicAccessBlock => "the",
    };
    format!("{article} {}", policy.description())
}

/// The element that says what to do where the message has to be AWS's. It is Kelpgate's own.
pub const ADVICE: &str = "Advice";

/// Why a signature, or a body that it covers, is refused.
pub fn from_signature(error: SigError) -> S3Error {
    let code = S3ErrorCode::ALL.iter().copied().find(|code| code.as_str() == error.code());
    let answer = S3Error::with_message(code.unwrap_or(S3ErrorCode::InvalidRequest), error.to_string());
    match error.advice() {
        Some(advice) => answer.field(ADVICE, advice),
        None => answer,
    }
}
