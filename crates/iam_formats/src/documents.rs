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

use crate::go::{duration_s, go_indent};
use crate::unknown::{facts_of, fields_of, others, seal};
use iam::{
    Account, Credential, GroupRecord, InlinePolicyRecord, PolicyIds, PolicyRecord, PolicyVersion, Renamed, RoleRecord,
    ServiceAccount, SmallMap, Tags, UserRecord,
};
use json::{JsonError, Node, Object};

/// What is stored as a document, with facts beside it.
pub trait StoredDocument: Sized {
    /// Reads one that is part of another document.
    ///
    /// Fails on what is no such document, with its place.
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

/// Facts that SeaweedFS's files cannot hold. They are in the entry's extended attribute [`Facts::ATTRIBUTE`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `AIDA...`, `AGPA...`, `ANPA...`, `AROA...`; empty if Kelpgate did not write the document.
    pub id: String,
    /// Creation, seconds since 1970; 0 when unknown.
    pub created_s: i64,
    /// Last update, seconds since 1970; 0 when unknown.
    pub updated_s: i64,
    /// `/` or `/division/team/`.
    pub path: String,
    /// The creation time of each access key, in seconds since 1970.
    pub keys_created_s: SmallMap<String, i64>,
    /// The managed policy that is the holder's permissions boundary.
    pub boundary: Option<String>,
    /// Free text of managed policies.
    pub description: String,
    /// The account of a group or managed policy; empty for the gateway's own.
    pub account: String,
    /// The number of a managed policy's current version, from 1; 0 when unknown.
    pub version: i64,
    /// The id of the user, group or role on which an inline policy was put: another one with the same name does not get
    /// it. Empty if unknown.
    pub holder: String,
    /// When a command announced that it is about to delete the document, in seconds since 1970; 0 for never. Decisions
    /// ignore it. A command that relies on the document removes the announcement, which stops the deletion.
    pub deleting_s: i64,
    /// When the current version was made, in seconds since 1970; 0 if unknown.
    pub version_created_s: i64,
    /// The highest number that a version has ever had, because no number is used twice. 0 if there has been only one
    /// version.
    pub versions_given: i64,
    /// The other versions, by number.
    pub versions: BTreeMap<i64, PolicyVersion>,
    /// Tags of a role or managed policy. Those of a user are in its document, where SeaweedFS expects them.
    pub tags: Tags,
    /// The old name of a holder that is being renamed. What the old name still has must be removed.
    pub renamed_from: Option<String>,
    /// When the renaming began, seconds since 1970.
    pub renamed_s: i64,
    /// The ids of the principals in a role's trust policy.
    pub trust_ids: Option<Box<PolicyIds>>,
    /// Fields of a newer Kelpgate, which are kept.
    pub other: BTreeMap<String, Value>,
}

impl Facts {
    /// The extended attribute's name.
    pub const ATTRIBUTE: &'static str = "kelpgate-iam";

    /// Reads the attribute.
    ///
    /// Fails on anything that is not a JSON object of a known form. The holder is then treated as unreadable, because a
    /// boundary could be lost otherwise.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let mut object = Node::parse(text)?.object()?;
        let keys_created_s = match object.take("keysCreated") {
            Some(keys) => {
                let created = |(key, node): (String, Node<'_>)| Ok((key, node.integer()?));
                keys.object()?.rest().into_iter().map(created).collect::<Result<_, JsonError>>()?
            }
            None => SmallMap::default(),
        };
        let (boundary, renamed_from) = (object.string(&["boundary"])?, object.string(&["renamedFrom"])?);
        Ok(Self {
            id: object.string(&["id"])?,
            created_s: object.integer(&["created"])?,
            updated_s: object.integer(&["updated"])?,
            path: object.string(&["path"])?,
            keys_created_s,
            boundary: (!boundary.is_empty()).then_some(boundary),
            description: object.string(&["description"])?,
            account: object.string(&["account"])?,
            version: object.integer(&["version"])?,
            holder: object.string(&["holder"])?,
            deleting_s: object.integer(&["deleting"])?,
            version_created_s: object.integer(&["versionCreated"])?,
            versions_given: object.integer(&["versionsGiven"])?,
            versions: versions(&mut object)?,
            tags: tags(&mut object)?,
            renamed_from: (!renamed_from.is_empty()).then_some(renamed_from),
            renamed_s: object.integer(&["renamed"])?,
            trust_ids: object.take("trustIds").map(|node| policy_ids(&node)).transpose()?,
            other: others(object)?,
        })
    }

