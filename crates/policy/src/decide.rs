use std::sync::Arc;

use ids::AccountId;
use serde::Serialize;

use crate::action::RequestAction;
use crate::compiled::CompiledPolicy;
use crate::context::Context;
use crate::principal::Principal;

/// What is asked: one principal, one action, one resource, and the condition keys of the request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
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
pub fn decide(_policies: &PolicySet<'_>, _request: &Request<'_>) -> Decision {
    Decision::ImplicitDeny { missing: PolicyType::Identity(0) }
}

/// Decides whether a role may be assumed: `trust` takes the place of the resource policy ([`PolicySet::resource`] is not looked at), and
/// has to allow it itself.
pub fn decide_trust(_trust: &CompiledPolicy, _policies: &PolicySet<'_>, _request: &Request<'_>) -> Decision {
    Decision::ImplicitDeny { missing: PolicyType::Resource }
}
