//! CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey.

use super::key_expiry::{expiration, shortened_expiry};
use super::user::{self, documents};
use super::{Answer, Command, IamError, Outcome, Request, grant, read, revoke};
use crate::answer::{date, fragment};
use iam::{
    Change, Credential, Snapshot, UserRecord,
    unique_id::{alphanumeric, base32},
};

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateAccessKey", documents, create_access_key).about_keys(),
    read("ListAccessKeys", list_access_keys),
    revoke("UpdateAccessKey", documents, update_access_key).about_keys(),
    revoke("DeleteAccessKey", documents, delete_access_key).about_keys(),
];

/// AWS's quota of keys per user.
pub(super) const KEYS_PER_USER: usize = 2;

fn create_access_key(request: &Request<'_>, state: &Snapshot) -> Answer {
    // `weed s3` lets the caller choose both. Kelpgate does not accept a secret that was sent in a request.
    request.refuse("AccessKeyId")?;
    request.refuse("SecretAccessKey")?;
    let name = request.user_name()?;
    let mut record = (*user::find_to_change(request, state, &name)?.record).clone();
    if record.credentials.len() >= KEYS_PER_USER {
        return Err(IamError::limit(format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}")));
    }
    let expires_s = expiration(request)?.unwrap_or_default();
    let (id, secret) = request.random.split_at(32);
    let access_key = format!("AKIA{}", base32(id, 16));
    let secret = alphanumeric(secret, 40);
    if state.access_key(&access_key).is_some() {
        return Err(IamError::new("ServiceFailure", 500, "The generated access key id is taken; call again"));
    }
    record.credentials.push(Credential {
        status: "Active".to_owned(),
        created_s: request.now_s,
        expires_s,
        ..Credential::new(access_key.clone(), secret.clone())
    });
    let mut xml = fragment();
    xml.element("AccessKey", |xml| {
        xml.text("UserName", &name).text("AccessKeyId", &access_key).text("Status", "Active");
        xml.text("SecretAccessKey", &secret).text("CreateDate", &date(request.now_s));
        if expires_s != 0 {
            xml.text("Expiration", &date(expires_s));
        }
    });
    Ok(Outcome { result: Some(xml.finish()), ..Outcome::of(vec![Change::User(name.clone(), Some(Ok(record)))]) })
}

fn list_access_keys(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.user_name()?;
    let user = user::find(request, state, &name)?;
    let (record, name) = (&user.record, user::shown_name(user));
    let mut keys: Vec<&Credential> = record.credentials.iter().collect();
    keys.sort_by(|a, b| a.access_key.cmp(&b.access_key));
    let keys = keys.into_iter().map(|key| (key.access_key.as_str(), key));
    let result = request.page("AccessKeyMetadata", keys, |xml, key| {
        xml.text("UserName", name).text("AccessKeyId", &key.access_key);
        xml.text("Status", if key.is_active() { "Active" } else { "Inactive" });
        xml.text("CreateDate", &date(if key.created_s == 0 { record.created_s } else { key.created_s }));
        if key.expires_s != 0 {
            xml.text("Expiration", &date(key.expires_s));
        }
    })?;
    let mut xml = fragment();
    xml.text("UserName", name);
    Ok(Outcome::answer(xml.finish() + &result))
}

/// `Status`, `Expiration` (an extension) or both.
fn update_access_key(request: &Request<'_>, state: &Snapshot) -> Answer {
    let expires_s = expiration(request)?;
    let status = match request.params.get("Status") {
        None if expires_s.is_some() => None,
        _ => Some(request.params.required("Status")?),
    };
    if status.is_some_and(|status| !matches!(status, "Active" | "Inactive")) {
        return Err(IamError::validation("The specified value for Status is invalid. It must be Active or Inactive"));
    }
    let name = request.user_name()?;
    let (mut record, place) = with_key(request, state, &name)?;
    if let Some(key) = record.credentials.get_mut(place) {
        if let Some(status) = status {
            status.clone_into(&mut key.status);
        }
        if let Some(expires_s) = expires_s {
            key.expires_s = shortened_expiry(key.expires_s, expires_s)?;
        }
    }
    Ok(Outcome::of(vec![Change::User(name.clone(), Some(Ok(record)))]))
}

fn delete_access_key(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.user_name()?;
    let (mut record, place) = with_key(request, state, &name)?;
    record.credentials.remove(place);
    Ok(Outcome::of(vec![Change::User(name.clone(), Some(Ok(record)))]))
}

/// The user's document and the index of `AccessKeyId` in it.
fn with_key(request: &Request<'_>, state: &Snapshot, name: &str) -> Result<(UserRecord, usize), IamError> {
    let wanted = request.params.required("AccessKeyId")?;
    let record = (*user::find_to_change(request, state, name)?.record).clone();
    let place = record
        .credentials
        .iter()
        .position(|key| key.access_key == wanted)
        .ok_or_else(|| IamError::no_such_entity(format!("The Access Key with id {wanted} cannot be found.")))?;
    Ok((record, place))
}
