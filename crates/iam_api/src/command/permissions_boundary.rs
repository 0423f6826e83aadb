//! Put and Delete of the permissions boundary of users and roles.

use std::sync::Arc;

use super::inline_policy::{Kind, check};
use super::xml::Xml;
use super::{Answer, Command, IamError, Outcome, Request, attachment, managed_policy, revoke, user};
use crate::change::{Change, DocumentKey, Holder};
use crate::documents::Facts;
use crate::snapshot::Snapshot;

pub(super) const COMMANDS: &[Command] = &[
    revoke("PutUserPermissionsBoundary", |r, s| documents(r, s, Kind::User), |r, s| put(r, s, Kind::User)),
    revoke("DeleteUserPermissionsBoundary", |r, s| documents(r, s, Kind::User), |r, s| delete(r, s, Kind::User)),
    revoke("PutRolePermissionsBoundary", |r, s| documents(r, s, Kind::Role), |r, s| put(r, s, Kind::Role)),
    revoke("DeleteRolePermissionsBoundary", |r, s| documents(r, s, Kind::Role), |r, s| delete(r, s, Kind::Role)),
];

/// The parameter that names the policy.
const PARAMETER: &str = "PermissionsBoundary";

fn documents(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Result<Vec<DocumentKey>, IamError> {
    Ok([kind.holder(request)?.document()].into_iter().chain(policy_document(request, state)?).collect())
}

/// The policy that a call names as boundary, to be read with the holder.
pub(super) fn policy_document(request: &Request<'_>, state: &Snapshot) -> Result<Option<DocumentKey>, IamError> {
    let named = request.params.get(PARAMETER).is_some();
    named.then(|| request.policy_name_in(PARAMETER, state).map(DocumentKey::Policy)).transpose()
}

/// The boundary that a call gives to a new user or role, if it does; the policy must exist.
pub(super) fn given(request: &Request<'_>, state: &Snapshot) -> Result<Option<Arc<str>>, IamError> {
    if request.params.get(PARAMETER).is_none() {
        return Ok(None);
    }
    managed_policy::named(request, state, PARAMETER).map(|policy| Some(policy.name.clone()))
}

fn put(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    check(request, state, &holder, true)?;
    request.params.required(PARAMETER)?;
    let boundary = given(request, state)?.map(|name| name.to_string());
    Ok(Outcome::of(with_facts(state, &holder, |facts| facts.boundary = boundary).into_iter().collect()))
}

fn delete(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    check(request, state, &holder, true)?;
    if state.boundary_name(&holder).is_none() {
        return Err(IamError::no_such_entity(format!("There is no permissions boundary on {holder}.")));
    }
    Ok(Outcome::of(with_facts(state, &holder, |facts| facts.boundary = None).into_iter().collect()))
}

fn with_facts(state: &Snapshot, holder: &Holder, change: impl FnOnce(&mut Facts)) -> Option<Change> {
    match holder {
        Holder::User(name) => {
            let mut document = user::document(state.user(name)?);
            change(&mut document.facts);
            Some(user::put(name, document))
        }
        Holder::Role(name) => {
            let role = state.role(name)?;
            let mut document = (*role.document).clone();
            change(&mut document.facts);
            Some(Change::Role(name.clone(), role.place, Some(Ok(document))))
        }
        Holder::Group(_) => None,
    }
}

/// The element of a user or role that has a boundary.
pub(super) fn describe(xml: &mut Xml, state: &Snapshot, request: &Request<'_>, holder: &Holder) {
    if let Some(name) = state.boundary_name(holder) {
        let arn = attachment::arn_of(request, state, name);
        xml.element(PARAMETER, |xml| {
            xml.text("PermissionsBoundaryType", "Policy").text("PermissionsBoundaryArn", &arn);
        });
    }
}
