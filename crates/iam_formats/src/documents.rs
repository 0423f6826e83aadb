//! The documents of users, service accounts, groups, roles and policies, as SeaweedFS writes them.
//!
//! One reader accepts both spellings, protojson (`secretKey`) and Go (`secret_key`); one writer produces Go's bytes.
//! What SeaweedFS's files cannot hold (ids, dates, paths) is stored beside them as [`Facts`].

use std::collections::BTreeMap;
use std::mem::take;

use ids::SecretAccessKey;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::facts::{Facts, others, tags};
use crate::go::{duration_s, go_indent};
use crate::unknown::{facts_of, fields_of, seal};
use iam::{
    Account, Credential, GroupRecord, InlinePolicyRecord, PolicyRecord, Renamed, RoleRecord, ServiceAccount, UserRecord,
};
use json::{JsonError, Node};

/// What is stored as a document, with facts beside it.
pub trait StoredDocument: Sized {
    /// Reads one that is part of another document.
    ///
    /// Fails on anything else, with its place.
    fn read(node: &Node<'_>, facts: Facts) -> Result<Self, JsonError>;

    /// Reads a whole document.
    fn parse(text: &str, facts: Facts) -> Result<Self, JsonError> {
        Self::read(&Node::parse(text)?, facts)
    }

    /// The document's text in the form of SeaweedFS.
    fn to_text(&self) -> String;

    /// What is stored beside the text.
    fn facts(&self) -> Facts;
}

impl StoredDocument for UserRecord {
    fn read(node: &Node<'_>, mut facts: Facts) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let name = object.string(&["name"])?;
        if name.is_empty() {
            return Err(node.error("an identity has no `name`; give it one"));
        }
        let account = object.take("account").map(|node| account(&node)).transpose()?;
        let mut credentials = credentials(object.array(&["credentials"])?)?;
        for key in &mut credentials {
            key.created_s = facts.keys_created_s.remove(&key.access_key).unwrap_or_default();
            key.expires_s = facts.keys_expire_s.remove(&key.access_key).unwrap_or_default();
        }
        Ok(Self {
            name,
            id: take(&mut facts.id),
            path: take(&mut facts.path),
            credentials,
            actions: object.strings(&["actions"])?,
            account,
            disabled: object.boolean(&["disabled"])?,
            service_account_ids: object.strings(&["service_account_ids", "serviceAccountIds"])?,
            attached_policies: object.strings(&["policy_names", "policyNames"])?,
            boundary: facts.boundary.take(),
            is_static: object.boolean(&["is_static", "isStatic"])?,
            tags: tags(&mut object)?,
            created_s: take(&mut facts.created_s),
            deleting_s: take(&mut facts.deleting_s),
            renamed: renamed(&mut facts),
            unknown: seal(others(object)?, &facts),
        })
    }

    fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'a> {
            name: &'a str,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            credentials: Vec<CredentialShape<'a>>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            actions: &'a [String],
            #[serde(skip_serializing_if = "Option::is_none")]
            account: Option<AccountShape<'a>>,
            #[serde(skip_serializing_if = "is_false")]
            disabled: bool,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            service_account_ids: &'a [String],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            policy_names: &'a [String],
            #[serde(skip_serializing_if = "is_false")]
            is_static: bool,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            tags: Vec<TagShape<'a>>,
            #[serde(flatten)]
            other: BTreeMap<String, Value>,
        }
        go_indent(&Shape {
            name: &self.name,
            credentials: self.credentials.iter().map(CredentialShape::of).collect(),
            actions: &self.actions,
            account: self.account.as_ref().map(AccountShape::of),
            disabled: self.disabled,
            service_account_ids: &self.service_account_ids,
            policy_names: &self.attached_policies,
            is_static: self.is_static,
            tags: self.tags.iter().map(|(key, value)| TagShape { key, value }).collect(),
            other: fields_of(&self.unknown),
        })
    }

    fn facts(&self) -> Facts {
        let mut facts = facts_of(&self.unknown);
        let keys = self.credentials.iter().filter(|key| key.created_s != 0);
        facts.keys_created_s.extend(keys.map(|key| (key.access_key.clone(), key.created_s)));
        let keys = self.credentials.iter().filter(|key| key.expires_s != 0);
        facts.keys_expire_s.extend(keys.map(|key| (key.access_key.clone(), key.expires_s)));
        Facts {
            id: self.id.clone(),
            path: self.path.clone(),
            boundary: self.boundary.clone(),
            created_s: self.created_s,
            deleting_s: self.deleting_s,
            ..with_renamed(facts, self.renamed.as_ref())
        }
    }
}

