//! CreateRole, GetRole, ListRoles, UpdateRole, UpdateAssumeRolePolicy, DeleteRole.

use std::sync::Arc;

use policy::PolicyKind;

use super::inline_policy::checked_document;
use super::xml::Xml;
use super::{Answer, Command, IamError, Outcome, Request, access_key_last_used, grant, instance_profile, read, revoke};
use crate::change::{Change, DocumentKey, Holder};
use crate::documents::{Facts, RoleDocument};
use crate::snapshot::{Role, Snapshot};
use crate::unique_id::new_id;

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateRole", documents, create_role),
    read("GetRole", get_role),
    read("ListRoles", list_roles),
    revoke("UpdateRole", documents, update_role),
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

/// The role's document, and what an earlier role of that name may have left behind.
fn documents(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let name = request.name("RoleName", 64)?;
    let holder = Holder::Role(name.clone());
    let inline = state.inline_policies(&holder).into_keys().map(|policy| DocumentKey::Inline(holder.clone(), policy));
    Ok([DocumentKey::Role(name)].into_iter().chain(inline).collect())
}

fn create_role(request: &Request<'_>, state: &Snapshot) -> Answer {
    request.refuse("PermissionsBoundary")?;
    request.refuse("Tags.member")?;
    let name = request.name("RoleName", 64)?;
    if state.role(&name).is_some() || state.problem(&format!("role `{name}`")).is_some() {
        return Err(IamError::exists(format!("Role with name {name} already exists.")));
    }
    if &*name == "seeded" {
        return Err(IamError::validation("The name seeded is reserved: the store keeps a document of that name"));
    }
    let path = request.path("Path")?;
    let document = RoleDocument {
        name: name.to_string(),
        arn: format!("arn:aws:iam::{}:role{path}{name}", request.caller.account),
        trust_policy: checked_document(request, PolicyKind::Trust, "AssumeRolePolicyDocument")?.to_string(),
        description: description(request)?.unwrap_or_default(),
        max_session_s: max_session_s(request)?,
        facts: Facts { id: new_id("AROA", request.random), created_s: request.now_s, path, ..Facts::default() },
        ..RoleDocument::default()
    };
    let holder = Holder::Role(name.clone());
    let leftovers = state.inline_policies(&holder).into_keys();
    let mut changes: Vec<Change> = leftovers.map(|policy| Change::Inline(holder.clone(), policy, None)).collect();
    changes.push(Change::Role(name.clone(), state.settings().role_place, Some(Ok(document))));
    let next = state.apply(changes.iter().cloned());
    let result = find(request, &next, &name).map(|role| role_xml(role))?;
    Ok(Outcome { changes, result: Some(result) })
}

fn description(request: &Request<'_>) -> Result<Option<String>, IamError> {
    let description = request.params.get("Description").map(str::to_owned);
    if description.as_ref().is_some_and(|text| text.chars().count() > 1000) {
        return Err(IamError::validation("The specified value for Description has more than 1000 characters"));
    }
    Ok(description)
}

fn max_session_s(request: &Request<'_>) -> Result<Option<i64>, IamError> {
    let Some(text) = request.params.get("MaxSessionDuration") else { return Ok(None) };
    let seconds = text.parse::<i64>().ok().filter(|seconds| (3600..=43200).contains(seconds));
    seconds.map(Some).ok_or_else(|| IamError::validation("MaxSessionDuration must be 3600 to 43200 seconds"))
}

fn get_role(request: &Request<'_>, state: &Snapshot) -> Answer {
    let role = find(request, state, &request.name("RoleName", 64)?)?;
    let mut xml = Xml::new();
    xml.element("Role", |xml| {
        describe(xml, role);
        access_key_last_used::describe_role(xml, request, role);
    });
    Ok(Outcome { changes: Vec::new(), result: Some(xml.finish()) })
}

fn list_roles(request: &Request<'_>, state: &Snapshot) -> Answer {
    let prefix = request.params.get("PathPrefix").unwrap_or("/");
    let roles = state.roles().filter(|role| role.account == request.caller.account);
    let roles = roles.filter(|role| role.path.starts_with(prefix));
    let result = request.page("Roles", roles.map(|role| (&*role.name, role)), |xml, role| describe(xml, role))?;
    Ok(Outcome { changes: Vec::new(), result: Some(result) })
}

fn change_role(request: &Request<'_>, state: &Snapshot, change: impl FnOnce(&mut RoleDocument)) -> Answer {
    let role = find(request, state, &request.name("RoleName", 64)?)?;
    let mut document = (*role.document).clone();
    change(&mut document);
    document.facts.updated_s = request.now_s;
    Ok(Outcome { changes: vec![Change::Role(role.name.clone(), role.place, Some(Ok(document)))], result: None })
}

fn update_role(request: &Request<'_>, state: &Snapshot) -> Answer {
    let (description, max_session_s) = (description(request)?, max_session_s(request)?);
    let outcome = change_role(request, state, |role| {
        role.description = description.unwrap_or_else(|| std::mem::take(&mut role.description));
        role.max_session_s = max_session_s.or(role.max_session_s);
    })?;
    Ok(Outcome { result: Some(String::new()), ..outcome })
}

fn update_assume_role_policy(request: &Request<'_>, state: &Snapshot) -> Answer {
    let text = checked_document(request, PolicyKind::Trust, "PolicyDocument")?;
    change_role(request, state, |role| role.trust_policy = text.to_string())
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
    if !role.document.attached_policies.is_empty() {
        return Err(IamError::delete_conflict("Cannot delete entity, must detach all policies first."));
    }
    Ok(Outcome { changes: vec![Change::Role(role.name.clone(), role.place, None)], result: None })
}

fn role_xml(role: &Role) -> String {
    let mut xml = Xml::new();
    xml.element("Role", |xml| describe(xml, role));
    xml.finish()
}

pub(super) fn describe(xml: &mut Xml, role: &Role) {
    let document = &role.document;
    xml.text("Path", &role.path).text("RoleName", &role.name).text("RoleId", &role.id).text("Arn", &role.arn);
    xml.date("CreateDate", document.facts.created_s).document("AssumeRolePolicyDocument", &document.trust_policy);
    if !document.description.is_empty() {
        xml.text("Description", &document.description);
    }
    xml.text("MaxSessionDuration", &role.max_session_s.to_string());
}
