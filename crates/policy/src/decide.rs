use std::sync::Arc;

use ids::AccountId;
use serde::Serialize;

use crate::acl::{Acl, AclVerdict};
use crate::action::{Action, RequestAction};
use crate::compiled::{CompiledPolicy, Verdict};
use crate::principal::Principal;
use crate::request::Request;

/// What else a request needs when another account's resource policy grants it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CrossAccount {
    /// A grant to a user, a session, a role or `*` suffices. A grant to an account also needs an allow of the identity
    /// policies. The session policy and the boundary always limit.
    #[default]
    ResourcePolicy,
    /// AWS's rule: both sides must allow.
    Both,
}

/// The policies that apply to one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct PolicySet<'a> {
    /// The policies of the user and its groups, or of the role.
    pub identity: &'a [Arc<CompiledPolicy>],
    /// The bucket policy.
    pub resource: Option<&'a CompiledPolicy>,
    /// The policy that was passed when the session was made.
    pub session: Option<&'a CompiledPolicy>,
    /// The permissions boundary of the user or role.
    pub boundary: Option<&'a CompiledPolicy>,
    /// The rule for requests across accounts.
    pub cross_account: CrossAccount,
    /// The ACL of the bucket or object, where ACLs count.
    pub acl: Option<Acl<'a>>,
    /// The resource is an object that belongs to another account than its bucket: the bucket policy can deny, but it
    /// cannot give away what belongs to someone else.
    pub is_foreign: bool,
    /// `RestrictPublicBuckets` of a bucket whose policy is public: only identities of this account may use it.
    pub restricted_to: Option<AccountId>,
}

/// A type of policy, as it appears in decisions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyType {
    /// The identity policy at this index of [`PolicySet::identity`].
    Identity(usize),
    /// The bucket policy, or the trust policy of a role.
    Resource,
    /// The session policy.
    Session,
    /// The permissions boundary.
    Boundary,
    /// No policy: a grant of an ACL, which [`Origin::statement`] counts.
    Acl,
    /// No policy: `RestrictPublicBuckets`.
    PublicAccessBlock,
    /// No policy: the root user of the account that owns the resource.
    Root,
    /// No policy: the action needs no permission (`sts:GetCallerIdentity`).
    NotNeeded,
}

impl PolicyType {
    /// The type as metrics and logs label it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Identity(_) => "identity",
            Self::Resource => "resource",
            Self::Session => "session",
            Self::Boundary => "boundary",
            Self::Acl => "acl",
            Self::PublicAccessBlock => "public_access_block",
            Self::Root => "root",
            Self::NotNeeded => "none",
        }
    }

    /// The type in AWS's words. Where there is no policy, it is the one that would have to allow.
    pub fn description(self) -> &'static str {
        match self {
            Self::Identity(_) | Self::Root | Self::NotNeeded => "identity-based policy",
            Self::Resource => "resource-based policy",
            Self::Session => "session policy",
            Self::Boundary => "permissions boundary",
            Self::Acl => "access control list",
            Self::PublicAccessBlock => "public access block",
        }
    }
}

/// The policy and the statement that decided.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
pub struct Origin {
    /// The policy.
    pub policy: PolicyType,
    /// The index of the statement in its document; 0 if no statement decided.
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
    /// Refused because a policy that has to allow the request does not.
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

/// Decides a request according to the IAM User Guide, "Policy evaluation logic".
pub fn decide(policies: &PolicySet<'_>, request: &Request<'_>) -> Decision {
    let caller_identity = RequestAction::Known(Action::GET_CALLER_IDENTITY);
    if request.action == caller_identity {
        // This action needs no permission and cannot be denied (STS API Reference, GetCallerIdentity).
        return allow(PolicyType::NotNeeded, 0);
    }
    let verdicts = Verdicts::new(policies, policies.resource, request);
    if let Some(denied) = verdicts.explicit_deny(|| keeps_access(policies, request)) {
        return denied;
    }
    if policies.restricted_to.is_some_and(|account| !request.principal.is_of(&account)) {
        return Decision::ImplicitDeny { missing: PolicyType::PublicAccessBlock };
    }
    match request.principal {
        Principal::Anonymous | Principal::Service(_) | Principal::Federated { .. } => verdicts.resource_alone(),
        principal if principal.is_of(&request.resource_account) => verdicts.same_account(policies, request),
        _ => verdicts.cross_account(policies, request),
    }
}

/// Whether [`decide`] could allow the request's action to its caller, on some resource and under some conditions. This
/// cheap upper bound is checked before a body is read for the decision. It never replaces the decision.
pub fn could_allow(policies: &PolicySet<'_>, request: &Request<'_>) -> bool {
    let could = |policy: &CompiledPolicy| policy.could_allow(request);
    let is_root = matches!(request.principal, Principal::Root(_));
    let holds = request.principal.has_account() && policies.identity.iter().any(|policy| could(policy));
    let granted = policies.acl.is_some_and(|acl| acl.evaluate(request).any().is_some());
    is_root || holds || granted || policies.resource.is_some_and(could)
}

/// Decides whether a role may be assumed. `trust` replaces the resource policy ([`PolicySet::resource`] is ignored),
/// and has to allow the request itself.
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
        Principal::Service(_) | Principal::Federated { .. } => verdicts.resource_alone(),
        principal if principal.is_of(&request.resource_account) => verdicts.same_account(policies, request),
        _ => verdicts.cross_account(policies, request),
    }
}