    /// The attribute's text, or `None` if there are no facts.
    pub fn to_text(&self) -> Option<String> {
        let mut map = self.other.clone();
        let mut put = |key: &str, value: Value, present: bool| {
            if present {
                map.insert(key.to_owned(), value);
            }
        };
        put("id", self.id.as_str().into(), !self.id.is_empty());
        put("created", self.created_s.into(), self.created_s != 0);
        put("updated", self.updated_s.into(), self.updated_s != 0);
        put("path", self.path.as_str().into(), !self.path.is_empty());
        put("description", self.description.as_str().into(), !self.description.is_empty());
        put("boundary", self.boundary.clone().into(), self.boundary.is_some());
        put("account", self.account.as_str().into(), !self.account.is_empty());
        put("version", self.version.into(), self.version != 0);
        put("holder", self.holder.as_str().into(), !self.holder.is_empty());
        put("deleting", self.deleting_s.into(), self.deleting_s != 0);
        put("versionCreated", self.version_created_s.into(), self.version_created_s != 0);
        put("versionsGiven", self.versions_given.into(), self.versions_given != 0);
        let version =
            |version: &PolicyVersion| serde_json::json!({"text": &*version.text, "created": version.created_s});
        let versions = self.versions.iter().map(|(number, kept)| (number.to_string(), version(kept))).collect();
        put("versions", Value::Object(versions), !self.versions.is_empty());
        let tags = self.tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
        put("tags", Value::Object(tags), !self.tags.is_empty());
        put("renamedFrom", self.renamed_from.clone().into(), self.renamed_from.is_some());
        put("renamed", self.renamed_s.into(), self.renamed_s != 0);
        let trust_ids = serde_json::to_value(&self.trust_ids).unwrap_or_default();
        put("trustIds", trust_ids, self.trust_ids.is_some());
        let keys = self.keys_created_s.iter().map(|(key, s)| (key.clone(), Value::from(*s))).collect();
        put("keysCreated", Value::Object(keys), !self.keys_created_s.is_empty());
        if map.is_empty() { None } else { serde_json::to_string(&map).ok() }
    }
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

fn policy_ids(node: &Node<'_>) -> Result<Box<PolicyIds>, JsonError> {
    serde_json::from_str(node.text()).map_err(|error| node.error(format!("not the ids of a policy: {error}")))
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
        unknown: seal(others(object)?, &Facts::default()),
    })
}

/// Tags as SeaweedFS and protojson write them (`[{"key":"k","value":"v"}]`), or as people do (`{"k":"v"}`).
fn tags(object: &mut Object<'_>) -> Result<Tags, JsonError> {
    let Some(node) = object.take("tags") else { return Ok(Tags::default()) };
    if node.is_object() {
        return string_map(&node);
    }
    let pair = |node: &Node<'_>| {
        let mut object = node.object()?;
        Ok((object.string(&["key"])?, object.string(&["value"])?))
    };
    node.array()?.iter().map(pair).collect()
}

/// An object of strings, as our own documents keep tags.
pub(crate) fn string_map(node: &Node<'_>) -> Result<Tags, JsonError> {
    if node.is_null() {
        return Ok(Tags::default());
    }
    node.object()?.rest().into_iter().map(|(key, node)| Ok((key, node.string()?))).collect()
}

/// The versions of a managed policy other than the current one: `{"1": {"text": "...", "created": 7}}`.
fn versions(object: &mut Object<'_>) -> Result<BTreeMap<i64, PolicyVersion>, JsonError> {
    let Some(node) = object.take("versions") else { return Ok(BTreeMap::new()) };
    let version = |(number, node): (String, Node<'_>)| {
        let number = number.parse::<i64>().map_err(|_| node.error("a version is named by its number"))?;
        let mut object = node.object()?;
        let text = object.string(&["text"])?.into();
        Ok((number, PolicyVersion { text, created_s: object.integer(&["created"])? }))
    };
    node.object()?.rest().into_iter().map(version).collect()
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
    fn facts_survive_a_round_trip_with_unknown_fields() {
        let text = r#"{"boundary":"B","created":5,"deleting":7,"future":{"a":[1]},"id":"AIDA1","keysCreated":{"AK":7},"path":"/x/","renamed":9,"renamedFrom":"al","tags":{"k":"v"},"version":3,"versionCreated":8,"versions":{"2":{"created":6,"text":"{}"}},"versionsGiven":4}"#;
        let facts = Facts::parse(text).unwrap();
        assert_eq!(facts.boundary.as_deref(), Some("B"));
        assert_eq!(facts.versions[&2].created_s, 6);
        for bad in [r#"{"versions":{"v2":{}}}"#, r#"{"versions":[]}"#, r#"{"tags":7}"#] {
            assert!(Facts::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(facts.to_text().unwrap(), text);
        assert_eq!(Facts::default().to_text(), None);
        assert!(Facts::parse("[]").is_err());
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
