use ids::AccountId;

use crate::action::RequestAction;
use crate::context::Context;
use crate::principal::Principal;

/// What a decision is about: one principal, one action, one resource, and the condition keys of the request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who makes the request.
    pub principal: &'a Principal,
    /// The unique id of the user or of the session's role, `AIDA...` or `AROA...`, if it is known. Principals of
    /// resource policies that are bound to an id are compared with this id; if it is not known, they are compared by
    /// name.
    pub principal_id: Option<&'a str>,
    /// The canonical user id of the caller's account, if it is known.
    pub principal_canonical_id: Option<&'a str>,
    /// The action; `Action::into()` makes one.
    pub action: RequestAction<'a>,
    /// The ARN of the resource, or `*` for actions that have none. Never a pattern.
    pub resource: &'a str,
    /// The account that owns the resource.
    pub resource_account: AccountId,
    /// The condition keys of the request. The decision adds none.
    pub context: &'a Context,
}
