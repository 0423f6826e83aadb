//! The principals of a bucket policy or a trust policy. As on AWS, a policy applies to the user or role that had the
//! name when it was put. Their unique ids are in an attribute next to the policy; the policy itself keeps the names,
//! which SeaweedFS reads.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use policy::{Policy, PolicyKind, Principal, PrincipalIds};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bucket::BucketPolicy;
use crate::entity::RoleRecord;
use crate::snapshot::Snapshot;
use crate::unique_id::unique_id;

/// The content of a bucket's attribute, and a part of a role's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyIds {
    /// The SHA-256 of the policy's text. SeaweedFS, or a person, may replace the policy and leave the attribute.
    policy: String,
    /// Unique ids by ARN.
    ids: PrincipalIds,
}

/// The principals that a policy names now. A name that no one has stays a name.
pub fn policy_ids(policy: &Policy, snapshot: &Snapshot) -> PrincipalIds {
    let known = |(arn, named): (&str, Principal)| Some((arn.to_owned(), id_of(&named, snapshot)?));
    policy.named_principals().filter_map(known).collect()
}

/// The ids for a trust policy that is put now; `None` if it names no user or role.
pub fn trust_ids(text: &str, snapshot: &Snapshot) -> Option<Box<PolicyIds>> {
    let policy = Policy::parse_stored(PolicyKind::Trust, text).ok()?;
    let ids = policy_ids(&policy, snapshot);
    (!ids.is_empty()).then(|| Box::new(PolicyIds { policy: trust_fingerprint(text), ids }))
}

/// The ids of a role's trust policy; empty if a person has replaced it since.
pub(crate) fn ids_of_trust(role: &RoleRecord) -> Option<&PrincipalIds> {
    let stored = role.trust_ids.as_ref()?;
    (stored.policy == trust_fingerprint(&role.trust_policy)).then_some(&stored.ids)
}

/// The layout of a role's document changes when it is written.
fn trust_fingerprint(text: &str) -> String {
    let value = serde_json::from_str::<Value>(text).map(|value| value.to_string());
    fingerprint(value.as_deref().unwrap_or(text).as_bytes())
}

/// The ids of a bucket policy as they are stored beside its text; `None` if it names no user or role.
pub fn stored_policy_ids(text: &str, ids: &PrincipalIds) -> Option<Vec<u8>> {
    let stored = || PolicyIds { policy: fingerprint(text.as_bytes()), ids: ids.clone() };
    // Strings can always be written as JSON. An empty attribute would deny.
    (!ids.is_empty()).then(|| serde_json::to_vec(&stored()).unwrap_or_default())
}

/// The ids stored with a policy; empty if there is no attribute, or if it belongs to another policy.
pub(crate) fn read(attribute: Option<&[u8]>, policy: &[u8]) -> Result<PrincipalIds, String> {
    let Some(bytes) = attribute else { return Ok(PrincipalIds::new()) };
    let stored: PolicyIds = serde_json::from_slice(bytes)
        .map_err(|error| format!("the ids of its principals cannot be read ({error}); put the policy again"))?;
    Ok(if stored.policy == fingerprint(policy) { stored.ids } else { BTreeMap::new() })
}

/// The policy as GetBucketPolicy shows it: with current names, and with unique ids for deleted principals.
pub fn shown_policy<'a>(policy: &'a BucketPolicy, snapshot: &Snapshot) -> Cow<'a, str> {
    shown(&policy.text, &policy.ids, snapshot)
}

/// A trust policy as GetRole shows it.
pub fn shown_trust<'a>(role: &'a RoleRecord, snapshot: &Snapshot) -> Cow<'a, str> {
    match ids_of_trust(role) {
        Some(ids) => shown(&role.trust_policy, ids, snapshot),
        None => Cow::Borrowed(&role.trust_policy),
    }
}

fn shown<'a>(text: &'a str, ids: &PrincipalIds, snapshot: &Snapshot) -> Cow<'a, str> {
    let changed: BTreeMap<&str, String> =
        ids.iter().filter_map(|(arn, id)| Some((arn.as_str(), name_of(arn, id, snapshot)?))).collect();
    let as_put = Cow::Borrowed(text);
    if changed.is_empty() {
        return as_put;
    }
    let Ok(mut document) = serde_json::from_str::<Value>(text) else { return as_put };
    match document.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.iter_mut().for_each(|statement| rename(statement, &changed)),
        Some(statement) => rename(statement, &changed),
        None => {}
    }
    Cow::Owned(document.to_string())
}

fn rename(statement: &mut Value, changed: &BTreeMap<&str, String>) {
    let renamed = |name: &mut Value| {
        if let Some(shown) = name.as_str().and_then(|name| changed.get(name)) {
            *name = Value::String(shown.clone());
        }
    };
    for element in ["Principal", "NotPrincipal"] {
        match statement.get_mut(element).and_then(|element| element.get_mut("AWS")) {
            Some(Value::Array(names)) => names.iter_mut().for_each(renamed),
            Some(name) => renamed(name),
            None => {}
        }
    }
}

/// What replaces an ARN now; `None` if its name still belongs to the id.
fn name_of(arn: &str, id: &str, snapshot: &Snapshot) -> Option<String> {
    let named = Policy::principal_of(arn)?;
    let holder = id_of(&named, snapshot);
    if holder.as_deref() == Some(id) {
        return None;
    }
    if let Principal::User { .. } = named
        && let Some(renamed) = snapshot.users().find(|user| *user.id == *id)
    {
        return Some(renamed.arn.to_string());
    }
    // An id derived from the name says no more than the name, and the name may be in a file that was not read here.
    let made_of_name = match &named {
        Principal::User { name, .. } => *unique_id("AIDA", "", name) == *id,
        Principal::AssumedRole { role, .. } => *unique_id("AROA", "", role) == *id,
        _ => false,
    };
    match named {
        _ if made_of_name && holder.is_none() => None,
        Principal::AssumedRole { session, .. } if !session.is_empty() => Some(format!("{id}:{session}")),
        _ => Some(id.to_owned()),
    }
}

/// The unique id of a user, or of a role.
fn id_of(named: &Principal, snapshot: &Snapshot) -> Option<String> {
    match named {
        Principal::User { name, .. } => {
            let user = snapshot.user(name).filter(|user| user.principal.to_string() == named.to_string())?;
            Some(user.id.to_string())
        }
        Principal::AssumedRole { account, role, role_path, .. } => {
            let role = snapshot.role(role).filter(|found| found.account == *account)?;
            (role_path.is_empty() || **role_path == *role.path).then(|| role.id.to_string())
        }
        _ => None,
    }
}

fn fingerprint(text: &[u8]) -> String {
    hex::encode(digest(&SHA256, text))
}
