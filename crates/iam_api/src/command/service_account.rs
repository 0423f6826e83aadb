//! CreateServiceAccount, GetServiceAccount, ListServiceAccounts, UpdateServiceAccount, DeleteServiceAccount.
//!
//! These are SeaweedFS's actions, with its parameters and answers. A service account is an additional key of a user,
//! which may expire and has all the user's permissions.

use std::sync::Arc;

use policy::ResourceType::IamUser;
use s3::Requirement;
use xml::XmlWriter;

use super::key_expiry::{expiration, shortened_expiry};
use super::{Answer, Command, IamError, Outcome, Request, grant, read, revoke, user};
use crate::answer::{date, fragment};
use crate::params::Params;
use crate::query_caller::QueryCaller;
use crate::resource::arn_of;
use iam::{
    ANONYMOUS, Change, Credential, DocumentKey, ServiceAccount, Snapshot,
    unique_id::{alphanumeric, base32},
};

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateServiceAccount", create_documents, create)
        .needing("iam:CreateServiceAccount")
        .about(parent_user)
        // A service account counts as a key of its user.
        .also_needing(|_, _, user| Ok(vec![Requirement::on_resource("iam:CreateAccessKey", user.to_owned())])),
    read("GetServiceAccount", get).needing("iam:GetServiceAccount").about(user_of_account),
    read("ListServiceAccounts", list).needing("iam:ListServiceAccounts").about(parent_user),
    revoke("UpdateServiceAccount", documents, update).needing("iam:UpdateServiceAccount").about(user_of_account),
    revoke("DeleteServiceAccount", documents, delete).needing("iam:DeleteServiceAccount").about(user_of_account),
];

/// The user in `ParentUser`; all users without it.
fn parent_user(params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    params.get("ParentUser").map_or_else(|| Ok("*".to_owned()), |user| arn_of(IamUser, user, caller))
}

/// The user in `ServiceAccountId`. A text that is not such an id names no user.
fn user_of_account(params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    let user = params.get("ServiceAccountId").and_then(user_of);
    user.map_or_else(|| Ok("*".to_owned()), |user| arn_of(IamUser, user, caller))
}

/// SeaweedFS's limit per user.
const PER_USER: usize = 100;

/// The new service account and its user.
fn create_documents(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let user = parent(request)?;
    Ok(vec![DocumentKey::ServiceAccount(new_id(request, &user)), DocumentKey::User(user)])
}

/// The service account and its user.
fn documents(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let id = request.params.get("ServiceAccountId").ok_or_else(|| missing("ServiceAccountId"))?;
    let user = user_of(id).ok_or_else(|| not_found(id))?;
    Ok(vec![DocumentKey::ServiceAccount(id.into()), DocumentKey::User(user.into())])
}

fn parent(request: &Request<'_>) -> Result<Arc<str>, IamError> {
    request.params.get("ParentUser").ok_or_else(|| missing("ParentUser"))?;
    request.name("ParentUser", 64)
}

fn new_id(request: &Request<'_>, user: &str) -> Arc<str> {
    let random = hex::encode(request.random.get(32..48).unwrap_or_default());
    format!("sa:{user}:{random}").into()
}

/// The user in an id, `sa:<user>:<letters, digits, hyphens>`, for which the permission was checked. `None` for an
/// invalid id.
fn user_of(id: &str) -> Option<&str> {
    let (user, tail) = id.strip_prefix("sa:")?.rsplit_once(':')?;
    let of_name = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let of_tail = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_id = !user.is_empty() && !tail.is_empty() && user.chars().all(of_name) && tail.chars().all(of_tail);
    is_id.then_some(user)
}

fn missing(parameter: &str) -> IamError {
    IamError::invalid(format!("{parameter} is required"))
}

fn not_found(id: &str) -> IamError {
    IamError::no_such_entity(format!("service account {id} not found"))
}

/// The service account that `ServiceAccountId` names. Its user must be the one in the id, and belong to the caller's
/// account.
fn find<'a>(request: &Request<'_>, state: &'a Snapshot) -> Result<&'a Arc<ServiceAccount>, IamError> {
    let id = request.params.get("ServiceAccountId").ok_or_else(|| missing("ServiceAccountId"))?;
    state.service_account(id).filter(|account| is_own(request, state, account)).ok_or_else(|| not_found(id))
}

fn find_to_change<'a>(request: &Request<'_>, state: &'a Snapshot) -> Result<&'a Arc<ServiceAccount>, IamError> {
    let account = find(request, state)?;
    if state.is_static_service_account(&account.id) {
        return Err(IamError::unmodifiable(format!(
            "The service account {} is defined by the identities file of the gateways; change it there",
            account.id
        )));
    }
    Ok(account)
}

/// Checks access to what a DeleteUser left behind: it belongs to callers who may act on users with that name in the
/// gateway's own account.
fn is_own(request: &Request<'_>, state: &Snapshot, account: &ServiceAccount) -> bool {
    let user = state.user(&account.parent_user).map(|user| user.account);
    user_of(&account.id) == Some(account.parent_user.as_str())
        && user.unwrap_or(state.settings().account) == request.caller.account
}

fn description<'a>(request: &Request<'a>) -> Result<Option<&'a str>, IamError> {
    let text = request.params.given("Description");
    if text.is_some_and(|text| text.chars().count() > 1000) {
        return Err(IamError::invalid("description exceeds maximum length of 1000 characters"));
    }
    Ok(text)
}

