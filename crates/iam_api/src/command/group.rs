//! CreateGroup, GetGroup, ListGroups, UpdateGroup, DeleteGroup; AddUserToGroup, RemoveUserFromGroup, ListGroupsForUser.

use std::sync::Arc;

use policy::ResourceType::IamGroup;
use xml::XmlWriter;

use super::{Answer, Command, IamError, Outcome, Rename, Request, grant, read, revoke, user};
use crate::answer::{date, fragment};
use crate::resource::renaming;
use iam::{Change, DocumentKey, Group, GroupRecord, Holder, Snapshot, unique_id::new_id};

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateGroup", documents, create_group).making(),
    read("GetGroup", get_group),
    read("ListGroups", list_groups),
    revoke("UpdateGroup", update_documents, update_group)
        .also_needing(|params, caller, _| renaming("iam:UpdateGroup", IamGroup, params, caller)),
    revoke("DeleteGroup", documents, delete_group),
    revoke("AddUserToGroup", with_user, add_user_to_group),
    revoke("RemoveUserFromGroup", documents, remove_user_from_group),
    read("ListGroupsForUser", list_groups_for_user),
];

fn documents(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let name = request.name("GroupName", 128)?;
    let holder = Holder::Group(name.clone());
    let inline = state.inline_policies(&holder).into_keys().map(|policy| DocumentKey::Inline(holder.clone(), policy));
    Ok([DocumentKey::Group(name)].into_iter().chain(inline).collect())
}

/// AWS's quota of groups per user.
const GROUPS_PER_USER: usize = 10;

/// The group's document, and that of the user, who must still exist when the group contains it.
fn with_user(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    Ok(vec![DocumentKey::Group(request.name("GroupName", 128)?), DocumentKey::User(request.name("UserName", 64)?)])
}

/// The group's document. If it gets a new name, also everything that belongs to either name.
fn update_documents(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    match rename(request)? {
        Some(rename) => Ok(rename.documents(state)),
        None => documents(request, state),
    }
}

/// The renaming by UpdateGroup with `NewGroupName`; `None` if that is already the name.
fn rename(request: &Request<'_>) -> Result<Option<Rename>, IamError> {
    if request.params.get("NewGroupName").is_none() {
        return Ok(None);
    }
    let (old, new) = (request.name("GroupName", 128)?, request.name("NewGroupName", 128)?);
    Ok((old != new).then(|| Rename::new(Holder::Group(old), new)))
}

/// A group of the caller's account.
pub(super) fn find<'a>(request: &Request<'_>, state: &'a Snapshot, name: &str) -> Result<&'a Arc<Group>, IamError> {
    state
        .group(name)
        .filter(|group| group.account == request.caller.account)
        .ok_or_else(|| IamError::no_such_entity(format!("The group with name {name} cannot be found.")))
}

fn create_group(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.name("GroupName", 128)?;
    free(state, &name)?;
    let record = GroupRecord {
        name: name.to_string(),
        id: new_id("AGPA", request.random),
        created_s: request.now_s,
        path: request.params.path("Path")?,
        account: request.stored_account(state),
        ..GroupRecord::default()
    };
    let holder = Holder::Group(name.clone());
    let leftovers = state.inline_policies(&holder).into_iter().filter(|(_, policy)| policy.ours.is_some());
    let mut changes: Vec<Change> = leftovers.map(|(policy, _)| Change::Inline(holder.clone(), policy, None)).collect();
    changes.push(Change::Group(name.clone(), Some(Ok(record))));
    let next = state.apply(changes.iter().cloned());
    let group = find(request, &next, &name)?;
    let mut xml = fragment();
    xml.element("Group", |xml| describe(xml, group));
    Ok(Outcome { changes, result: Some(xml.finish()) })
}

/// Refuses a name that is not available for a new group.
fn free(state: &Snapshot, name: &Arc<str>) -> Result<(), IamError> {
    if state.is_taken(&DocumentKey::Group(name.clone())) {
        return Err(IamError::exists(format!("Group with name {name} already exists.")));
    }
    Ok(())
}

fn get_group(request: &Request<'_>, state: &Snapshot) -> Answer {
    let group = find(request, state, &request.name("GroupName", 128)?)?;
    let mut members: Vec<&str> = group.record.members.iter().map(String::as_str).collect();
    members.sort_unstable();
    members.dedup();
    let users = members.into_iter().filter_map(|name| state.user(name)).filter(|user| user.account == group.account);
    let users = users.map(|user| (&*user.name, user));
    let users = request.page("Users", users, |xml, member| user::describe(xml, member))?;
    let mut xml = fragment();
    xml.element("Group", |xml| describe(xml, group));
    Ok(Outcome::answer(xml.finish() + &users))
}