impl StoredDocument for ServiceAccount {
    fn read(node: &Node<'_>, facts: Facts) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let credential = object.take("credential").map(|node| credential(&node)).transpose()?;
        let account = Self {
            id: object.string(&["id"])?,
            parent_user: object.string(&["parent_user", "parentUser"])?,
            description: object.string(&["description"])?,
            credential,
            actions: object.strings(&["actions"])?,
            expires_s: object.integer(&["expiration"])?,
            disabled: object.boolean(&["disabled"])?,
            created_s: object.integer(&["created_at", "createdAt"])?,
            created_by: object.string(&["created_by", "createdBy"])?,
            unknown: seal(others(object)?, &facts),
        };
        if account.id.is_empty() || account.parent_user.is_empty() {
            return Err(node.error("a service account needs an `id` and a `parent_user`"));
        }
        Ok(account)
    }

    fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'a> {
            id: &'a str,
            parent_user: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            description: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            credential: Option<CredentialShape<'a>>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            actions: &'a [String],
            #[serde(skip_serializing_if = "is_zero")]
            expiration: i64,
            #[serde(skip_serializing_if = "is_false")]
            disabled: bool,
            #[serde(skip_serializing_if = "is_zero")]
            created_at: i64,
            #[serde(skip_serializing_if = "str::is_empty")]
            created_by: &'a str,
            #[serde(flatten)]
            other: BTreeMap<String, Value>,
        }
        go_indent(&Shape {
            id: &self.id,
            parent_user: &self.parent_user,
            description: &self.description,
            credential: self.credential.as_ref().map(CredentialShape::of),
            actions: &self.actions,
            expiration: self.expires_s,
            disabled: self.disabled,
            created_at: self.created_s,
            created_by: &self.created_by,
            other: fields_of(&self.unknown),
        })
    }

    fn facts(&self) -> Facts {
        facts_of(&self.unknown)
    }
}

impl StoredDocument for GroupRecord {
    fn read(node: &Node<'_>, mut facts: Facts) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let group = Self {
            name: object.string(&["name"])?,
            id: take(&mut facts.id),
            path: take(&mut facts.path),
            account: take(&mut facts.account),
            members: object.strings(&["members"])?,
            attached_policies: object.strings(&["policy_names", "policyNames"])?,
            disabled: object.boolean(&["disabled"])?,
            created_s: take(&mut facts.created_s),
            deleting_s: take(&mut facts.deleting_s),
            renamed: renamed(&mut facts),
            unknown: seal(others(object)?, &facts),
        };
        if group.name.is_empty() { Err(node.error("a group has no `name`; give it one")) } else { Ok(group) }
    }

    fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'a> {
            name: &'a str,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            members: &'a [String],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            policy_names: &'a [String],
            #[serde(skip_serializing_if = "is_false")]
            disabled: bool,
            #[serde(flatten)]
            other: BTreeMap<String, Value>,
        }
        go_indent(&Shape {
            name: &self.name,
            members: &self.members,
            policy_names: &self.attached_policies,
            disabled: self.disabled,
            other: fields_of(&self.unknown),
        })
    }

    fn facts(&self) -> Facts {
        Facts {
            id: self.id.clone(),
            path: self.path.clone(),
            account: self.account.clone(),
            created_s: self.created_s,
            deleting_s: self.deleting_s,
            ..with_renamed(facts_of(&self.unknown), self.renamed.as_ref())
        }
    }
}

