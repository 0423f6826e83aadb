//! Put and Delete of the permissions boundary of users and roles.

use std::sync::Arc;

use super::inline_policy::{Kind, check_changeable};
use super::{Answer, Command, IamError, Outcome, Request, attachment, managed_policy, revoke};
use crate::action::NEW_BOUNDARY;
use iam::{Change, DocumentKey, Holder, Snapshot};
use xml::XmlWriter;

pub(super) const COMMANDS: &[Command] = &[
    revoke("PutUserPermissionsBoundary", |r, s| documents(r, s, Kind::User), |r, s| put(r, s, Kind::User))
        .setting(NEW_BOUNDARY),
    revoke("DeleteUserPermissionsBoundary", |r, s| documents(r, s, Kind::User), |r, s| delete(r, s, Kind::User))
        .with_boundary(),
    revoke("PutRolePermissionsBoundary", |r, s| documents(r, s, Kind::Role), |r, s| put(r, s, Kind::Role))
        .setting(NEW_BOUNDARY),
    revoke("DeleteRolePermissionsBoundary", |r, s| documents(r, s, Kind::Role), |r, s| delete(r, s, Kind::Role))
        .with_boundary(),
];

/// The parameter that names the policy.
const PARAMETER: &str = "PermissionsBoundary";

fn documents(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Result<Vec<DocumentKey>, IamError> {
    Ok([kind.holder(request)?.document_key()].into_iter().chain(policy_document(request, state)?).collect())
}

/// The document of the policy that a call names as boundary. It is read with the holder.
pub(super) fn policy_document(request: &Request<'_>, state: &Snapshot) -> Result<Option<DocumentKey>, IamError> {
    if request.params.get(PARAMETER).is_none() {
        return Ok(None);
    }
    Ok(managed_policy::document(request.policy_name_in(PARAMETER, state)?, state))
}

/// The boundary that a call gives to a new user or role, if any. The policy must exist.
pub(super) fn given(request: &Request<'_>, state: &Snapshot) -> Result<Option<Arc<str>>, IamError> {
    if request.params.get(PARAMETER).is_none() {
        return Ok(None);
    }
    managed_policy::named(request, state, PARAMETER).map(|policy| Some(policy.name.clone()))
}

fn put(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    check_changeable(request, state, &holder)?;
    request.params.required(PARAMETER)?;
    let boundary = given(request, state)?.map(|name| name.to_string());
    Ok(Outcome::of(with_boundary(state, &holder, boundary).into_iter().collect()))
}

fn delete(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let holder = kind.holder(request)?;
    check_changeable(request, state, &holder)?;
    if state.boundary_name(&holder).is_none() {
        return Err(IamError::no_such_entity(format!("There is no permissions boundary on {holder}.")));
    }
    Ok(Outcome::of(with_boundary(state, &holder, None).into_iter().collect()))
}

fn with_boundary(state: &Snapshot, holder: &Holder, boundary: Option<String>) -> Option<Change> {
    match holder {
        Holder::User(name) => {
            let mut record = (*state.user(name)?.record).clone();
            record.boundary = boundary;
            Some(Change::User(name.clone(), Some(Ok(record))))
        }
        Holder::Role(name) => {
            let role = state.role(name)?;
            let mut record = (*role.record).clone();
            record.boundary = boundary;
            Some(Change::Role(name.clone(), role.place, Some(Ok(record))))
        }
        Holder::Group(_) => None,
    }
}

/// The element of a user or role that has a boundary.
pub(super) fn describe(xml: &mut XmlWriter, state: &Snapshot, request: &Request<'_>, holder: &Holder) {
    if let Some(name) = state.boundary_name(holder) {
        let arn = attachment::arn_of(request, state, name);
        xml.element(PARAMETER, |xml| {
            xml.text("PermissionsBoundaryType", "Policy").text("PermissionsBoundaryArn", &arn);
        });
    }
}
