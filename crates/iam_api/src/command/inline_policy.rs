//! Put, Get, List and Delete of inline policies, for users, groups and roles.

use std::sync::Arc;

use policy::{Policy, PolicyKind};

use super::policy_document::parsed;
use super::{Answer, Command, IamError, Outcome, Request, group, read, revoke, role, user};
use crate::answer::{encoded, fragment};
use iam::{Change, DocumentKey, Holder, InlinePolicyRecord, Snapshot};

pub(super) const COMMANDS: &[Command] = &[
    revoke("PutUserPolicy", |r, s| documents(r, s, Kind::User), |r, s| put(r, s, Kind::User)).with_boundary(),
    read("GetUserPolicy", |r, s| get(r, s, Kind::User)),
    read("ListUserPolicies", |r, s| list(r, s, Kind::User)),
    revoke("DeleteUserPolicy", |r, s| documents(r, s, Kind::User), |r, s| delete(r, s, Kind::User)).with_boundary(),
    revoke("PutGroupPolicy", |r, s| documents(r, s, Kind::Group), |r, s| put(r, s, Kind::Group)),
    read("GetGroupPolicy", |r, s| get(r, s, Kind::Group)),
    read("ListGroupPolicies", |r, s| list(r, s, Kind::Group)),
    revoke("DeleteGroupPolicy", |r, s| documents(r, s, Kind::Group), |r, s| delete(r, s, Kind::Group)),
    revoke("PutRolePolicy", |r, s| documents(r, s, Kind::Role), |r, s| put(r, s, Kind::Role)).with_boundary(),
    read("GetRolePolicy", |r, s| get(r, s, Kind::Role)),
    read("ListRolePolicies", |r, s| list(r, s, Kind::Role)),
    revoke("DeleteRolePolicy", |r, s| documents(r, s, Kind::Role), |r, s| delete(r, s, Kind::Role)).with_boundary(),
];

/// The kind of holder that an action is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Group,
    Role,
}

impl Kind {
    /// The name of the parameter that names the holder.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::User => "UserName",
            Self::Group => "GroupName",
            Self::Role => "RoleName",
        }
    }

    /// The holder that the request names. It may not exist.
    pub(super) fn holder(self, request: &Request<'_>) -> Result<Holder, IamError> {
        Ok(match self {
            Self::User => Holder::User(request.name("UserName", 64)?),
            Self::Group => Holder::Group(request.name("GroupName", 128)?),
            Self::Role => Holder::Role(request.name("RoleName", 64)?),
        })
    }
}

/// Checks that the holder exists.
pub(super) fn check_readable(request: &Request<'_>, state: &Snapshot, holder: &Holder) -> Result<(), IamError> {
    match holder {
        Holder::User(name) => user::find(request, state, name).map(drop),
        Holder::Group(name) => group::find(request, state, name).map(drop),
        Holder::Role(name) => role::find(request, state, name).map(drop),
    }
}

/// Checks that the holder exists, and that the API may change it.
pub(super) fn check_changeable(request: &Request<'_>, state: &Snapshot, holder: &Holder) -> Result<(), IamError> {
    match holder {
        Holder::User(name) => user::find_to_change(request, state, name).map(drop),
        Holder::Group(_) | Holder::Role(_) => check_readable(request, state, holder),
    }
}