impl StoredDocument for RoleRecord {
    fn read(node: &Node<'_>, mut facts: Facts) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let trust_policy =
            object.take_spelled(&["trustPolicy", "trust_policy"])?.map(|trust| document_text(&trust)).transpose()?;
        let max_session_s = object.take_spelled(&["maxSessionDuration", "max_session_duration"])?;
        let max_session_s = max_session_s.map(|node| max_session(&node)).transpose()?.flatten();
        let role = Self {
            name: object.string(&["roleName", "role_name"])?,
            arn: object.string(&["roleArn", "role_arn"])?,
            id: take(&mut facts.id),
            path: take(&mut facts.path),
            trust_policy: trust_policy.unwrap_or_default(),
            trust_ids: facts.trust_ids.take(),
            attached_policies: object.strings(&["attachedPolicies", "attached_policies"])?,
            boundary: facts.boundary.take(),
            description: object.string(&["description"])?,
            max_session_s,
            tags: take(&mut facts.tags),
            created_s: take(&mut facts.created_s),
            updated_s: take(&mut facts.updated_s),
            deleting_s: take(&mut facts.deleting_s),
            unknown: seal(others(object)?, &facts),
        };
        if role.name.is_empty() {
            return Err(node.error("a role has no `roleName`; give it one"));
        }
        if role.trust_policy.is_empty() {
            return Err(node.error(format!("role `{}` has no `trustPolicy`, so no one could assume it", role.name)));
        }
        Ok(role)
    }

    fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'a> {
            #[serde(rename = "roleName")]
            name: &'a str,
            #[serde(rename = "roleArn", skip_serializing_if = "str::is_empty")]
            arn: &'a str,
            #[serde(rename = "trustPolicy")]
            trust_policy: Box<RawValue>,
            #[serde(rename = "attachedPolicies")]
            attached_policies: &'a [String],
            #[serde(skip_serializing_if = "str::is_empty")]
            description: &'a str,
            #[serde(rename = "maxSessionDuration", skip_serializing_if = "Option::is_none")]
            max_session_s: Option<i64>,
            #[serde(flatten)]
            other: BTreeMap<String, Value>,
        }
        go_indent(&Shape {
            name: &self.name,
            arn: &self.arn,
            trust_policy: document_value(&self.trust_policy),
            attached_policies: &self.attached_policies,
            description: &self.description,
            max_session_s: self.max_session_s,
            other: fields_of(&self.unknown),
        })
    }

    fn facts(&self) -> Facts {
        Facts {
            id: self.id.clone(),
            path: self.path.clone(),
            trust_ids: self.trust_ids.clone(),
            boundary: self.boundary.clone(),
            tags: self.tags.clone(),
            created_s: self.created_s,
            updated_s: self.updated_s,
            deleting_s: self.deleting_s,
            ..facts_of(&self.unknown)
        }
    }
}

impl StoredDocument for PolicyRecord {
    fn read(node: &Node<'_>, facts: Facts) -> Result<Self, JsonError> {
        Self::parse(&document_text(node)?, facts)
    }

    /// Any text is one: what cannot be read as a policy denies.
    fn parse(text: &str, mut facts: Facts) -> Result<Self, JsonError> {
        Ok(Self {
            text: text.into(),
            id: take(&mut facts.id),
            path: take(&mut facts.path),
            account: take(&mut facts.account),
            description: take(&mut facts.description),
            created_s: take(&mut facts.created_s),
            updated_s: take(&mut facts.updated_s),
            version: take(&mut facts.version),
            version_created_s: take(&mut facts.version_created_s),
            versions_given: take(&mut facts.versions_given),
            versions: take(&mut facts.versions),
            tags: take(&mut facts.tags),
            deleting_s: take(&mut facts.deleting_s),
            unknown: seal(BTreeMap::new(), &facts),
        })
    }

    fn to_text(&self) -> String {
        self.text.to_string()
    }

