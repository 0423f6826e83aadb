//! CreateUser, GetUser, ListUsers, UpdateUser, DeleteUser; SetUserStatus, which is SeaweedFS's own.

use std::sync::Arc;

use super::xml::Xml;
use super::{Answer, Command, IamError, Outcome, Rename, Request, grant, permissions_boundary, read, revoke, tags};
use crate::change::{Change, DocumentKey, Holder};
use crate::documents::{AccountDocument, Facts, UserDocument};
use crate::snapshot::{ANONYMOUS, ROOT, Snapshot, User};
use crate::unique_id::new_id;

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateUser", create_documents, create_user),
    read("GetUser", get_user),
    read("ListUsers", list_users),
    revoke("UpdateUser", update_documents, update_user),
    revoke("SetUserStatus", documents, set_user_status),
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
    let boundary = permissions_boundary::policy_document(request, state)?;
    let documents = [DocumentKey::User(name)].into_iter().chain(inline).chain(groups).chain(accounts).chain(boundary);
    Ok(documents.collect())
}

/// The user's document; when it gets a new name, all that hangs on either name.
fn update_documents(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    match rename(request)? {
        Some(rename) => Ok(rename.documents(state)),
        None => documents(request, state),
    }
}

/// What UpdateUser with `NewUserName` does, unless that is the name it has.
fn rename(request: &Request<'_>) -> Result<Option<Rename>, IamError> {
    if request.params.get("NewUserName").is_none() {
        return Ok(None);
    }
    let (old, new) = (request.user_name()?, request.name("NewUserName", 64)?);
    Ok((old != new).then(|| Rename::new(Holder::User(old), new)))
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
    free(state, &name)?;
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
            boundary: permissions_boundary::given(request, state)?.map(|name| name.to_string()),
            ..Facts::default()
        },
        ..UserDocument::default()
    };
    let mut changes = leftovers(state, &name);
    changes.push(put(&name, document));
    let next = state.apply(changes.iter().cloned());
    let result = find(request, &next, &name).map(|user| user_xml(request, &next, user))?;
    Ok(Outcome { changes, result: Some(result) })
}

/// Refuses a name that a new user cannot have.
fn free(state: &Snapshot, name: &Arc<str>) -> Result<(), IamError> {
    if state.is_taken(&DocumentKey::User(name.clone())) {
        return Err(IamError::exists(format!("User with name {name} already exists.")));
    }
    if [ROOT, ANONYMOUS].iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        let message = format!("The name {name} is reserved; only the identities file can define it");
        return Err(IamError::validation(message));
    }
    Ok(())
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
    let user = find(request, state, &request.user_name()?)?;
    Ok(Outcome::answer(user_xml(request, state, user)))
}

fn list_users(request: &Request<'_>, state: &Snapshot) -> Answer {
    let prefix = request.params.path_prefix()?;
    // The root of an account is none of its users, nor is nobody.
    let is_user = |user: &&Arc<User>| !user.is_root && &*user.name != ANONYMOUS;
    let users = state.users().filter(is_user).filter(|user| user.account == request.caller.account);
    let users = users.filter(|user| user.document.facts.path_or_root().starts_with(prefix));
    request.page("Users", users.map(|user| (&*user.name, user)), |xml, user| describe(xml, user)).map(Outcome::answer)
}

fn update_user(request: &Request<'_>, state: &Snapshot) -> Answer {
    let path = request.params.get("NewPath").map(|_| request.path("NewPath")).transpose()?;
    let name = request.user_name()?;
    if let Some(rename) = rename(request)? {
        let new = request.name("NewUserName", 64)?;
        if !rename.has_begun(state) {
            find_to_change(request, state, &name)?;
            let same = name.eq_ignore_ascii_case(&new) && state.user(&new).is_none();
            if !same {
                free(state, &new)?;
            }
            if state.service_accounts_of(&name).next().is_some() {
                return Err(IamError::delete_conflict("Cannot rename entity, must delete service accounts first."));
            }
        }
        return Ok(Outcome::of(rename.changes(state, path, request.now_s)?));
    }
    let mut document = document(find_to_change(request, state, &name)?);
    let Some(path) = path else { return Ok(Outcome::default()) };
    document.facts.path = path;
    Ok(Outcome::of(vec![put(&name, document)]))
}

fn set_user_status(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.name("UserName", 64)?;
    let mut document = document(find_to_change(request, state, &name)?);
    document.disabled = match request.params.required("Status")? {
        "Active" => false,
        "Inactive" => true,
        _ => {
            return Err(IamError::validation(
                "The specified value for Status is invalid. It must be Active or Inactive",
            ));
        }
    };
    Ok(Outcome::of(vec![put(&name, document)]))
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
    Ok(Outcome::of(vec![Change::User(name, None)]))
}

fn user_xml(request: &Request<'_>, state: &Snapshot, user: &User) -> String {
    let mut xml = Xml::new();
    xml.element("User", |xml| {
        describe(xml, user);
        permissions_boundary::describe(xml, state, request, &Holder::User(user.name.clone()));
        tags::describe(xml, &user.document.tags);
    });
    xml.finish()
}

/// The name that answers give a user: that of a root is `root`, whichever account's it is.
pub(super) fn shown_name(user: &User) -> &str {
    if user.is_root { ROOT } else { &user.name }
}

pub(super) fn describe(xml: &mut Xml, user: &User) {
    let facts = &user.document.facts;
    let id = if user.is_root { user.account.as_str() } else { &user.id };
    xml.text("Path", facts.path_or_root()).text("UserName", shown_name(user)).text("UserId", id);
    xml.text("Arn", &user.arn).date("CreateDate", facts.created_s);
}