fn allow(policy: PolicyType, statement: u32) -> Decision {
    Decision::Allow { by: Origin { policy, statement } }
}

/// What each policy says on its own.
struct Verdicts {
    /// The first identity policy that denies: its index and the statement.
    identity_deny: Option<(usize, u32)>,
    /// The first identity policy that allows: its index and the statement.
    identity_allow: Option<(usize, u32)>,
    resource: Verdict,
    acl: AclVerdict,
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
            acl: policies.acl.map(|acl| acl.evaluate(request)).unwrap_or_default(),
            session: policies.session.map(evaluate),
            boundary: policies.boundary.map(evaluate),
        };
        if policies.is_foreign {
            all.resource = Verdict { deny: all.resource.deny, ..Verdict::default() };
        }
        // Anonymous callers, services and identity providers have no identity policies.
        if request.principal.has_account() {
            for (place, policy) in policies.identity.iter().enumerate() {
                let verdict = evaluate(policy);
                all.identity_deny = all.identity_deny.or(verdict.deny.get().map(|statement| (place, statement)));
                all.identity_allow = all.identity_allow.or(verdict.any_allow().map(|statement| (place, statement)));
            }
        }
        all
    }

    /// An explicit deny in any policy ends the decision, whatever else allows the request. A deny in the resource
    /// policy does not count if the caller is exempt from it.
    fn explicit_deny(&self, is_exempt: impl FnOnce() -> bool) -> Option<Decision> {
        let of_resource = self.resource.deny.get().filter(|_| !is_exempt());
        let of = |policy| move |statement| Origin { policy, statement };
        let by = self.identity_deny.map(|(place, statement)| Origin { policy: PolicyType::Identity(place), statement });
        let by = by.or(of_resource.map(of(PolicyType::Resource)));
        let by = by.or(self.session.and_then(|verdict| verdict.deny.get()).map(of(PolicyType::Session)));
        let by = by.or(self.boundary.and_then(|verdict| verdict.deny.get()).map(of(PolicyType::Boundary)));
        by.map(|by| Decision::ExplicitDeny { by })
    }

    /// The decision for callers that have no policies of their own.
    fn resource_alone(&self) -> Decision {
        match (self.resource.any_allow(), self.acl.any()) {
            (Some(statement), _) => allow(PolicyType::Resource, statement),
            (None, Some(grant)) => allow(PolicyType::Acl, grant),
            (None, None) => Decision::ImplicitDeny { missing: PolicyType::Resource },
        }
    }

    fn same_account(&self, policies: &PolicySet<'_>, request: &Request<'_>) -> Decision {
        let allows = self.session.is_none_or(|session| session.any_allow().is_some());
        if !allows && policies.session.is_some_and(CompiledPolicy::limits_grants) {
            return Decision::ImplicitDeny { missing: PolicyType::Session };
        }
        if let Some(statement) = self.resource.direct.get() {
            return allow(PolicyType::Resource, statement);
        }
        if matches!(request.principal, Principal::Root(_)) {
            return allow(PolicyType::Root, 0);
        }
        // A grant of an ACL to the account itself leaves the decision to its policies.
        let by = match (self.resource.role.get(), self.identity_allow, self.acl.group) {
            (Some(statement), ..) => Origin { policy: PolicyType::Resource, statement },
            (None, Some((place, statement)), _) => Origin { policy: PolicyType::Identity(place), statement },
            (None, None, Some(statement)) => Origin { policy: PolicyType::Acl, statement },
            (None, None, None) => return Decision::ImplicitDeny { missing: PolicyType::Identity(0) },
        };
        match self.limit(policies, request) {
            Some(missing) => Decision::ImplicitDeny { missing },
            None => Decision::Allow { by },
        }
    }

    fn cross_account(&self, policies: &PolicySet<'_>, request: &Request<'_>) -> Decision {
        let named = self.resource.direct.is_some() || self.resource.role.is_some();
        let by_policy = self.resource.any_allow().map(|statement| (PolicyType::Resource, statement, named));
        let by_acl = self.acl.any().map(|grant| (PolicyType::Acl, grant, self.acl.group.is_some()));
        if by_policy.is_none() && by_acl.is_none() {
            return Decision::ImplicitDeny { missing: PolicyType::Resource };
        }
        // A grant to an account reaches only the identities that the account's own policies allow.
        let chosen = matches!(request.principal, Principal::Root(_)) || self.identity_allow.is_some();
        let suffices = |named: bool| chosen || policies.cross_account == CrossAccount::ResourcePolicy && named;
        let granted = by_policy.into_iter().chain(by_acl).find(|(_, _, named)| suffices(*named));
        match (granted, self.limit(policies, request)) {
            (None, _) => Decision::ImplicitDeny { missing: PolicyType::Identity(0) },
            (_, Some(missing)) => Decision::ImplicitDeny { missing },
            (Some((policy, statement, _)), None) => allow(policy, statement),
        }
    }

    /// The boundary or session policy that does not allow the request.
    fn limit(&self, policies: &PolicySet<'_>, request: &Request<'_>) -> Option<PolicyType> {
        let silent = |verdict: Option<Verdict>| verdict.is_some_and(|verdict| verdict.any_allow().is_none());
        // Only role sessions can have permissions without a session policy (IAM User Guide, evaluation logic, session
        // policies).
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
