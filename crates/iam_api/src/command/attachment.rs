//! Attach, Detach and ListAttached of managed policies, for users, groups and roles.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::inline_policy::{Kind, check_changeable, check_readable};
use super::{Answer, Command, IamError, Outcome, Request, managed_policy, read, revoke};
use crate::action::POLICY_ARN;
use iam::{Change, DocumentKey, Holder, Snapshot, policy_name_of};
use xml::XmlWriter;

pub(super) const COMMANDS: &[Command] = &[
    revoke("AttachUserPolicy", |r, s| documents(r, s, Kind::User), |r, s| attach(r, s, Kind::User))
        .setting(POLICY_ARN)
        .with_boundary(),
    revoke("DetachUserPolicy", |r, s| documents(r, s, Kind::User), |r, s| detach(r, s, Kind::User))
        .setting(POLICY_ARN)
        .with_boundary(),
    read("ListAttachedUserPolicies", |r, s| list(r, s, Kind::User)),
    revoke("AttachGroupPolicy", |r, s| documents(r, s, Kind::Group), |r, s| attach(r, s, Kind::Group))
        .setting(POLICY_ARN),
    revoke("DetachGroupPolicy", |r, s| documents(r, s, Kind::Group), |r, s| detach(r, s, Kind::Group))
        .setting(POLICY_ARN),
    read("ListAttachedGroupPolicies", |r, s| list(r, s, Kind::Group)),
    revoke("AttachRolePolicy", |r, s| documents(r, s, Kind::Role), |r, s| attach(r, s, Kind::Role))
        .setting(POLICY_ARN)
        .with_boundary(),
    revoke("DetachRolePolicy", |r, s| documents(r, s, Kind::Role), |r, s| detach(r, s, Kind::Role))
        .setting(POLICY_ARN)
        .with_boundary(),
    read("ListAttachedRolePolicies", |r, s| list(r, s, Kind::Role)),
];

/// AWS's default quota of managed policies for each user, group or role.
pub(super) const ATTACHED_POLICIES: usize = 10;

fn documents(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Result<Vec<DocumentKey>, IamError> {
    let policy = managed_policy::document(request.policy_name(state)?, state);
    Ok([kind.holder(request)?.document_key()].into_iter().chain(policy).collect())
}

fn attach(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    check_changeable(request, state, &holder)?;
    let name = request.policy_name(state)?;
    let mut names = attached_names(state, &holder);
    managed_policy::find(request, state)?;
    if names.iter().any(|known| policy_name_of(known) == &*name) {
        return Ok(Outcome::default()); // already attached, which is a success on AWS
    }
    if names.len() >= ATTACHED_POLICIES {
        let kind = match kind {
            Kind::User => "User",
            Kind::Group => "Group",
            Kind::Role => "Role",
        };
        return Err(IamError::limit(format!("Cannot exceed quota for PoliciesPer{kind}: {ATTACHED_POLICIES}")));
    }
    names.push(name.to_string());
    Ok(Outcome::of(with_attached(state, &holder, names).into_iter().collect()))
}

fn detach(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    check_changeable(request, state, &holder)?;
    // By name, without a lookup: a deleted policy denies its holders until it is detached.
    let policy = request.policy_name(state)?;
    let mut names = attached_names(state, &holder);
    let before = names.len();
    names.retain(|name| policy_name_of(name) != &*policy);
    if names.len() == before {
        let arn = request.params.get("PolicyArn").unwrap_or_default();
        return Err(IamError::no_such_entity(format!("Policy {arn} was not found attached to {holder}.")));
    }
    Ok(Outcome::of(with_attached(state, &holder, names).into_iter().collect()))
}

fn attached_names(state: &Snapshot, holder: &Holder) -> Vec<String> {
    let names = match holder {
        Holder::User(name) => state.user(name).map(|user| &user.record.attached_policies),
        Holder::Group(name) => state.group(name).map(|group| &group.record.attached_policies),
        Holder::Role(name) => state.role(name).map(|role| &role.record.attached_policies),
    };
    names.cloned().unwrap_or_default()
}

fn with_attached(state: &Snapshot, holder: &Holder, names: Vec<String>) -> Option<Change> {
    Some(match holder {
        Holder::User(name) => {
            let mut record = (*state.user(name)?.record).clone();
            record.attached_policies = names;
            Change::User(name.clone(), Some(Ok(record)))
        }
        Holder::Group(name) => {
            let mut record = (*state.group(name)?.record).clone();
            record.attached_policies = names;
            Change::Group(name.clone(), Some(Ok(record)))
        }
        Holder::Role(name) => {
            let role = state.role(name)?;
            let mut record = (*role.record).clone();
            record.attached_policies = names;
            Change::Role(name.clone(), role.place, Some(Ok(record)))
        }
    })
}

fn list(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    check_readable(request, state, &holder)?;
    let prefix = request.params.path_prefix()?;
    let path = |name: &str| state.policy(name).map_or("/", |policy| policy.path());
    let names = names(state, &holder);
    let policies = names.iter().filter(|name| path(name).starts_with(prefix)).map(|name| (&**name, name));
    request.page("AttachedPolicies", policies, |xml, name| describe(xml, request, state, name)).map(Outcome::answer)
}

/// The names of the policies attached to a holder, in order.
pub(super) fn names(state: &Snapshot, holder: &Holder) -> Vec<Arc<str>> {
    let names: BTreeSet<Arc<str>> = state.attached_names(holder).map(Arc::from).collect();
    names.into_iter().collect()
}

/// An attached policy, which may no longer exist.
pub(super) fn describe(xml: &mut XmlWriter, request: &Request<'_>, state: &Snapshot, name: &str) {
    let shown = state.policy(name).map_or(name, |policy| policy.shown_name());
    xml.text("PolicyName", shown).text("PolicyArn", &arn_of(request, state, name));
}

/// The ARN of a policy by its name. The policy may no longer exist.
pub(super) fn arn_of(request: &Request<'_>, state: &Snapshot, name: &str) -> String {
    let arn = state.policy(name).map(|policy| policy.arn.to_string());
    arn.unwrap_or_else(|| format!("arn:aws:iam::{}:policy/{name}", request.caller.account))
}