fn list_groups(request: &Request<'_>, state: &Snapshot) -> Answer {
    let prefix = request.params.path_prefix()?;
    let groups = state.groups().filter(|group| group.account == request.caller.account);
    let groups = groups.filter(|group| group.path().starts_with(prefix));
    let groups = groups.map(|group| (&*group.name, group));
    request.page("Groups", groups, |xml, group| describe(xml, group)).map(Outcome::answer)
}

fn update_group(request: &Request<'_>, state: &Snapshot) -> Answer {
    let path = request.params.get("NewPath").map(|_| request.params.path("NewPath")).transpose()?;
    let name = request.name("GroupName", 128)?;
    if let Some(rename) = rename(request)? {
        let new = request.name("NewGroupName", 128)?;
        if !rename.has_begun(state) {
            find(request, state, &name)?;
            let same = name.eq_ignore_ascii_case(&new) && state.group(&new).is_none();
            if !same {
                free(state, &new)?;
            }
        }
        return Ok(Outcome::of(rename.changes(state, path, request.now_s)?));
    }
    let group = find(request, state, &name)?;
    let Some(path) = path else { return Ok(Outcome::default()) };
    let mut record = (*group.record).clone();
    record.path = path;
    Ok(Outcome::of(vec![Change::Group(name, Some(Ok(record)))]))
}

fn delete_group(request: &Request<'_>, state: &Snapshot) -> Answer {
    let group = find(request, state, &request.name("GroupName", 128)?)?;
    // A user that SeaweedFS deleted leaves its name behind, which no list shows.
    let has_members = group.record.members.iter().any(|member| state.user(member).is_some());
    for (blocks, what) in [
        (has_members, "remove users from group first"),
        (!state.inline_policies(&Holder::Group(group.name.clone())).is_empty(), "delete policies first"),
        (!group.record.attached_policies.is_empty(), "detach all policies first"),
    ] {
        if blocks {
            return Err(IamError::delete_conflict(format!("Cannot delete entity, must {what}.")));
        }
    }
    Ok(Outcome::of(vec![Change::Group(group.name.clone(), None)]))
}

fn add_user_to_group(request: &Request<'_>, state: &Snapshot) -> Answer {
    let group = find(request, state, &request.name("GroupName", 128)?)?;
    let name = request.name("UserName", 64)?;
    user::find(request, state, &name)?;
    if group.record.members.iter().any(|member| **member == *name) {
        return Ok(Outcome::default());
    }
    if state.groups_naming(&name).len() >= GROUPS_PER_USER {
        return Err(IamError::limit(format!("Cannot exceed quota for GroupsPerUser: {GROUPS_PER_USER}")));
    }
    let mut record = (*group.record).clone();
    record.members.push(name.to_string());
    Ok(Outcome::of(vec![Change::Group(group.name.clone(), Some(Ok(record)))]))
}

fn remove_user_from_group(request: &Request<'_>, state: &Snapshot) -> Answer {
    let group = find(request, state, &request.name("GroupName", 128)?)?;
    let name = request.name("UserName", 64)?;
    let mut record = (*group.record).clone();
    record.members.retain(|member| **member != *name);
    if record.members.len() == group.record.members.len() {
        let message = format!("The user with name {name} is not in the group {}.", group.name);
        return Err(IamError::no_such_entity(message));
    }
    Ok(Outcome::of(vec![Change::Group(group.name.clone(), Some(Ok(record)))]))
}

fn list_groups_for_user(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.name("UserName", 64)?;
    let user = user::find(request, state, &name)?;
    let groups =
        user.groups.iter().filter_map(|group| state.group(group)).filter(|group| group.account == user.account);
    let groups = groups.map(|group| (&*group.name, group));
    request.page("Groups", groups, |xml, group| describe(xml, group)).map(Outcome::answer)
}

pub(super) fn describe(xml: &mut XmlWriter, group: &Group) {
    xml.text("Path", group.path()).text("GroupName", &group.name).text("GroupId", &group.id);
    xml.text("Arn", &group.arn).text("CreateDate", &date(group.record.created_s));
}
