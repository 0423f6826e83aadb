use std::sync::Arc;

use ids::AccountId;
use serde::Serialize;

use crate::action::{Action, RequestAction};
use crate::compiled::{CompiledPolicy, Verdict};
use crate::context::Context;
use crate::principal::Principal;

/// What is asked: one principal, one action, one resource, and the condition keys of the request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// The unique id of the user or of the session's role, `AIDA...` or `AROA...`, where it is known. Principals of resource policies that
    /// are bound to an id are compared with it, and by name where it is not known.
    pub principal_id: Option<&'a str>,
    /// The canonical user id of the caller's account, where one is known.
    pub principal_canonical_id: Option<&'a str>,
    /// What for; `Action::into()` gives one.
    pub action: RequestAction<'a>,
    /// The ARN of the resource, or `*` for actions that have none. Never a pattern.
    pub resource: &'a str,
    /// The account that owns the resource.
    pub resource_account: AccountId,
    /// The condition keys of the request; nothing is added to them.
    pub context: &'a Context,
}

/// What a grant of another account's resource policy needs beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CrossAccount {
    /// A grant to a user, a session, a role or `*` suffices; one to an account still needs the identity's allow. The session policy and the
    /// boundary always limit.
    #[default]
    ResourcePolicy,
    /// AWS's rule: both sides must allow.
    Both,
}

/// The policies that apply to one request.
#[derive(Clone, Copy, Debug)]
pub struct PolicySet<'a> {
    /// Those of the user, of its groups, or of the role.
    pub identity: &'a [Arc<CompiledPolicy>],
    /// The bucket policy.
    pub resource: Option<&'a CompiledPolicy>,
    /// The policy passed when the session was made.
    pub session: Option<&'a CompiledPolicy>,
    /// The permissions boundary of the user or role.
    pub boundary: Option<&'a CompiledPolicy>,
    /// The rule for requests across accounts.
    pub cross_account: CrossAccount,
}

/// A type of policy, as decisions name it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyType {
    /// The identity policy at this place of [`PolicySet::identity`].
    Identity(usize),
    /// The bucket policy, or the trust policy of a role.
    Resource,
    /// The session policy.
    Session,
    /// The permissions boundary.
    Boundary,
    /// No policy: the root user of the account that owns the resource.
    Root,
    /// No policy: the action needs no permission (`sts:GetCallerIdentity`).
    NotNeeded,
}

/// The policy and the statement that decided.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
pub struct Origin {
    /// The policy.
    pub policy: PolicyType,
    /// The place of the statement in its document; 0 when no statement decided.
    pub statement: u32,
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
pub enum Decision {
    /// Allowed.
    Allow {
        /// The first statement that allows it.
        by: Origin,
    },
    /// Refused by a statement.
    ExplicitDeny {
        /// The first statement that denies it.
        by: Origin,
    },
    /// Refused because a policy that has to allow it does not.
    ImplicitDeny {
        /// The type of that policy (`Identity(0)` stands for all identity policies).
        missing: PolicyType,
    },
}

impl Decision {
    /// Whether the request may go on.
    pub fn is_allow(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }
}

/// Decides a request, by the rules of the IAM User Guide, "Policy evaluation logic".
pub fn decide(policies: &PolicySet<'_>, request: &Request<'_>) -> Decision {
    let caller_identity = RequestAction::Known(Action::GET_CALLER_IDENTITY);
    if request.action == caller_identity {
        // It needs no permission and cannot be denied (STS API Reference, GetCallerIdentity).
        return allow(PolicyType::NotNeeded, 0);
    }
    let verdicts = Verdicts::new(policies, policies.resource, request);
    if let Some(denied) = verdicts.explicit_deny(|| keeps_access(policies, request)) {
        return denied;
    }
    match request.principal {
        Principal::Anonymous | Principal::Service(_) | Principal::Federated(_) => verdicts.resource_alone(),
        principal if principal.is_of(&request.resource_account) => verdicts.same_account(policies, request),
        _ => verdicts.cross_account(policies, request),
    }
}

/// Could [`decide`] allow the request's action to its caller, on some resource and under some conditions? An upper bound that
/// costs little: it is asked before a body is read for the decision, and never in place of the decision.
pub fn could_allow(policies: &PolicySet<'_>, request: &Request<'_>) -> bool {
    let could = |policy: &CompiledPolicy| policy.could_allow(request);
    let is_root = matches!(request.principal, Principal::Root(_));
    let holds = request.principal.has_account() && policies.identity.iter().any(|policy| could(policy));
    is_root || holds || policies.resource.is_some_and(could)
}

/// Decides whether a role may be assumed: `trust` takes the place of the resource policy ([`PolicySet::resource`] is not looked at), and
/// has to allow it itself.
pub fn decide_trust(trust: &CompiledPolicy, policies: &PolicySet<'_>, request: &Request<'_>) -> Decision {
    let verdicts = Verdicts::new(policies, Some(trust), request);
    if let Some(denied) = verdicts.explicit_deny(|| false) {
        return denied;
    }
    if verdicts.resource.any_allow().is_none() {
        return Decision::ImplicitDeny { missing: PolicyType::Resource };
    }
    match request.principal {
        Principal::Anonymous => Decision::ImplicitDeny { missing: PolicyType::Resource },
        Principal::Service(_) | Principal::Federated(_) => verdicts.resource_alone(),
        principal if principal.is_of(&request.resource_account) => verdicts.same_account(policies, request),
        _ => verdicts.cross_account(policies, request),
    }
}

fn allow(policy: PolicyType, statement: u32) -> Decision {
    Decision::Allow { by: Origin { policy, statement } }
}

/// What each policy says by itself.
struct Verdicts {
    /// Of the first identity policy that denies: its place and the statement.
    identity_deny: Option<(usize, u32)>,
    /// Of the first identity policy that allows.
    identity_allow: Option<(usize, u32)>,
    resource: Verdict,
    session: Option<Verdict>,
    boundary: Option<Verdict>,
}

impl Verdicts {
    fn new(policies: &PolicySet<'_>, resource: Option<&CompiledPolicy>, request: &Request<'_>) -> Self {
        let has_boundary = policies.boundary.is_some();
        let evaluate = |policy: &CompiledPolicy| policy.evaluate(request, has_boundary);
        let mut all = Self {
            identity_deny: None,
            identity_allow: None,
            resource: resource.map(evaluate).unwrap_or_default(),
            session: policies.session.map(evaluate),
            boundary: policies.boundary.map(evaluate),
        };
        // Nobody holds identity policies for an anonymous caller, a service or an identity provider.
        if request.principal.has_account() {
            for (place, policy) in policies.identity.iter().enumerate() {
                let verdict = evaluate(policy);
                all.identity_deny = all.identity_deny.or(verdict.deny.get().map(|statement| (place, statement)));
                all.identity_allow = all.identity_allow.or(verdict.any_allow().map(|statement| (place, statement)));
            }
        }
        all
    }

