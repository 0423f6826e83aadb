//! The initiator of a multipart upload. Only the initiator may add parts and complete it, because the object gets the tags,
//! the ACL and the owner that the initiator was allowed to give it.

use access::CLAIM_BASED_ROLE;
use bucket::multipart::Initiator;
use iam::{Caller, RevocationTarget};
use policy::Principal;

/// A caller as the initiator of uploads; `None` for anonymous callers.
pub(super) fn initiator(caller: &Caller) -> Option<Initiator> {
    Some(Initiator { id: initiator_id(caller)?, arn: caller.arn.to_string() })
}

/// Identifies a caller by unique ids: all sessions of a role are one, and so are a user and the sessions that they make for themselves.
/// `None` for anonymous callers.
pub(super) fn initiator_id(caller: &Caller) -> Option<String> {
    match &caller.principal {
        Principal::Root(account) => Some(account.to_string()),
        // The user who vouches for them chose the name.
        Principal::FederatedUser { name, .. } => Some(format!("{}:{name}", caller.unique_id()?)),
        Principal::AssumedRole { .. } => subject_without_role(caller).or_else(|| caller.unique_id().map(str::to_owned)),
        _ => caller.unique_id().map(str::to_owned),
    }
}

/// The user of an identity provider for whom a session without a role was made. What such sessions have in place of a role's id is the
/// same for all of them.
fn subject_without_role(caller: &Caller) -> Option<String> {
    let session = caller.session.as_ref().filter(|session| &*session.role_arn == CLAIM_BASED_ROLE)?;
    let federation = session.federation.as_ref()?;
    let (issuer, subject) = (federation.provider.issuer.clone(), federation.subject.to_string());
    Some(RevocationTarget::Subject(caller.account.to_string(), issuer, subject).to_text())
}

#[cfg(test)]
mod tests;