fn documents(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Result<Vec<DocumentKey>, IamError> {
    let holder = kind.holder(request)?;
    let mut documents =
        vec![holder.document_key(), DocumentKey::Inline(holder.clone(), request.name("PolicyName", 128)?)];
    if state.weed_policies().inline.contains_key(&holder) {
        documents.push(DocumentKey::WeedPolicies);
    }
    Ok(documents)
}

fn put(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    let name = request.name("PolicyName", 128)?;
    check_changeable(request, state, &holder)?;
    let text = fitting(request, state, kind, &holder, &name)?;
    let known = state.inline_policies(&holder).remove(&name);
    let created_s = known.as_ref().and_then(|policy| policy.ours.as_ref()?.as_ref().ok().map(|own| own.created_s));
    let policy = InlinePolicyRecord {
        created_s: created_s.unwrap_or(request.now_s),
        updated_s: request.now_s,
        holder_id: state.id_of(&holder).map_or_else(String::new, |id| id.to_string()),
        ..InlinePolicyRecord::of_text(text)
    };
    let mut changes = vec![Change::Inline(holder.clone(), name.clone(), Some(Ok(policy)))];
    if known.is_some_and(|policy| policy.weeds.is_some()) {
        // Until SeaweedFS's copy is removed, the two differ, which denies. So it is safe to stop after any of the
        // changes.
        changes.extend(without_legacy_actions(state, &holder));
        changes.push(without_weeds(state, &holder, &name));
    }
    Ok(Outcome::of(changes))
}

/// The policy of the call. Checks that with it, all inline policies of the holder stay within AWS's quota.
fn fitting(
    request: &Request<'_>,
    state: &Snapshot,
    kind: Kind,
    holder: &Holder,
    name: &str,
) -> Result<Arc<str>, IamError> {
    // Source: IAM User Guide, "IAM and STS quotas"; white space does not count.
    let most = match kind {
        Kind::User => 2_048,
        Kind::Group => 5_120,
        Kind::Role => 10_240,
    };
    let size = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
    let others = state.inline_policies(holder).into_iter().filter(|(other, _)| **other != *name);
    let others: usize = others.map(|(_, policy)| size(&policy.text)).sum();
    let text = request.params.required("PolicyDocument")?;
    if others + size(text) > most {
        let (kind, holder) = (holder.kind(), holder.name());
        return Err(IamError::limit(format!("Maximum policy size of {most} bytes exceeded for {kind} {holder}")));
    }
    parsed(Policy::parse_sized(PolicyKind::Identity, text, most)).map(|_| text.into())
}

fn delete(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    let name = request.name("PolicyName", 128)?;
    check_changeable(request, state, &holder)?;
    let known = state.inline_policies(&holder).remove(&name).ok_or_else(|| no_such_policy(&holder, &name))?;
    let mut changes = Vec::new();
    if known.weeds.is_some() {
        changes.extend(without_legacy_actions(state, &holder));
        changes.push(without_weeds(state, &holder, &name));
    }
    if known.ours.is_some() {
        changes.push(Change::Inline(holder, name, None));
    }
    Ok(Outcome::of(changes))
}

/// SeaweedFS projects inline policies to legacy actions of the user, which often allow more. They would apply again
/// once its policy is removed.
fn without_legacy_actions(state: &Snapshot, holder: &Holder) -> Option<Change> {
    let Holder::User(name) = holder else { return None };
    let mut record = (*state.user(name)?.record).clone();
    (!record.actions.is_empty()).then(|| {
        record.actions.clear();
        Change::User(name.clone(), Some(Ok(record)))
    })
}

fn without_weeds(state: &Snapshot, holder: &Holder, name: &Arc<str>) -> Change {
    let mut document = state.weed_policies().clone();
    if let Some(policies) = document.inline.get_mut(holder) {
        policies.remove(name);
        if policies.is_empty() {
            document.inline.remove(holder);
        }
    }
    Change::WeedPolicies(Some(Ok(document)))
}

fn get(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    let name = request.name("PolicyName", 128)?;
    check_readable(request, state, &holder)?;
    let policy = state.inline_policies(&holder).remove(&name).ok_or_else(|| no_such_policy(&holder, &name))?;
    let mut xml = fragment();
    xml.text(kind.parameter(), holder.name()).text("PolicyName", &name).text("PolicyDocument", &encoded(&policy.text));
    Ok(Outcome::answer(xml.finish()))
}

fn list(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    check_readable(request, state, &holder)?;
    let policies = state.inline_policies(&holder);
    request.page_of_names("PolicyNames", policies.keys().map(|name| &**name)).map(Outcome::answer)
}

fn no_such_policy(holder: &Holder, name: &str) -> IamError {
    IamError::no_such_entity(format!("The {} policy with name {name} cannot be found.", holder.kind()))
}
