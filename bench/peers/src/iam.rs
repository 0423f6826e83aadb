//! The crate `iam-rs`, which reads the same documents.

use iam_rs::{
    Arn, Context, ContextValue, Decision, EvaluationOptions, IAMPolicy, IAMRequest, PolicyEvaluator, Principal,
    PrincipalId,
};

use crate::workload::{CONTEXT, PRINCIPAL};

/// An evaluator with its policy and a request.
pub struct Iam {
    evaluator: PolicyEvaluator,
    request: IAMRequest,
}

pub fn parse(document: &str) -> IAMPolicy {
    serde_json::from_str(document).expect("the workloads are policies")
}

impl Iam {
    pub fn new(document: &str, object: &str) -> Self {
        let mut context = Context::new();
        for (key, value) in CONTEXT {
            let value = match value {
                "true" => ContextValue::Boolean(true),
                text => ContextValue::String(text.to_owned()),
            };
            context.insert(key.to_owned(), value);
        }
        // Its own limit of 1,000 statements would end the larger workloads.
        let options = EvaluationOptions { max_statements: usize::MAX, ..EvaluationOptions::default() };
        let resource = Arn::parse(&format!("arn:aws:s3:::{object}")).expect("an ARN");
        let principal = Principal::Aws(PrincipalId::String(PRINCIPAL.to_owned()));
        Self {
            evaluator: PolicyEvaluator::with_policies(vec![parse(document)]).with_options(options),
            request: IAMRequest::new_with_context(principal, "s3:GetObject", resource, context),
        }
    }

    pub fn allows(&self) -> bool {
        matches!(self.evaluator.evaluate(&self.request).map(|result| result.decision), Ok(Decision::Allow))
    }
}
