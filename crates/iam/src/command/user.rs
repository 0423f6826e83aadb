//! CreateUser, GetUser, ListUsers, UpdateUser, DeleteUser.

use std::sync::Arc;

use super::xml::Xml;
use super::{Answer, Command, IamError, Outcome, Request, grant, read, revoke};
use crate::change::{Change, DocumentKey, Holder};
use crate::documents::{AccountDocument, Facts, UserDocument};
use crate::snapshot::{ANONYMOUS, Snapshot, User};
use crate::unique_id::new_id;

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateUser", create_documents, create_user),
    read("GetUser", get_user),
    read("ListUsers", list_users),
    revoke("UpdateUser", documents, update_user),
    revoke("DeleteUser", documents, delete_user),
];

/// The user's document.
pub(super) fn documents(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    Ok(vec![DocumentKey::User(request.user_name()?)])
}

/// The user's document, and what an earlier user of that name may have left behind.
fn create_documents(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let name = request.name("UserName", 64)?;
    let holder = Holder::User(name.clone());
    let inline = state.inline_policies(&holder).into_keys().map(|policy| DocumentKey::Inline(holder.clone(), policy));
    let groups = state.groups_naming(&name).into_iter().map(DocumentKey::Group);
    let accounts = state.service_accounts_of(&name).filter(|account| !state.is_static_service_account(&account.id));
    let accounts: Vec<_> = accounts.map(|account| DocumentKey::ServiceAccount(account.id.as_str().into())).collect();
    Ok([DocumentKey::User(name)].into_iter().chain(inline).chain(groups).chain(accounts).collect())
}

/// A user of the caller's account.
pub(super) fn find<'a>(request: &Request<'_>, state: &'a Snapshot, name: &str) -> Result<&'a Arc<User>, IamError> {
    state
        .user(name)
        .filter(|user| user.account == request.caller.account)
        .ok_or_else(|| IamError::no_such_entity(format!("The user with name {name} cannot be found.")))
}

/// A user that may be changed: not one of the identities file.
pub(super) fn find_to_change<'a>(
    request: &Request<'_>,
    state: &'a Snapshot,
    name: &str,
) -> Result<&'a Arc<User>, IamError> {
    let user = find(request, state, name)?;
    if state.is_static_user(name) {
        return Err(IamError::unmodifiable(format!(
            "The user {name} is defined by the identities file of the gateways; change it there"
        )));
    }
    Ok(user)
}

/// The user's document, ready to be changed.
pub(super) fn document(user: &User) -> UserDocument {
    (*user.document).clone()
}

/// The change that writes a user's document.
pub(super) fn put(name: &Arc<str>, document: UserDocument) -> Change {
    Change::User(name.clone(), Some(Ok(document)))
}

fn create_user(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.name("UserName", 64)?;
    request.refuse("PermissionsBoundary")?;
    if state.user(&name).is_some() || state.problem(&format!("user `{name}`")).is_some() {
        return Err(IamError::exists(format!("User with name {name} already exists.")));
    }
    if matches!(&*name, "root" | ANONYMOUS) {
        return Err(IamError::validation(format!(
            "The name {name} is reserved; only the identities file can define it"
        )));
    }
    let account = request.caller.account;
    let named = account != state.settings().account;
    let document = UserDocument {
        name: name.to_string(),
        account: named.then(|| AccountDocument { id: account.to_string(), ..AccountDocument::default() }),
        tags: request.params.tags()?,
        facts: Facts {
            id: new_id("AIDA", request.random),
            created_s: request.now_s,
            path: request.path("Path")?,
            ..Facts::default()
        },
        ..UserDocument::default()
    };
    let mut changes = leftovers(state, &name);
    changes.push(put(&name, document));
    let next = state.apply(changes.iter().cloned());
    let result = find(request, &next, &name).map(|user| user_xml("User", user))?;
    Ok(Outcome { changes, result: Some(result) })
}

