//! CreateUser, GetUser, ListUsers, UpdateUser, DeleteUser; and SeaweedFS's own SetUserStatus.

use std::sync::Arc;

use policy::ResourceType::IamUser;
use xml::XmlWriter;

use super::{Answer, Command, IamError, Outcome, Rename, Request, grant, permissions_boundary, read, revoke, tags};
use crate::action::NEW_BOUNDARY;
use crate::answer::{date, fragment};
use crate::resource::{arn_of, renaming};
use iam::{ANONYMOUS, Account, Change, DocumentKey, Holder, ROOT, Snapshot, User, UserRecord, unique_id::new_id};

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateUser", create_documents, create_user).making().tagging("iam:TagUser").setting(NEW_BOUNDARY),
    read("GetUser", get_user),
    read("ListUsers", list_users),
    revoke("UpdateUser", update_documents, update_user)
        .also_needing(|params, caller, _| renaming("iam:UpdateUser", IamUser, params, caller)),
    revoke("SetUserStatus", documents, set_user_status)
        .needing("iam:SetUserStatus")
        .about(|params, caller| arn_of(IamUser, params.required("UserName")?, caller)),
    revoke("DeleteUser", documents, delete_user),
];

/// The user's document.
pub(super) fn documents(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    Ok(vec![DocumentKey::User(request.user_name()?)])
}

/// The user's document, and what an earlier user with the name may have left behind.
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

/// The user's document. If it gets a new name, also everything that belongs to either name.
fn update_documents(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    match rename(request)? {
        Some(rename) => Ok(rename.documents(state)),
        None => documents(request, state),
    }
}

/// The renaming by UpdateUser with `NewUserName`; `None` if that is already the name.
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

/// A user that may be changed, that is, not one of the identities file.
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

fn create_user(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.name("UserName", 64)?;
    free(state, &name)?;
    let account = request.caller.account;
    let named = account != state.settings().account;
    let record = UserRecord {
        name: name.to_string(),
        account: named.then(|| Account { id: account.to_string(), ..Account::default() }),
        tags: request.params.tags()?,
        id: new_id("AIDA", request.random),
        created_s: request.now_s,
        path: request.params.path("Path")?,
        boundary: permissions_boundary::given(request, state)?.map(|name| name.to_string()),
        ..UserRecord::default()
    };
    let mut changes = leftovers(state, &name);
    changes.push(Change::User(name.clone(), Some(Ok(record))));
    let next = state.apply(changes.iter().cloned());
    let result = find(request, &next, &name).map(|user| user_xml(request, &next, user))?;
    Ok(Outcome { changes, result: Some(result) })
}

/// Refuses a name that is not available for a new user.
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

/// Removes inline policies, memberships and keys that an interrupted or concurrent DeleteUser left: a new user must not
/// inherit them.
fn leftovers(state: &Snapshot, name: &Arc<str>) -> Vec<Change> {
    let holder = Holder::User(name.clone());
    let inline = state.inline_policies(&holder).into_iter().filter(|(_, policy)| policy.ours.is_some());
    let mut changes: Vec<Change> = inline.map(|(policy, _)| Change::Inline(holder.clone(), policy, None)).collect();
    let accounts = state.service_accounts_of(name).filter(|account| !state.is_static_service_account(&account.id));
    changes.extend(accounts.map(|account| Change::ServiceAccount(account.id.as_str().into(), None)));
    for group in state.groups_naming(name).iter().filter_map(|group| state.group(group)) {
        let mut record = (*group.record).clone();
        record.members.retain(|member| **member != **name);
        changes.push(Change::Group(group.name.clone(), Some(Ok(record))));
    }
    changes
}

fn get_user(request: &Request<'_>, state: &Snapshot) -> Answer {
    let user = find(request, state, &request.user_name()?)?;
    Ok(Outcome::answer(user_xml(request, state, user)))
}

fn list_users(request: &Request<'_>, state: &Snapshot) -> Answer {
    let prefix = request.params.path_prefix()?;
    // The root of an account and the anonymous identity are not users.
    let is_user = |user: &&Arc<User>| !user.is_root && &*user.name != ANONYMOUS;
    let users = state.users().filter(is_user).filter(|user| user.account == request.caller.account);
    let users = users.filter(|user| user.path().starts_with(prefix));
    request.page("Users", users.map(|user| (&*user.name, user)), |xml, user| describe(xml, user)).map(Outcome::answer)
}

fn update_user(request: &Request<'_>, state: &Snapshot) -> Answer {
    let path = request.params.get("NewPath").map(|_| request.params.path("NewPath")).transpose()?;
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
    let mut record = (*find_to_change(request, state, &name)?.record).clone();
    let Some(path) = path else { return Ok(Outcome::default()) };
    record.path = path;
    Ok(Outcome::of(vec![Change::User(name, Some(Ok(record)))]))
}

fn set_user_status(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.name("UserName", 64)?;
    let mut record = (*find_to_change(request, state, &name)?.record).clone();
    record.disabled = match request.params.required("Status")? {
        "Active" => false,
        "Inactive" => true,
        _ => {
            return Err(IamError::validation(
                "The specified value for Status is invalid. It must be Active or Inactive",
            ));
        }
    };
    Ok(Outcome::of(vec![Change::User(name, Some(Ok(record)))]))
}

fn delete_user(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.user_name()?;
    let user = find_to_change(request, state, &name)?;
    let record = &user.record;
    let holder = Holder::User(name.clone());
    let service_accounts = state.service_accounts_of(&name).next().is_some();
    for (blocks, what) in [
        (!record.credentials.is_empty(), "delete access keys first"),
        (service_accounts, "delete service accounts first"),
        (state.mfa_devices_of(&user.id).next().is_some(), "delete MFA device first"),
        (!state.inline_policies(&holder).is_empty(), "delete policies first"),
        (!record.attached_policies.is_empty(), "detach all policies first"),
        (!state.groups_naming(&name).is_empty(), "remove users from group first"),
    ] {
        if blocks {
            return Err(IamError::delete_conflict(format!("Cannot delete entity, must {what}.")));
        }
    }
    Ok(Outcome::of(vec![Change::User(name, None)]))
}

fn user_xml(request: &Request<'_>, state: &Snapshot, user: &User) -> String {
    let mut xml = fragment();
    xml.element("User", |xml| {
        describe(xml, user);
        permissions_boundary::describe(xml, state, request, &Holder::User(user.name.clone()));
        tags::describe(xml, user.tags());
    });
    xml.finish()
}

/// The name of a user in answers. Any account's root is called `root`.
pub(super) fn shown_name(user: &User) -> &str {
    if user.is_root { ROOT } else { &user.name }
}

pub(super) fn describe(xml: &mut XmlWriter, user: &User) {
    let id = if user.is_root { user.account.as_str() } else { &user.id };
    xml.text("Path", user.path()).text("UserName", shown_name(user)).text("UserId", id);
    xml.text("Arn", &user.arn).text("CreateDate", &date(user.record.created_s));
}
