//! Kelpgate's engine.

use std::sync::Arc;

use ids::AccountId;
use policy::{
    Action, CompiledPolicy, Context, CrossAccount, Policy, PolicyKind, PolicySet, Principal, Request, decide,
};

use crate::workload::{CONTEXT, PRINCIPAL};

/// A compiled policy and a request, ready to be decided any number of times.
pub struct Kelpgate {
    identity: [Arc<CompiledPolicy>; 1],
    principal: Principal,
    action: Action,
    account: AccountId,
    context: Context,
    resource: String,
}

pub fn parse(document: &str) -> Policy {
    Policy::parse_stored(PolicyKind::Identity, document).expect("the workloads are policies")
}

impl Kelpgate {
    pub fn new(document: &str, object: &str) -> Self {
        let mut context = Context::new();
        CONTEXT.iter().for_each(|(key, value)| context.set(key, *value));
        Self {
            identity: [Arc::new(parse(document).compile())],
            principal: PRINCIPAL.parse().expect("an ARN"),
            action: Action::named("s3:GetObject").expect("an action"),
            account: "111122223333".parse().expect("an account"),
            context,
            resource: format!("arn:aws:s3:::{object}"),
        }
    }

    pub fn allows(&self) -> bool {
        let policies = PolicySet {
            identity: &self.identity,
            resource: None,
            session: None,
            boundary: None,
            cross_account: CrossAccount::Both,
        };
        let request = Request {
            principal: &self.principal,
            principal_canonical_id: None,
            action: self.action.into(),
            resource: &self.resource,
            resource_account: self.account,
            context: &self.context,
        };
        decide(&policies, &request).is_allow()
    }
}
