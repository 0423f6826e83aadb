//! CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey.

use ids::SecretAccessKey;

use super::user::{self, documents};
use super::xml::Xml;
use super::{Answer, Command, IamError, Outcome, Request, grant, read, revoke};
use crate::documents::{CredentialDocument, UserDocument};
use crate::snapshot::Snapshot;
use crate::unique_id::{alphanumeric, base32};

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateAccessKey", documents, create_access_key),
    read("ListAccessKeys", list_access_keys),
    revoke("UpdateAccessKey", documents, update_access_key),
    revoke("DeleteAccessKey", documents, delete_access_key),
];

/// AWS's quota of keys for each user.
pub(super) const KEYS_PER_USER: usize = 2;

fn create_access_key(request: &Request<'_>, state: &Snapshot) -> Answer {
    // weed lets the caller choose both; a secret that travels in a request is none of ours.
    request.refuse("AccessKeyId")?;
    request.refuse("SecretAccessKey")?;
    let name = request.user_name()?;
    let mut document = user::document(user::find_to_change(request, state, &name)?);
    if document.credentials.len() >= KEYS_PER_USER {
        return Err(IamError::limit(format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}")));
    }
    let (id, secret) = request.random.split_at(32);
    let access_key = format!("AKIA{}", base32(id, 16));
    let secret = alphanumeric(secret, 40);
    if state.access_key(&access_key).is_some() {
        return Err(IamError::new("ServiceFailure", 500, "The generated access key id is taken; call again"));
    }
    document.credentials.push(CredentialDocument {
        access_key: access_key.clone(),
        secret_key: SecretAccessKey::new(secret.clone()),
        status: "Active".to_owned(),
    });
    document.facts.keys_created_s.insert(access_key.clone(), request.now_s);
    let mut xml = Xml::new();
    xml.element("AccessKey", |xml| {
        xml.text("UserName", &name).text("AccessKeyId", &access_key).text("Status", "Active");
        xml.text("SecretAccessKey", &secret).date("CreateDate", request.now_s);
    });
    Ok(Outcome { result: Some(xml.finish()), ..Outcome::of(vec![user::put(&name, document)]) })
}

fn list_access_keys(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.user_name()?;
    let user = user::find(request, state, &name)?;
    let (document, name) = (&user.document, user::shown_name(user));
    let mut keys: Vec<&CredentialDocument> = document.credentials.iter().collect();
    keys.sort_by(|a, b| a.access_key.cmp(&b.access_key));
    let keys = keys.into_iter().map(|key| (key.access_key.as_str(), key));
    let result = request.page("AccessKeyMetadata", keys, |xml, key| {
        let created_s = document.facts.keys_created_s.get(&key.access_key).copied();
        xml.text("UserName", name).text("AccessKeyId", &key.access_key);
        xml.text("Status", if key.is_active() { "Active" } else { "Inactive" });
        xml.date("CreateDate", created_s.unwrap_or(document.facts.created_s));
    })?;
    let mut xml = Xml::new();
    xml.text("UserName", name);
    Ok(Outcome::answer(xml.finish() + &result))
}

fn update_access_key(request: &Request<'_>, state: &Snapshot) -> Answer {
    let status = request.params.required("Status")?;
    if !matches!(status, "Active" | "Inactive") {
        return Err(IamError::validation("The specified value for Status is invalid. It must be Active or Inactive"));
    }
    let name = request.user_name()?;
    let (mut document, place) = with_key(request, state, &name)?;
    if let Some(key) = document.credentials.get_mut(place) {
        key.status = status.to_owned();
    }
    Ok(Outcome::of(vec![user::put(&name, document)]))
}

fn delete_access_key(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.user_name()?;
    let (mut document, place) = with_key(request, state, &name)?;
    let key = document.credentials.remove(place);
    document.facts.keys_created_s.remove(&key.access_key);
    Ok(Outcome::of(vec![user::put(&name, document)]))
}

/// The user's document and the place of `AccessKeyId` in it.
fn with_key(request: &Request<'_>, state: &Snapshot, name: &str) -> Result<(UserDocument, usize), IamError> {
    let wanted = request.params.required("AccessKeyId")?;
    let document = user::document(user::find_to_change(request, state, name)?);
    let place = document
        .credentials
        .iter()
        .position(|key| key.access_key == wanted)
        .ok_or_else(|| IamError::no_such_entity(format!("The Access Key with id {wanted} cannot be found.")))?;
    Ok((document, place))
}