    fn facts(&self) -> Facts {
        Facts {
            id: self.id.clone(),
            path: self.path.clone(),
            account: self.account.clone(),
            description: self.description.clone(),
            created_s: self.created_s,
            updated_s: self.updated_s,
            version: self.version,
            version_created_s: self.version_created_s,
            versions_given: self.versions_given,
            versions: self.versions.clone(),
            tags: self.tags.clone(),
            deleting_s: self.deleting_s,
            ..facts_of(&self.unknown)
        }
    }
}

impl StoredDocument for InlinePolicyRecord {
    fn read(node: &Node<'_>, facts: Facts) -> Result<Self, JsonError> {
        Self::parse(&document_text(node)?, facts)
    }

    /// Any text is one: what cannot be read as a policy denies.
    fn parse(text: &str, mut facts: Facts) -> Result<Self, JsonError> {
        Ok(Self {
            text: text.into(),
            holder_id: take(&mut facts.holder),
            created_s: take(&mut facts.created_s),
            updated_s: take(&mut facts.updated_s),
            unknown: seal(BTreeMap::new(), &facts),
        })
    }

    fn to_text(&self) -> String {
        self.text.to_string()
    }

    fn facts(&self) -> Facts {
        Facts {
            holder: self.holder_id.clone(),
            created_s: self.created_s,
            updated_s: self.updated_s,
            ..facts_of(&self.unknown)
        }
    }
}

fn renamed(facts: &mut Facts) -> Option<Renamed> {
    let from = facts.renamed_from.take()?;
    Some(Renamed { from, at_s: take(&mut facts.renamed_s) })
}

fn with_renamed(facts: Facts, renamed: Option<&Renamed>) -> Facts {
    match renamed {
        Some(Renamed { from, at_s }) => Facts { renamed_from: Some(from.clone()), renamed_s: *at_s, ..facts },
        None => facts,
    }
}

pub(crate) fn account(node: &Node<'_>) -> Result<Account, JsonError> {
    let mut object = node.object()?;
    Ok(Account {
        id: object.string(&["id"])?,
        display_name: object.string(&["display_name", "displayName"])?,
        email_address: object.string(&["email_address", "emailAddress"])?,
        unknown: seal(others(object)?, &Facts::default()),
    })
}

/// The text of a policy in a document, where it is either an object or a string.
pub fn document_text(node: &Node<'_>) -> Result<String, JsonError> {
    if node.is_string() {
        node.string()
    } else if node.is_object() {
        Ok(node.text().to_owned())
    } else {
        Err(node.expected("a policy document"))
    }
}

/// The text of a policy as part of a document: [`document_text`] reads the same text again, even if no policy can be read
/// in it. Such a text denies, so it must not be lost.
pub(crate) fn document_value(text: &str) -> Box<RawValue> {
    let object = serde_json::from_str::<Box<RawValue>>(text).ok().filter(|value| value.get().starts_with('{'));
    // Writing a string as JSON has no failure.
    object.or_else(|| to_raw_value(text).ok()).unwrap_or_default()
}

fn max_session(node: &Node<'_>) -> Result<Option<i64>, JsonError> {
    // Seconds, according to its documentation. SeaweedFS's own Go field is an int of seconds; a text such as "1h" is
    // accepted too.
    let seconds = if node.is_string() { duration_s(node)? } else { node.integer()? };
    match seconds {
        0 => Ok(None),
        3600..=43200 => Ok(Some(seconds)),
        _ => Err(node.error(format!("maxSessionDuration is 3600 to 43200 seconds, not {seconds}"))),
    }
}

fn credentials(nodes: Vec<Node<'_>>) -> Result<Vec<Credential>, JsonError> {
    nodes.iter().map(credential).collect()
}

fn credential(node: &Node<'_>) -> Result<Credential, JsonError> {
    let mut object = node.object()?;
    Ok(Credential {
        access_key: object.string(&["access_key", "accessKey"])?,
        secret_key: SecretAccessKey::new(object.string(&["secret_key", "secretKey"])?),
        status: object.string(&["status"])?,
        created_s: 0,
        expires_s: 0,
        unknown: seal(others(object)?, &Facts::default()),
    })
}

/// A tag as SeaweedFS 4.48 writes it. A map instead of the list would stop it from loading anything.
#[derive(Serialize)]
struct TagShape<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    value: &'a str,
}

