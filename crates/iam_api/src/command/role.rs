//! CreateRole, GetRole, ListRoles, UpdateRole, UpdateRoleDescription, UpdateAssumeRolePolicy, DeleteRole.

use std::sync::Arc;

use policy::PolicyKind;
use xml::XmlWriter;

use super::policy_document::checked_document;
use super::{
    Answer, Command, IamError, Outcome, Request, access_key_last_used, grant, instance_profile, permissions_boundary,
    read, revoke, tags,
};
use crate::action::NEW_BOUNDARY;
use crate::answer::{date, encoded, fragment};
use iam::{
    Change, DocumentKey, Holder, Role, RoleRecord, Snapshot, is_claim_based, shown_trust, trust_ids, unique_id::new_id,
};

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateRole", documents, create_role).making().tagging("iam:TagRole").setting(NEW_BOUNDARY),
    read("GetRole", get_role).reading_last_used(),
    read("ListRoles", list_roles),
    revoke("UpdateRole", documents, update_role),
    revoke("UpdateRoleDescription", documents, update_role_description),
    revoke("UpdateAssumeRolePolicy", documents, update_assume_role_policy),
    revoke("DeleteRole", documents, delete_role),
];

/// A role of the caller's account.
pub(super) fn find<'a>(request: &Request<'_>, state: &'a Snapshot, name: &str) -> Result<&'a Arc<Role>, IamError> {
    state
        .role(name)
        .filter(|role| role.account == request.caller.account)
        .ok_or_else(|| IamError::no_such_entity(format!("The role with name {name} cannot be found.")))
}

/// The role's document, and what an earlier role with the name may have left behind.
fn documents(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let name = request.name("RoleName", 64)?;
    let holder = Holder::Role(name.clone());
    let inline = state.inline_policies(&holder).into_keys().map(|policy| DocumentKey::Inline(holder.clone(), policy));
    let boundary = permissions_boundary::policy_document(request, state)?;
    Ok([DocumentKey::Role(name)].into_iter().chain(inline).chain(boundary).collect())
}

fn create_role(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.name("RoleName", 64)?;
    if state.is_taken(&DocumentKey::Role(name.clone())) {
        return Err(IamError::exists(format!("Role with name {name} already exists.")));
    }
    if &*name == "seeded" {
        return Err(IamError::validation("The name seeded is reserved: the store keeps a record of that name"));
    }
    if is_claim_based(&name) {
        return Err(IamError::validation(format!("The name {name} is reserved for sessions without a role")));
    }
    let path = request.params.path("Path")?;
    let trust_policy = checked_document(request, PolicyKind::Trust, "AssumeRolePolicyDocument")?;
    let record = RoleRecord {
        name: name.to_string(),
        arn: format!("arn:aws:iam::{}:role{path}{name}", request.caller.account),
        trust_policy: trust_policy.to_string(),
        description: request.description()?.unwrap_or_default(),
        max_session_s: max_session_s(request)?,
        id: new_id("AROA", request.random),
        created_s: request.now_s,
        path,
        boundary: permissions_boundary::given(request, state)?.map(|name| name.to_string()),
        tags: request.params.tags()?,
        trust_ids: trust_ids(&trust_policy, state),
        ..RoleRecord::default()
    };
    let holder = Holder::Role(name.clone());
    let leftovers = state.inline_policies(&holder).into_keys();
    let mut changes: Vec<Change> = leftovers.map(|policy| Change::Inline(holder.clone(), policy, None)).collect();
    changes.push(Change::Role(name.clone(), state.settings().role_place, Some(Ok(record))));
    let next = state.apply(changes.iter().cloned());
    let result = find(request, &next, &name).map(|role| role_xml(request, &next, role))?;
    Ok(Outcome { changes, result: Some(result) })
}

fn max_session_s(request: &Request<'_>) -> Result<Option<i64>, IamError> {
    let Some(text) = request.params.get("MaxSessionDuration") else { return Ok(None) };
    let seconds = text.parse::<i64>().ok().filter(|seconds| (3600..=43200).contains(seconds));
    seconds.map(Some).ok_or_else(|| IamError::validation("MaxSessionDuration must be 3600 to 43200 seconds"))
}