fn create(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = parent(request)?;
    let user = user::find(request, state, &name)?;
    if user.is_root && !request.caller.is_root {
        return Err(IamError::unmodifiable("Only the root user itself can create a service account of the root user"));
    }
    if &*name == ANONYMOUS {
        return Err(IamError::validation("No one signs as anonymous; create a user"));
    }
    if state.service_accounts_of(&name).count() >= PER_USER {
        return Err(IamError::limit(format!("Cannot exceed quota for ServiceAccountsPerUser: {PER_USER}")));
    }
    let access_key = format!("ABIA{}", base32(request.random, 16));
    let id = new_id(request, &name);
    if state.access_key(&access_key).is_some() || state.service_account(&id).is_some() {
        return Err(IamError::new("ServiceFailure", 500, "The generated id is taken; call again"));
    }
    let secret: Vec<u8> = request.random.iter().skip(48).copied().collect();
    let secret = alphanumeric(&secret, 40);
    let account = ServiceAccount {
        id: id.to_string(),
        parent_user: name.to_string(),
        description: description(request)?.unwrap_or_default().to_owned(),
        credential: Some(Credential { status: "Active".to_owned(), ..Credential::new(access_key, secret.clone()) }),
        expires_s: expiration(request)?.unwrap_or_default(),
        created_s: request.now_s,
        created_by: request.caller.name.to_string(),
        ..ServiceAccount::default()
    };
    let mut xml = fragment();
    xml.element("ServiceAccount", |xml| describe(xml, &account, Some(&secret)));
    let mut changes = Vec::new();
    // The user first: an id in its list that names nothing grants nothing, and the next deletion removes it. Users of
    // the identities file have no list that could be written.
    if !state.is_static_user(&name) {
        let mut record = (*user.record).clone();
        record.service_account_ids.push(id.to_string());
        changes.push(Change::User(name.clone(), Some(Ok(record))));
    }
    changes.push(Change::ServiceAccount(id, Some(Ok(account))));
    Ok(Outcome { changes, result: Some(xml.finish()) })
}

fn get(request: &Request<'_>, state: &Snapshot) -> Answer {
    let account = find(request, state)?;
    let mut xml = fragment();
    xml.element("ServiceAccount", |xml| describe(xml, account, None));
    Ok(Outcome { changes: Vec::new(), result: Some(xml.finish()) })
}

fn list(request: &Request<'_>, state: &Snapshot) -> Answer {
    let accounts: Vec<_> = match request.params.get("ParentUser") {
        Some(user) => state.service_accounts_of(user).collect(),
        None => state.all_service_accounts().collect(),
    };
    let accounts = accounts.into_iter().filter(|account| is_own(request, state, account));
    let accounts = accounts.map(|account| (account.id.as_str(), account));
    let result = request.page("ServiceAccounts", accounts, |xml, account| describe(xml, account, None))?;
    Ok(Outcome { changes: Vec::new(), result: Some(result) })
}

fn update(request: &Request<'_>, state: &Snapshot) -> Answer {
    let mut account = (**find_to_change(request, state)?).clone();
    if let Some(status) = request.params.get("Status") {
        if !matches!(status, "Active" | "Inactive") {
            return Err(IamError::invalid("Status must be 'Active' or 'Inactive'"));
        }
        // `disabled` is another of SeaweedFS's ways to switch it off.
        account.disabled &= status == "Inactive";
        if let Some(key) = &mut account.credential {
            key.status = status.to_owned();
        }
    }
    if let Some(text) = description(request)? {
        account.description = text.to_owned();
    }
    if let Some(seconds) = expiration(request)? {
        account.expires_s = shortened_expiry(account.expires_s, seconds)?;
    }
    let id = account.id.as_str().into();
    Ok(Outcome { changes: vec![Change::ServiceAccount(id, Some(Ok(account)))], result: None })
}

fn delete(request: &Request<'_>, state: &Snapshot) -> Answer {
    let account = find_to_change(request, state)?;
    // The key first: after a crash only the user's list is too long, which grants nothing.
    let mut changes = vec![Change::ServiceAccount(account.id.as_str().into(), None)];
    let name: Arc<str> = account.parent_user.as_str().into();
    if let Some(parent) = state.user(&name).filter(|_| !state.is_static_user(&name)) {
        let mut record = (*parent.record).clone();
        // Also remove whatever a crash between two steps left in the list.
        record.service_account_ids.retain(|id| *id != account.id && state.service_account(id).is_some());
        changes.push(Change::User(name.clone(), Some(Ok(record))));
    }
    Ok(Outcome { changes, result: None })
}

fn describe(xml: &mut XmlWriter, account: &ServiceAccount, secret: Option<&str>) {
    xml.text("ServiceAccountId", &account.id).text("ParentUser", &account.parent_user);
    if !account.description.is_empty() {
        xml.text("Description", &account.description);
    }
    let key = account.credential.as_ref();
    if let Some(key) = key {
        xml.text("AccessKeyId", &key.access_key);
    }
    if let Some(secret) = secret {
        xml.text("SecretAccessKey", secret);
    }
    let active = !account.disabled && key.is_some_and(Credential::is_active);
    xml.text("Status", if active { "Active" } else { "Inactive" });
    if account.expires_s != 0 {
        xml.text("Expiration", &date(account.expires_s));
    }
    xml.text("CreateDate", &date(account.created_s));
}