/// A credential that is written to the filer. This is the only place where a secret is serialised.
#[derive(Serialize)]
struct CredentialShape<'a> {
    access_key: &'a str,
    secret_key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    status: &'a str,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

impl<'a> CredentialShape<'a> {
    fn of(credential: &'a Credential) -> Self {
        Self {
            access_key: &credential.access_key,
            secret_key: credential.secret_key.expose(),
            status: &credential.status,
            other: fields_of(&credential.unknown),
        }
    }
}

/// The account of a user.
#[derive(Serialize)]
struct AccountShape<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    display_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email_address: &'a str,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

impl<'a> AccountShape<'a> {
    fn of(account: &'a Account) -> Self {
        Self {
            id: &account.id,
            display_name: &account.display_name,
            email_address: &account.email_address,
            other: fields_of(&account.unknown),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires this signature")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires this signature")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_in_both_spellings_and_written_as_go_does() {
        let go = "{\n  \"name\": \"al\",\n  \"credentials\": [\n    {\n      \"access_key\": \"AK\",\n      \"secret_key\": \"s\\u003c\"\n    }\n  ],\n  \"actions\": [\n    \"Read:b\"\n  ],\n  \"policy_names\": [\n    \"P\"\n  ],\n  \"tags\": [\n    {\n      \"key\": \"k\",\n      \"value\": \"v\"\n    }\n  ],\n  \"zz\": 1\n}";
        let proto = r#"{"name":"al","credentials":[{"accessKey":"AK","secretKey":"s<"}],"actions":["Read:b"],"policyNames":["P"],
            "tags":{"k":"v"},"zz":1,"disabled":null}"#;
        for text in [go, proto] {
            let user = UserRecord::parse(text, Facts::default()).unwrap();
            assert_eq!(user.to_text(), go);
            assert!(!format!("{user:?}").contains("s<"), "the secret is visible in Debug");
        }
        let old = go.replace("\"zz\": 1", "\"kelpgate_nonce\": \"1\",\n  \"zz\": 1");
        assert_eq!(UserRecord::parse(&old, Facts::default()).unwrap().to_text(), go);
        assert!(UserRecord::parse("{}", Facts::default()).unwrap_err().what.contains("no `name`"));
    }

    #[test]
    fn numbers_of_fields_that_are_not_known_stay() {
        for number in ["1", "-0.5", "18446744073709551615", "8.333333333333133e+48"] {
            let text = format!(r#"{{"name":"al","field":[{number}]}}"#);
            let written = UserRecord::parse(&text, Facts::default()).unwrap().to_text();
            assert!(written.contains(number), "{written}");
        }
        let long = r#"{"name":"al","field":8333333333333133333333330000000001492662673464448.967}"#;
        let once = UserRecord::parse(long, Facts::default()).unwrap().to_text();
        assert_eq!(UserRecord::parse(&once, Facts::default()).unwrap().to_text(), once);
    }

    #[test]
    fn roles_need_a_name_a_trust_policy_and_a_valid_maximum() {
        let trust = r#""trustPolicy":{"Version":"2012-10-17","Statement":[]}"#;
        for (text, good) in [
            (format!(r#"{{"roleName":"R",{trust}}}"#), true),
            (format!(r#"{{"roleName":"R",{trust},"maxSessionDuration":3600}}"#), true),
            (format!(r#"{{"roleName":"R",{trust},"maxSessionDuration":60}}"#), false),
            (format!(r#"{{{trust}}}"#), false),
            (r#"{"roleName":"R"}"#.to_owned(), false),
        ] {
            assert_eq!(RoleRecord::parse(&text, Facts::default()).is_ok(), good, "{text}");
        }
        let role = RoleRecord::parse(&format!(r#"{{"roleName":"R",{trust}}}"#), Facts::default()).unwrap();
        assert_eq!(role.trust_policy, r#"{"Version":"2012-10-17","Statement":[]}"#);
        assert!(RoleRecord::parse(&role.to_text(), Facts::default()).is_ok());
    }
}