fn get_role(request: &Request<'_>, state: &Snapshot) -> Answer {
    let role = find(request, state, &request.name("RoleName", 64)?)?;
    let mut xml = fragment();
    xml.element("Role", |xml| {
        describe_all(xml, request, state, role);
        access_key_last_used::describe_role(xml, request, role);
    });
    Ok(Outcome::answer(xml.finish()))
}

fn list_roles(request: &Request<'_>, state: &Snapshot) -> Answer {
    let prefix = request.params.path_prefix()?;
    let roles = state.roles().filter(|role| role.account == request.caller.account);
    let roles = roles.filter(|role| role.path.starts_with(prefix));
    request
        .page("Roles", roles.map(|role| (&*role.name, role)), |xml, role| describe(xml, state, role))
        .map(Outcome::answer)
}

fn change_role(request: &Request<'_>, state: &Snapshot, change: impl FnOnce(&mut RoleRecord)) -> Answer {
    let role = find(request, state, &request.name("RoleName", 64)?)?;
    let mut record = (*role.record).clone();
    change(&mut record);
    record.updated_s = request.now_s;
    Ok(Outcome::of(vec![Change::Role(role.name.clone(), role.place, Some(Ok(record)))]))
}

fn update_role(request: &Request<'_>, state: &Snapshot) -> Answer {
    let (description, max_session_s) = (request.description()?, max_session_s(request)?);
    let outcome = change_role(request, state, |role| {
        role.description = description.unwrap_or_else(|| std::mem::take(&mut role.description));
        role.max_session_s = max_session_s.or(role.max_session_s);
    })?;
    Ok(Outcome { result: Some(String::new()), ..outcome })
}

fn update_role_description(request: &Request<'_>, state: &Snapshot) -> Answer {
    let description = request.description()?;
    let description = description.ok_or_else(|| IamError::validation("The parameter `Description` is missing"))?;
    let outcome = change_role(request, state, |role| role.description = description)?;
    let next = state.apply(outcome.changes.iter().cloned());
    let role = find(request, &next, &request.name("RoleName", 64)?)?;
    Ok(Outcome { result: Some(role_xml(request, &next, role)), ..outcome })
}

fn update_assume_role_policy(request: &Request<'_>, state: &Snapshot) -> Answer {
    let text = checked_document(request, PolicyKind::Trust, "PolicyDocument")?;
    change_role(request, state, |role| {
        role.trust_policy = text.to_string();
        role.trust_ids = trust_ids(&text, state);
    })
}

fn delete_role(request: &Request<'_>, state: &Snapshot) -> Answer {
    let role = find(request, state, &request.name("RoleName", 64)?)?;
    if !state.inline_policies(&Holder::Role(role.name.clone())).is_empty() {
        return Err(IamError::delete_conflict("Cannot delete entity, must delete policies first."));
    }
    if instance_profile::of_role(request, state, &role.name).next().is_some() {
        let message = "Cannot delete entity, must remove roles from instance profile first.";
        return Err(IamError::delete_conflict(message));
    }
    if !role.record.attached_policies.is_empty() {
        return Err(IamError::delete_conflict("Cannot delete entity, must detach all policies first."));
    }
    Ok(Outcome::of(vec![Change::Role(role.name.clone(), role.place, None)]))
}

fn role_xml(request: &Request<'_>, state: &Snapshot, role: &Role) -> String {
    let mut xml = fragment();
    xml.element("Role", |xml| describe_all(xml, request, state, role));
    xml.finish()
}

/// What an answer about a single role contains and a list does not.
fn describe_all(xml: &mut XmlWriter, request: &Request<'_>, state: &Snapshot, role: &Role) {
    describe(xml, state, role);
    permissions_boundary::describe(xml, state, request, &Holder::Role(role.name.clone()));
    tags::describe(xml, role.tags());
}

pub(super) fn describe(xml: &mut XmlWriter, state: &Snapshot, role: &Role) {
    let record = &role.record;
    xml.text("Path", &role.path).text("RoleName", &role.name).text("RoleId", &role.id).text("Arn", &role.arn);
    xml.text("CreateDate", &date(record.created_s))
        .text("AssumeRolePolicyDocument", &encoded(&shown_trust(record, state)));
    if !record.description.is_empty() {
        xml.text("Description", &record.description);
    }
    xml.text("MaxSessionDuration", &role.max_session_s.to_string());
}
