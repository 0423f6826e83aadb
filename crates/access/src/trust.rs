//! Who may assume a role.

use iam::Role;
use policy::{Decision, PolicySet, PolicyType, Request, RequestAction, decide_trust};
use s3::Requirement;

use crate::audit::{AuditedDecision, PolicyOwner};
use crate::decision_input::DecisionInput;
use crate::observer::observed;

/// Decides a permission that assuming a role needs: by the trust policy of the role, and by the caller's own policies. The
/// decision is left to auditors. `need` has the role's own ARN. A role that does not exist trusts no one.
pub fn decide_to_assume(need: &Requirement, role: Option<&Role>, input: DecisionInput<'_>) -> Decision {
    let decision = observed(input.observer, need.action, || {
        role.map_or(Decision::ImplicitDeny { missing: PolicyType::Resource }, |role| decide(need, role, input))
    });
    let owner = role.map_or(PolicyOwner::None, PolicyOwner::Role);
    input.observer.audit(decision.is_allow(), &|| AuditedDecision::of(need, decision, owner, input));
    decision
}

fn decide(need: &Requirement, role: &Role, input: DecisionInput<'_>) -> Decision {
    let caller = input.caller;
    let policies = PolicySet {
        identity: &caller.policies,
        session: caller.session.as_ref().and_then(|session| session.policy.as_deref()),
        boundary: caller.boundary.as_deref(),
        cross_account: input.snapshot.settings().cross_account,
        ..PolicySet::default()
    };
    let request = Request {
        principal: &caller.principal,
        principal_id: caller.unique_id(),
        principal_canonical_id: None,
        action: RequestAction::named(need.action),
        resource: &need.resource,
        resource_account: role.account,
        context: input.context,
    };
    decide_trust(&role.trust, &policies, &request)
}
