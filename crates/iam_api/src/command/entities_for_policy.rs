//! ListEntitiesForPolicy: the holders that have a managed policy attached or as permissions boundary.

use std::sync::Arc;

use super::{Answer, Command, IamError, Outcome, Request, managed_policy, read};
use crate::answer::fragment;
use iam::{Holder, Snapshot, policy_name_of};

pub(super) const COMMANDS: &[Command] = &[read("ListEntitiesForPolicy", list)];

/// A user, group or role of the answer.
struct Entity {
    /// `Group`, `User` or `Role`.
    kind: &'static str,
    name: Arc<str>,
    id: Arc<str>,
    path: String,
    attached: bool,
    bounded: bool,
}

fn list(request: &Request<'_>, state: &Snapshot) -> Answer {
    let policy = managed_policy::find(request, state)?;
    let filter = request.params.get("EntityFilter").unwrap_or_default();
    if !matches!(filter, "" | "User" | "Role" | "Group" | "LocalManagedPolicy" | "AWSManagedPolicy") {
        return Err(IamError::validation(
            "The specified value for EntityFilter is invalid. It must be User, Role or Group",
        ));
    }
    let usage = request.params.get("PolicyUsageFilter").unwrap_or_default();
    if !matches!(usage, "" | "PermissionsPolicy" | "PermissionsBoundary") {
        return Err(IamError::validation(
            "The specified value for PolicyUsageFilter is invalid. It must be PermissionsPolicy or PermissionsBoundary",
        ));
    }
    let prefix = request.params.path_prefix()?;
    let wanted = |entity: &Entity| {
        let by_usage = match usage {
            "PermissionsPolicy" => entity.attached,
            "PermissionsBoundary" => entity.bounded,
            _ => true,
        };
        by_usage && (filter.is_empty() || filter == entity.kind) && entity.path.starts_with(prefix)
    };
    let holders = state.holders_of(&policy.name);
    let mut entities: Vec<(String, Entity)> = holders
        .iter()
        .filter_map(|holder| entity(request, state, holder, &policy.name))
        .filter(wanted)
        .map(|entity| (format!("{}/{}", entity.kind, entity.name), entity))
        .collect();
    entities.sort_by(|a, b| a.0.cmp(&b.0));
    let (page, rest) = request.page_of_several(entities.into_iter())?;
    let mut xml = fragment();
    for kind in ["Group", "User", "Role"] {
        xml.element(&format!("Policy{kind}s"), |xml| {
            for entity in page.iter().filter(|entity| entity.kind == kind) {
                xml.element("member", |xml| {
                    xml.text(&format!("{kind}Name"), &entity.name).text(&format!("{kind}Id"), &entity.id);
                });
            }
        });
    }
    Ok(Outcome { changes: Vec::new(), result: Some(xml.finish() + &rest) })
}

/// The holder as an entity; `None` if it belongs to another account.
fn entity(request: &Request<'_>, state: &Snapshot, holder: &Holder, policy: &str) -> Option<Entity> {
    let account = request.caller.account;
    let names = |name: &str| policy_name_of(name) == policy;
    let of = |kind, name: &Arc<str>, id: &Arc<str>, path: &str, attached: &[String], boundary: Option<&str>| Entity {
        kind,
        name: name.clone(),
        id: id.clone(),
        path: path.to_owned(),
        attached: attached.iter().any(|name| names(name)),
        bounded: boundary.is_some_and(names),
    };
    match holder {
        Holder::User(name) => {
            let user = state.user(name).filter(|user| user.account == account)?;
            let record = &user.record;
            Some(of("User", name, &user.id, user.path(), &record.attached_policies, record.boundary.as_deref()))
        }
        Holder::Group(name) => {
            let group = state.group(name).filter(|group| group.account == account)?;
            Some(of("Group", name, &group.id, group.path(), &group.record.attached_policies, None))
        }
        Holder::Role(name) => {
            let role = state.role(name).filter(|role| role.account == account)?;
            let record = &role.record;
            Some(of("Role", name, &role.id, &role.path, &record.attached_policies, record.boundary.as_deref()))
        }
    }
}