/// Inline policies, memberships and keys that an interrupted or concurrent DeleteUser left: a new user must not inherit them.
fn leftovers(state: &Snapshot, name: &Arc<str>) -> Vec<Change> {
    let holder = Holder::User(name.clone());
    let inline = state.inline_policies(&holder).into_iter().filter(|(_, policy)| policy.ours.is_some());
    let mut changes: Vec<Change> = inline.map(|(policy, _)| Change::Inline(holder.clone(), policy, None)).collect();
    let accounts = state.service_accounts_of(name).filter(|account| !state.is_static_service_account(&account.id));
    changes.extend(accounts.map(|account| Change::ServiceAccount(account.id.as_str().into(), None)));
    for group in state.groups_naming(name).iter().filter_map(|group| state.group(group)) {
        let mut document = (*group.document).clone();
        document.members.retain(|member| **member != **name);
        changes.push(Change::Group(group.name.clone(), Some(Ok(document))));
    }
    changes
}

fn get_user(request: &Request<'_>, state: &Snapshot) -> Answer {
    if request.params.get("UserName").is_none() && request.caller.is_root {
        let root = state.user("root").filter(|user| user.is_root && user.account == request.caller.account);
        let root = root.ok_or_else(|| IamError::no_such_entity("The root user cannot be found."))?;
        return Ok(Outcome { changes: Vec::new(), result: Some(user_xml("User", root)) });
    }
    let name = request.user_name()?;
    let user = find(request, state, &name)?;
    Ok(Outcome { changes: Vec::new(), result: Some(user_xml("User", user)) })
}

fn list_users(request: &Request<'_>, state: &Snapshot) -> Answer {
    let prefix = request.params.get("PathPrefix").unwrap_or("/");
    let users = state.users().filter(|user| user.account == request.caller.account && &*user.name != ANONYMOUS);
    let users = users.filter(|user| user.document.facts.path_or_root().starts_with(prefix));
    let result = request.page("Users", users.map(|user| (&*user.name, user)), |xml, user| describe(xml, user))?;
    Ok(Outcome { changes: Vec::new(), result: Some(result) })
}

fn update_user(request: &Request<'_>, state: &Snapshot) -> Answer {
    request.refuse("NewUserName")?;
    let name = request.user_name()?;
    let mut document = document(find_to_change(request, state, &name)?);
    if request.params.get("NewPath").is_some() {
        document.facts.path = request.path("NewPath")?;
    }
    Ok(Outcome { changes: vec![put(&name, document)], result: None })
}

fn delete_user(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.user_name()?;
    let user = find_to_change(request, state, &name)?;
    let document = &user.document;
    let holder = Holder::User(name.clone());
    let service_accounts = state.service_accounts_of(&name).next().is_some();
    for (blocks, what) in [
        (!document.credentials.is_empty(), "delete access keys first"),
        (service_accounts, "delete service accounts first"),
        (!state.inline_policies(&holder).is_empty(), "delete policies first"),
        (!document.policy_names.is_empty(), "detach all policies first"),
        (!state.groups_naming(&name).is_empty(), "remove users from group first"),
    ] {
        if blocks {
            return Err(IamError::delete_conflict(format!("Cannot delete entity, must {what}.")));
        }
    }
    Ok(Outcome { changes: vec![Change::User(name, None)], result: None })
}

fn user_xml(element: &str, user: &User) -> String {
    let mut xml = Xml::new();
    xml.element(element, |xml| {
        describe(xml, user);
        if !user.document.tags.is_empty() {
            xml.element("Tags", |xml| {
                for (key, value) in &user.document.tags {
                    xml.element("member", |xml| {
                        xml.text("Key", key).text("Value", value);
                    });
                }
            });
        }
    });
    xml.finish()
}

pub(super) fn describe(xml: &mut Xml, user: &User) {
    let facts = &user.document.facts;
    xml.text("Path", facts.path_or_root()).text("UserName", &user.name).text("UserId", &user.id);
    xml.text("Arn", &user.arn).date("CreateDate", facts.created_s);
}
