//! Instance profiles: Create, Get, List, Delete; their role; tags.
//!
//! A profile gives no permissions here, because no instance requests credentials. But tools that manage AWS roles keep
//! one for each role.

use std::sync::Arc;

use policy::ResourceType::IamRole;
use s3::Requirement;
use xml::XmlWriter;

use super::{Answer, Command, IamError, Outcome, Request, grant, read, revoke, role, tags};
use crate::action::Key;
use crate::answer::{date, fragment};
use crate::params::Params;
use crate::query_caller::QueryCaller;
use crate::resource::arn_of;
use iam::{Change, DocumentKey, InstanceProfile, Snapshot, unique_id::new_id};

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateInstanceProfile", documents, create).making().tagging("iam:TagInstanceProfile"),
    read("GetInstanceProfile", get),
    read("ListInstanceProfiles", list),
    read("ListInstanceProfilesForRole", list_for_role),
    revoke("DeleteInstanceProfile", documents, delete),
    grant("AddRoleToInstanceProfile", documents_with_role, add_role)
        .also_needing(pass_role)
        // The role is passed to the machines with the profile.
        .setting(&[Key::Is("iam:PassedToService", "ec2.amazonaws.com")]),
    revoke("RemoveRoleFromInstanceProfile", documents, remove_role),
    revoke("TagInstanceProfile", documents, |r, s| change(r, s, |p| r.tag(&mut p.tags))),
    revoke("UntagInstanceProfile", documents, |r, s| change(r, s, |p| r.untag(&mut p.tags))),
    read("ListInstanceProfileTags", list_tags),
];

fn pass_role(params: &Params, caller: &QueryCaller<'_>, _: &str) -> Result<Vec<Requirement>, IamError> {
    let role = arn_of(IamRole, params.required("RoleName")?, caller)?;
    Ok(vec![Requirement::on_resource("iam:PassRole", role)])
}

fn documents(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    Ok(vec![DocumentKey::InstanceProfile(request.name("InstanceProfileName", 128)?)])
}

fn documents_with_role(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let mut documents = documents(request, state)?;
    documents.push(DocumentKey::Role(request.name("RoleName", 64)?));
    Ok(documents)
}

/// The profile that `InstanceProfileName` names, in the caller's account.
fn find<'a>(request: &Request<'_>, state: &'a Snapshot) -> Result<&'a Arc<InstanceProfile>, IamError> {
    let name = request.name("InstanceProfileName", 128)?;
    state
        .instance_profile(&name)
        .filter(|profile| profile.account == request.caller.account.as_str())
        .ok_or_else(|| IamError::no_such_entity(format!("Instance Profile {name} cannot be found.")))
}

/// The profiles of the caller's account that contain a role.
pub(super) fn of_role<'a>(
    request: &Request<'_>,
    state: &'a Snapshot,
    role: &'a str,
) -> impl Iterator<Item = &'a Arc<InstanceProfile>> {
    let account = request.caller.account;
    let of_account = state.instance_profiles().filter(move |profile| profile.account == account.as_str());
    of_account.filter(move |profile| profile.roles.iter().any(|name| name == role))
}

fn create(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.name("InstanceProfileName", 128)?;
    if state.is_taken(&DocumentKey::InstanceProfile(name.clone())) {
        return Err(IamError::exists(format!("Instance Profile {name} already exists.")));
    }
    let record = InstanceProfile {
        name: name.to_string(),
        id: new_id("AIPA", request.random),
        account: request.caller.account.to_string(),
        path: request.params.path("Path")?,
        tags: request.params.tags()?,
        created_s: request.now_s,
        ..InstanceProfile::default()
    };
    let result = profile_xml(state, &record);
    Ok(Outcome { changes: vec![Change::InstanceProfile(name, Some(Ok(record)))], result: Some(result) })
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
    profiles: impl Iterator<Item = &'a Arc<InstanceProfile>>,
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

/// Writes the profile after `change`.
fn change(
    request: &Request<'_>,
    state: &Snapshot,
    change: impl FnOnce(&mut InstanceProfile) -> Result<(), IamError>,
) -> Answer {
    let mut record = (**find(request, state)?).clone();
    change(&mut record)?;
    let name = record.name.as_str().into();
    Ok(Outcome { changes: vec![Change::InstanceProfile(name, Some(Ok(record)))], result: None })
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

/// By name, without a lookup: the role may have been deleted.
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

fn profile_xml(state: &Snapshot, profile: &InstanceProfile) -> String {
    let mut xml = fragment();
    xml.element("InstanceProfile", |xml| describe(xml, state, profile));
    xml.finish()
}

/// One profile with those of its roles that exist.
pub(super) fn describe(xml: &mut XmlWriter, state: &Snapshot, profile: &InstanceProfile) {
    xml.text("Path", &profile.path).text("InstanceProfileName", &profile.name);
    xml.text("InstanceProfileId", &profile.id).text("Arn", &profile.arn()).text("CreateDate", &date(profile.created_s));
    let roles = profile.roles.iter().filter_map(|name| state.role(name));
    let roles = roles.filter(|role| role.account.as_str() == profile.account);
    xml.element("Roles", |xml| {
        for role in roles {
            xml.element("member", |xml| role::describe(xml, state, role));
        }
    });
    tags::describe(xml, &profile.tags);
}
