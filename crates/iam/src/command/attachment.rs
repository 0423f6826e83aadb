//! Attach, Detach and ListAttached of managed policies: to users, groups and roles alike.

use std::sync::Arc;

use super::inline_policy::{Kind, check, holder_document};
use super::xml::Xml;
use super::{Answer, Command, IamError, Outcome, Request, managed_policy, read, revoke, user};
use crate::change::{Change, DocumentKey, Holder};
use crate::snapshot::{Snapshot, policy_name_of};

pub(super) const COMMANDS: &[Command] = &[
    revoke("AttachUserPolicy", |r, s| documents(r, s, Kind::User), |r, s| attach(r, s, Kind::User)),
    revoke("DetachUserPolicy", |r, s| documents(r, s, Kind::User), |r, s| detach(r, s, Kind::User)),
    read("ListAttachedUserPolicies", |r, s| list(r, s, Kind::User)),
    revoke("AttachGroupPolicy", |r, s| documents(r, s, Kind::Group), |r, s| attach(r, s, Kind::Group)),
    revoke("DetachGroupPolicy", |r, s| documents(r, s, Kind::Group), |r, s| detach(r, s, Kind::Group)),
    read("ListAttachedGroupPolicies", |r, s| list(r, s, Kind::Group)),
    revoke("AttachRolePolicy", |r, s| documents(r, s, Kind::Role), |r, s| attach(r, s, Kind::Role)),
    revoke("DetachRolePolicy", |r, s| documents(r, s, Kind::Role), |r, s| detach(r, s, Kind::Role)),
    read("ListAttachedRolePolicies", |r, s| list(r, s, Kind::Role)),
];

/// AWS's default quota of managed policies for each user, group or role.
pub(super) const ATTACHED_POLICIES: usize = 10;

fn documents(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Result<Vec<DocumentKey>, IamError> {
    Ok(vec![holder_document(&kind.holder(request)?), DocumentKey::Policy(request.policy_name(state)?)])
}

fn attach(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    check(request, state, &holder, true)?;
    let policy = managed_policy::find(request, state)?;
    let mut names = attached_names(state, &holder);
    if names.iter().any(|name| policy_name_of(name) == &*policy.name) {
        return Ok(Outcome::default()); // attached already: AWS answers success
    }
    if names.len() >= ATTACHED_POLICIES {
        let kind = holder.kind();
        let quota = format!("Cannot exceed quota for PoliciesPer{kind}: {ATTACHED_POLICIES}");
        return Err(IamError::limit(quota));
    }
    names.push(policy.name.to_string());
    Ok(Outcome { changes: with_attached(state, &holder, names).into_iter().collect(), result: None })
}

fn detach(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    check(request, state, &holder, true)?;
    // By name, not by a lookup: a policy that is gone denies its holders until it is detached.
    let policy = request.policy_name(state)?;
    let mut names = attached_names(state, &holder);
    let before = names.len();
    names.retain(|name| policy_name_of(name) != &*policy);
    if names.len() == before {
        return Err(IamError::no_such_entity(format!("Policy {policy} was not found attached to {holder}.")));
    }
    Ok(Outcome { changes: with_attached(state, &holder, names).into_iter().collect(), result: None })
}

fn attached_names(state: &Snapshot, holder: &Holder) -> Vec<String> {
    let names = match holder {
        Holder::User(name) => state.user(name).map(|user| &user.document.policy_names),
        Holder::Group(name) => state.group(name).map(|group| &group.document.policy_names),
        Holder::Role(name) => state.role(name).map(|role| &role.document.attached_policies),
    };
    names.cloned().unwrap_or_default()
}

fn with_attached(state: &Snapshot, holder: &Holder, names: Vec<String>) -> Option<Change> {
    Some(match holder {
        Holder::User(name) => {
            let mut document = user::document(state.user(name)?);
            document.policy_names = names;
            user::put(name, document)
        }
        Holder::Group(name) => {
            let mut document = (*state.group(name)?.document).clone();
            document.policy_names = names;
            Change::Group(name.clone(), Some(Ok(document)))
        }
        Holder::Role(name) => {
            let role = state.role(name)?;
            let mut document = (*role.document).clone();
            document.attached_policies = names;
            Change::Role(name.clone(), role.place, Some(Ok(document)))
        }
    })
}

fn list(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    check(request, state, &holder, false)?;
    let names = names(state, &holder);
    let result = request.page("AttachedPolicies", names.iter().map(|name| (&**name, name)), |xml, name| {
        describe(xml, request, state, name);
    })?;
    Ok(Outcome { changes: Vec::new(), result: Some(result) })
}

/// The names of the policies attached to a holder, in order.
pub(super) fn names(state: &Snapshot, holder: &Holder) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> =
        attached_names(state, holder).iter().map(|name| policy_name_of(name).into()).collect();
    names.sort();
    names
}

/// An attached policy; it need not exist any more.
pub(super) fn describe(xml: &mut Xml, request: &Request<'_>, state: &Snapshot, name: &str) {
    xml.text("PolicyName", name).text("PolicyArn", &arn_of(request, state, name));
}

/// The ARN of a policy by its name; it need not exist any more.
pub(super) fn arn_of(request: &Request<'_>, state: &Snapshot, name: &str) -> String {
    let arn = state.policy(name).map(|policy| policy.arn.to_string());
    arn.unwrap_or_else(|| format!("arn:aws:iam::{}:policy/{name}", request.caller.account))
}
