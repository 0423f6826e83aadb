//! Instance profiles: Create, Get, List, Delete; their role; tags.
//!
//! A profile gives no rights here, where no instance asks for credentials: tools that manage roles for AWS keep one beside each.

use std::sync::Arc;

use super::xml::Xml;
use super::{Answer, Command, IamError, Outcome, Request, grant, read, revoke, role, tags};
use crate::change::{Change, DocumentKey};
use crate::instance_profile::InstanceProfileDocument;
use crate::snapshot::Snapshot;
use crate::unique_id::new_id;

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateInstanceProfile", documents, create),
    read("GetInstanceProfile", get),
    read("ListInstanceProfiles", list),
    read("ListInstanceProfilesForRole", list_for_role),
    revoke("DeleteInstanceProfile", documents, delete),
    grant("AddRoleToInstanceProfile", documents_with_role, add_role),
    revoke("RemoveRoleFromInstanceProfile", documents, remove_role),
    revoke("TagInstanceProfile", documents, |r, s| change(r, s, |p| r.tag(&mut p.tags))),
    revoke("UntagInstanceProfile", documents, |r, s| change(r, s, |p| r.untag(&mut p.tags))),
    read("ListInstanceProfileTags", list_tags),
];

fn documents(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    Ok(vec![DocumentKey::InstanceProfile(request.name("InstanceProfileName", 128)?)])
}

fn documents_with_role(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let mut documents = documents(request, state)?;
    documents.push(DocumentKey::Role(request.name("RoleName", 64)?));
    Ok(documents)
}

/// The profile that `InstanceProfileName` names, one of the caller's account.
fn find<'a>(request: &Request<'_>, state: &'a Snapshot) -> Result<&'a Arc<InstanceProfileDocument>, IamError> {
    let name = request.name("InstanceProfileName", 128)?;
    state
        .instance_profile(&name)
        .filter(|profile| profile.account == request.caller.account.as_str())
        .ok_or_else(|| IamError::no_such_entity(format!("Instance Profile {name} cannot be found.")))
}

/// The profiles of the caller's account that hold a role.
pub(super) fn of_role<'a>(
    request: &Request<'_>,
    state: &'a Snapshot,
    role: &'a str,
) -> impl Iterator<Item = &'a Arc<InstanceProfileDocument>> {
    let account = request.caller.account;
    let of_account = state.instance_profiles().filter(move |profile| profile.account == account.as_str());
    of_account.filter(move |profile| profile.roles.iter().any(|name| name == role))
}

fn create(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.name("InstanceProfileName", 128)?;
    if state.is_taken(&DocumentKey::InstanceProfile(name.clone())) {
        return Err(IamError::exists(format!("Instance Profile {name} already exists.")));
    }
    let document = InstanceProfileDocument {
        name: name.to_string(),
        id: new_id("AIPA", request.random),
        account: request.caller.account.to_string(),
        path: request.path("Path")?,
        tags: request.params.tags()?,
        created_s: request.now_s,
        ..InstanceProfileDocument::default()
    };
    let result = profile_xml(state, &document);
    Ok(Outcome { changes: vec![Change::InstanceProfile(name, Some(Ok(document)))], result: Some(result) })
}

fn get(request: &Request<'_>, state: &Snapshot) -> Answer {
    let profile = find(request, state)?;
    Ok(Outcome { changes: Vec::new(), result: Some(profile_xml(state, profile)) })
}

fn list(request: &Request<'_>, state: &Snapshot) -> Answer {
    let prefix = request.params.path_prefix()?;
    let account = request.caller.account;
    let profiles = state.instance_profiles().filter(|profile| profile.account == account.as_str());
    page(request, state, profiles.filter(|profile| profile.path.starts_with(prefix)))
}

fn list_for_role(request: &Request<'_>, state: &Snapshot) -> Answer {
    let role = role::find(request, state, &request.name("RoleName", 64)?)?;
    page(request, state, of_role(request, state, &role.name))
}

fn page<'a>(
    request: &Request<'_>,
    state: &Snapshot,
    profiles: impl Iterator<Item = &'a Arc<InstanceProfileDocument>>,
) -> Answer {
    let profiles = profiles.map(|profile| (profile.name.as_str(), profile));
    let result = request.page("InstanceProfiles", profiles, |xml, profile| describe(xml, state, profile))?;
    Ok(Outcome { changes: Vec::new(), result: Some(result) })
}

fn delete(request: &Request<'_>, state: &Snapshot) -> Answer {
    let profile = find(request, state)?;
    if !profile.roles.is_empty() {
        return Err(IamError::delete_conflict("Cannot delete entity, must remove roles from instance profile first."));
    }
    Ok(Outcome { changes: vec![Change::InstanceProfile(profile.name.as_str().into(), None)], result: None })
}

/// Writes the profile as `change` leaves it.
fn change(
    request: &Request<'_>,
    state: &Snapshot,
    change: impl FnOnce(&mut InstanceProfileDocument) -> Result<(), IamError>,
) -> Answer {
    let mut document = (**find(request, state)?).clone();
    change(&mut document)?;
    let name = document.name.as_str().into();
    Ok(Outcome { changes: vec![Change::InstanceProfile(name, Some(Ok(document)))], result: None })
}

fn add_role(request: &Request<'_>, state: &Snapshot) -> Answer {
    let role = request.name("RoleName", 64)?;
    role::find(request, state, &role)?;
    change(request, state, |profile| {
        if !profile.roles.is_empty() {
            return Err(IamError::limit("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"));
        }
        profile.roles.push(role.to_string());
        Ok(())
    })
}

/// By name, not by a lookup: the role may be gone.
fn remove_role(request: &Request<'_>, state: &Snapshot) -> Answer {
    let role = request.name("RoleName", 64)?;
    change(request, state, |profile| {
        let before = profile.roles.len();
        profile.roles.retain(|name| **name != *role);
        if profile.roles.len() == before {
            return Err(IamError::no_such_entity(format!(
                "Role {role} in Instance Profile {} cannot be found.",
                profile.name
            )));
        }
        Ok(())
    })
}

fn list_tags(request: &Request<'_>, state: &Snapshot) -> Answer {
    let result = request.page_of_tags(&find(request, state)?.tags)?;
    Ok(Outcome { changes: Vec::new(), result: Some(result) })
}

fn profile_xml(state: &Snapshot, profile: &InstanceProfileDocument) -> String {
    let mut xml = Xml::new();
    xml.element("InstanceProfile", |xml| describe(xml, state, profile));
    xml.finish()
}

/// One profile with the roles of it that exist.
pub(super) fn describe(xml: &mut Xml, state: &Snapshot, profile: &InstanceProfileDocument) {
    xml.text("Path", &profile.path).text("InstanceProfileName", &profile.name);
    xml.text("InstanceProfileId", &profile.id).text("Arn", &profile.arn()).date("CreateDate", profile.created_s);
    let roles = profile.roles.iter().filter_map(|name| state.role(name));
    let roles = roles.filter(|role| role.account.as_str() == profile.account);
    xml.element("Roles", |xml| {
        for role in roles {
            xml.element("member", |xml| role::describe(xml, state, role));
        }
    });
    tags::describe(xml, &profile.tags);
}