    /// An explicit deny of any policy ends the decision, whatever allows it; of the resource policy unless the caller is exempt from it.
    fn explicit_deny(&self, is_exempt: impl FnOnce() -> bool) -> Option<Decision> {
        let of_resource = self.resource.deny.get().filter(|_| !is_exempt());
        let of = |policy| move |statement| Origin { policy, statement };
        let by = self.identity_deny.map(|(place, statement)| Origin { policy: PolicyType::Identity(place), statement });
        let by = by.or(of_resource.map(of(PolicyType::Resource)));
        let by = by.or(self.session.and_then(|verdict| verdict.deny.get()).map(of(PolicyType::Session)));
        let by = by.or(self.boundary.and_then(|verdict| verdict.deny.get()).map(of(PolicyType::Boundary)));
        by.map(|by| Decision::ExplicitDeny { by })
    }

    /// For callers that have no policies of their own.
    fn resource_alone(&self) -> Decision {
        match self.resource.any_allow() {
            Some(statement) => allow(PolicyType::Resource, statement),
            None => Decision::ImplicitDeny { missing: PolicyType::Resource },
        }
    }

    fn same_account(&self, policies: &PolicySet<'_>, request: &Request<'_>) -> Decision {
        if let Some(statement) = self.resource.direct.get() {
            return allow(PolicyType::Resource, statement);
        }
        if matches!(request.principal, Principal::Root(_)) {
            return allow(PolicyType::Root, 0);
        }
        let by = match (self.resource.role.get(), self.identity_allow) {
            (Some(statement), _) => Origin { policy: PolicyType::Resource, statement },
            (None, Some((place, statement))) => Origin { policy: PolicyType::Identity(place), statement },
            (None, None) => return Decision::ImplicitDeny { missing: PolicyType::Identity(0) },
        };
        match self.limit(policies, request) {
            Some(missing) => Decision::ImplicitDeny { missing },
            None => Decision::Allow { by },
        }
    }

    fn cross_account(&self, policies: &PolicySet<'_>, request: &Request<'_>) -> Decision {
        let Some(statement) = self.resource.any_allow() else {
            return Decision::ImplicitDeny { missing: PolicyType::Resource };
        };
        let is_root = matches!(request.principal, Principal::Root(_));
        let named = self.resource.direct.is_some() || self.resource.role.is_some();
        let suffices = policies.cross_account == CrossAccount::ResourcePolicy && named;
        if !is_root && !suffices && self.identity_allow.is_none() {
            return Decision::ImplicitDeny { missing: PolicyType::Identity(0) };
        }
        match self.limit(policies, request) {
            Some(missing) => Decision::ImplicitDeny { missing },
            None => allow(PolicyType::Resource, statement),
        }
    }

    /// The boundary or session policy that does not allow it.
    fn limit(&self, policies: &PolicySet<'_>, request: &Request<'_>) -> Option<PolicyType> {
        let silent = |verdict: Option<Verdict>| verdict.is_some_and(|verdict| verdict.any_allow().is_none());
        // Only sessions of roles may do without a session policy (IAM User Guide, evaluation logic, session policies).
        let federated = matches!(request.principal, Principal::FederatedUser { .. });
        if silent(self.boundary) {
            Some(PolicyType::Boundary)
        } else if silent(self.session) || (federated && policies.session.is_none()) {
            Some(PolicyType::Session)
        } else {
            None
        }
    }
}

/// The root user of the account that owns a bucket keeps the right to read, replace and delete its policy, whatever the policy
/// says (S3 User Guide, "Bucket policies": so that owners do not lock themselves out).
fn keeps_access(policies: &PolicySet<'_>, request: &Request<'_>) -> bool {
    let is_owner = matches!(request.principal, Principal::Root(account) if *account == request.resource_account);
    let RequestAction::Known(action) = request.action else { return false };
    is_owner && policies.session.is_none() && Action::OF_BUCKET_POLICY.contains(&action)
}
