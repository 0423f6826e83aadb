//! The documents of IAM state as SeaweedFS writes them: users, service accounts, groups, roles.
//!
//! One reader takes both spellings, protojson (`secretKey`) and Go (`secret_key`); one writer makes Go's bytes. What weed's
//! files cannot hold (ids, dates, paths) travels beside them as [`Facts`].

use std::collections::BTreeMap;
use std::sync::Arc;

use ids::SecretAccessKey;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::{JsonError, Node, Object, go_indent};
use crate::policy_ids::PolicyIds;
use crate::small_map::SmallMap;

/// Tags: key to value.
pub type Tags = SmallMap<String, String>;

/// A user: `/etc/iam/identities/<name>.json`, or an identity of the `-config` file.
#[derive(Debug, Clone, Default)]
pub struct UserDocument {
    /// The user's name.
    pub name: String,
    /// Long-term keys.
    pub credentials: Vec<CredentialDocument>,
    /// Legacy actions such as `Read:bucket`.
    pub actions: Vec<String>,
    /// The account, if it names one.
    pub account: Option<AccountDocument>,
    /// A disabled user's keys are refused.
    pub disabled: bool,
    /// Ids of the service accounts that act for the user.
    pub service_account_ids: Vec<String>,
    /// Names of attached managed policies.
    pub policy_names: Vec<String>,
    /// weed's mark for identities of its static file.
    pub is_static: bool,
    /// Tags of the user.
    pub tags: Tags,
    /// Fields that only a newer SeaweedFS knows: kept when the document is written again.
    pub other: BTreeMap<String, Value>,
    /// What weed's file has no place for.
    pub facts: Facts,
}

/// One key pair of a user or service account.
#[derive(Debug, Clone)]
pub struct CredentialDocument {
    /// The public half.
    pub access_key: String,
    /// The secret half.
    pub secret_key: SecretAccessKey,
    /// `Active`, `Inactive`, or empty for active.
    pub status: String,
}

/// How a secret begins that is stored encrypted: `kelpgate-sealed:1:<key id>:<base64>`. It is never signed with.
pub const SEALED: &str = "kelpgate-sealed:1:";

impl CredentialDocument {
    /// True unless the status says otherwise; a status nobody knows counts as inactive.
    pub fn is_active(&self) -> bool {
        matches!(self.status.as_str(), "" | "Active")
    }

    /// The id of the key that the secret is encrypted with, if what stands there is no secret but [`SEALED`] text.
    pub fn sealed_under(&self) -> Option<&str> {
        let rest = self.secret_key.expose().strip_prefix(SEALED)?;
        Some(rest.split_once(':').map_or("", |(id, _)| id))
    }

    /// Why the key must not be used, if its secret is that of a sample: anybody could sign with it.
    pub fn public_secret(&self) -> Option<String> {
        let place = self.secret_key.published_in()?;
        Some(format!(
            "the secret of the access key `{}` is public, it stands in {place}: anybody can sign with it; make a key of your own, the \
             secret for example with `openssl rand -base64 30`",
            self.access_key
        ))
    }
}

/// An account of the identities file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AccountDocument {
    /// 12 digits, or any text in SeaweedFS.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The name shown as owner.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// Its address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email_address: String,
}

/// A service account: one more key of its parent user.
#[derive(Debug, Clone)]
pub struct ServiceAccountDocument {
    /// `sa:<user>:<hex>`.
    pub id: String,
    /// The user it acts for.
    pub parent_user: String,
    /// Free text.
    pub description: String,
    /// Its key.
    pub credential: Option<CredentialDocument>,
    /// Ignored by SeaweedFS when it decides; kept.
    pub actions: Vec<String>,
    /// Seconds since 1970; 0 for never.
    pub expiration: i64,
    /// A disabled one's key is refused.
    pub disabled: bool,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Who made it.
    pub created_by: String,
    /// Fields that only a newer SeaweedFS knows.
    pub other: BTreeMap<String, Value>,
    /// What weed's file has no place for.
    pub facts: Facts,
}

/// A group: `/etc/iam/groups/<name>.json`.
#[derive(Debug, Clone, Default)]
pub struct GroupDocument {
    /// The group's name.
    pub name: String,
    /// Names of its users.
    pub members: Vec<String>,
    /// Names of attached managed policies.
    pub policy_names: Vec<String>,
    /// A disabled group's policies count for nobody.
    pub disabled: bool,
    /// Fields that only a newer SeaweedFS knows.
    pub other: BTreeMap<String, Value>,
    /// What weed's file has no place for.
    pub facts: Facts,
}

/// A role: `roles[]` of `-iam.config`, or `<roleStore basePath>/<name>.json`.
#[derive(Debug, Clone, Default)]
pub struct RoleDocument {
    /// The role's name.
    pub name: String,
    /// As the file says; empty for `arn:aws:iam::<account>:role/<name>`.
    pub arn: String,
    /// The trust policy's text.
    pub trust_policy: String,
    /// Names of attached managed policies.
    pub attached_policies: Vec<String>,
    /// Free text.
    pub description: String,
    /// Seconds, 3600..=43200; `None` for the default of an hour.
    pub max_session_s: Option<i64>,
    /// Fields that only a newer SeaweedFS knows.
    pub other: BTreeMap<String, Value>,
    /// What the file has no place for.
    pub facts: Facts,
}

/// Facts that SeaweedFS's files cannot hold; they are the entry's extended attribute [`Facts::ATTRIBUTE`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `AIDA...`, `AGPA...`, `ANPA...`, `AROA...`; empty when the document was not written by Kelpgate.
    pub id: String,
    /// Creation, seconds since 1970; 0 when unknown.
    pub created_s: i64,
    /// Last update, seconds since 1970; 0 when unknown.
    pub updated_s: i64,
    /// `/` or `/division/team/`.
    pub path: String,
    /// Creation of each access key, seconds since 1970.
    pub keys_created_s: SmallMap<String, i64>,
    /// The managed policy that bounds the holder.
    pub boundary: Option<String>,
    /// Free text of managed policies.
    pub description: String,
    /// The account of a group or managed policy; empty for the gateway's own.
    pub account: String,
    /// The number of a managed policy's current version, from 1; 0 when unknown.
    pub version: i64,
    /// The id of the user, group or role that an inline policy was put on: another one of the same name does not get it. Empty when
    /// unknown.
    pub holder: String,
    /// When a command announced that it is about to delete the document, seconds since 1970; 0 for never. It means nothing to
    /// decisions: whoever relies on the document takes it away, and thereby stops the deletion.
    pub deleting_s: i64,
    /// When the current version was made, seconds since 1970; 0 when unknown.
    pub version_created_s: i64,
    /// The highest number that a version ever had: none is used twice. 0 while there was one version only.
    pub versions_given: i64,
    /// The versions beside the current one, by number.
    pub versions: BTreeMap<i64, PolicyVersion>,
    /// Tags of a role or managed policy; those of a user are in its document, where weed looks for them.
    pub tags: Tags,
    /// The name that the holder had: it is being renamed, and what the old name still has is still to be removed.
    pub renamed_from: Option<String>,
    /// When the renaming began, seconds since 1970.
    pub renamed_s: i64,
    /// Whom a role's trust policy names.
    pub trust_ids: Option<Box<PolicyIds>>,
    /// What a newer Kelpgate wrote: kept.
    pub other: BTreeMap<String, Value>,
}

/// A version of a managed policy that is not the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// JSON.
    pub text: Arc<str>,
    /// Seconds since 1970.
    pub created_s: i64,
}

impl Facts {
    /// The extended attribute's name.
    pub const ATTRIBUTE: &'static str = "kelpgate-iam";

    /// Reads the attribute.
    ///
    /// Errors: anything that is no JSON object of known shapes. The holder is then treated as unreadable, because a
    /// boundary may be lost with it.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let mut object = Node::parse(text)?.object()?;
        let keys_created_s = match object.take(&["keysCreated"]) {
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
            trust_ids: object.take(&["trustIds"]).map(|node| policy_ids(&node)).transpose()?,
            other: others(object),
        })
    }

    /// The attribute's text, or `None` if there is nothing to say.
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

    /// The path, `/` when none is stored.
    pub fn path_or_root(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }
}

/// A field that earlier versions wrote to tell one write from the next; it is dropped.
const NONCE: &str = "kelpgate_nonce";

impl UserDocument {
    /// Whether `Admin`, without a bucket, is among its legacy actions.
    pub(crate) fn has_bare_admin(&self) -> bool {
        self.actions.iter().any(|action| action == "Admin")
    }

    /// Reads a stored document; `facts` are the entry's attribute.
    pub fn parse(text: &str, facts: Facts) -> Result<Self, JsonError> {
        let node = Node::parse(text)?;
        let mut user = Self::read(&node)?;
        user.facts = facts;
        Ok(user)
    }

    pub(crate) fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let name = object.string(&["name"])?;
        if name.is_empty() {
            return Err(node.error("an identity has no `name`; give it one"));
        }
        let account = object.take(&["account"]).map(|node| AccountDocument::read(&node)).transpose()?;
        Ok(Self {
            name,
            credentials: credentials(object.array(&["credentials"])?)?,
            actions: object.strings(&["actions"])?,
            account,
            disabled: object.boolean(&["disabled"])?,
            service_account_ids: object.strings(&["service_account_ids", "serviceAccountIds"])?,
            policy_names: object.strings(&["policy_names", "policyNames"])?,
            is_static: object.boolean(&["is_static", "isStatic"])?,
            tags: tags(&mut object)?,
            other: others(object),
            facts: Facts::default(),
        })
    }

    /// The document's text in Go's form.
    pub fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'a> {
            name: &'a str,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            credentials: Vec<CredentialShape<'a>>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            actions: &'a [String],
            #[serde(skip_serializing_if = "Option::is_none")]
            account: Option<&'a AccountDocument>,
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
            other: &'a BTreeMap<String, Value>,
        }
        go_indent(&Shape {
            name: &self.name,
            credentials: self.credentials.iter().map(CredentialShape::of).collect(),
            actions: &self.actions,
            account: self.account.as_ref(),
            disabled: self.disabled,
            service_account_ids: &self.service_account_ids,
            policy_names: &self.policy_names,
            is_static: self.is_static,
            tags: self.tags.iter().map(|(key, value)| TagShape { key, value }).collect(),
            other: &self.other,
        })
    }
}

impl AccountDocument {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        Ok(Self {
            id: object.string(&["id"])?,
            display_name: object.string(&["display_name", "displayName"])?,
            email_address: object.string(&["email_address", "emailAddress"])?,
        })
    }
}

impl ServiceAccountDocument {
    /// Reads a stored document.
    pub fn parse(text: &str, facts: Facts) -> Result<Self, JsonError> {
        let mut account = Self::read(&Node::parse(text)?)?;
        account.facts = facts;
        Ok(account)
    }

    pub(crate) fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let credential = object.take(&["credential"]).map(|node| credential(&node)).transpose()?;
        let account = Self {
            id: object.string(&["id"])?,
            parent_user: object.string(&["parent_user", "parentUser"])?,
            description: object.string(&["description"])?,
            credential,
            actions: object.strings(&["actions"])?,
            expiration: object.integer(&["expiration"])?,
            disabled: object.boolean(&["disabled"])?,
            created_at: object.integer(&["created_at", "createdAt"])?,
            created_by: object.string(&["created_by", "createdBy"])?,
            other: others(object),
            facts: Facts::default(),
        };
        if account.id.is_empty() || account.parent_user.is_empty() {
            return Err(node.error("a service account needs an `id` and a `parent_user`"));
        }
        Ok(account)
    }

    /// The document's text in Go's form.
    pub fn to_text(&self) -> String {
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
            other: &'a BTreeMap<String, Value>,
        }
        go_indent(&Shape {
            id: &self.id,
            parent_user: &self.parent_user,
            description: &self.description,
            credential: self.credential.as_ref().map(CredentialShape::of),
            actions: &self.actions,
            expiration: self.expiration,
            disabled: self.disabled,
            created_at: self.created_at,
            created_by: &self.created_by,
            other: &self.other,
        })
    }
}

impl GroupDocument {
    /// Reads a stored document.
    pub fn parse(text: &str, facts: Facts) -> Result<Self, JsonError> {
        let mut group = Self::read(&Node::parse(text)?)?;
        group.facts = facts;
        Ok(group)
    }

    pub(crate) fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let group = Self {
            name: object.string(&["name"])?,
            members: object.strings(&["members"])?,
            policy_names: object.strings(&["policy_names", "policyNames"])?,
            disabled: object.boolean(&["disabled"])?,
            other: others(object),
            facts: Facts::default(),
        };
        if group.name.is_empty() { Err(node.error("a group has no `name`; give it one")) } else { Ok(group) }
    }

    /// The document's text in Go's form.
    pub fn to_text(&self) -> String {
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
            other: &'a BTreeMap<String, Value>,
        }
        go_indent(&Shape {
            name: &self.name,
            members: &self.members,
            policy_names: &self.policy_names,
            disabled: self.disabled,
            other: &self.other,
        })
    }
}

impl RoleDocument {
    /// Reads a stored document.
    pub fn parse(text: &str, facts: Facts) -> Result<Self, JsonError> {
        let mut role = Self::read(&Node::parse(text)?)?;
        role.facts = facts;
        Ok(role)
    }

    pub(crate) fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let trust_policy =
            object.take(&["trustPolicy", "trust_policy"]).map(|trust| document_text(&trust)).transpose()?;
        let max_session_s = object.take(&["maxSessionDuration", "max_session_duration"]);
        let max_session_s = max_session_s.map(|node| max_session(&node)).transpose()?.flatten();
        let role = Self {
            name: object.string(&["roleName", "role_name"])?,
            arn: object.string(&["roleArn", "role_arn"])?,
            trust_policy: trust_policy.unwrap_or_default(),
            attached_policies: object.strings(&["attachedPolicies", "attached_policies"])?,
            description: object.string(&["description"])?,
            max_session_s,
            other: others(object),
            facts: Facts::default(),
        };
        if role.name.is_empty() {
            return Err(node.error("a role has no `roleName`; give it one"));
        }
        if role.trust_policy.is_empty() {
            return Err(node.error(format!("role `{}` has no `trustPolicy`, so nobody could assume it", role.name)));
        }
        Ok(role)
    }

    /// The document's text in the form of SeaweedFS's role store.
    pub fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'a> {
            #[serde(rename = "roleName")]
            name: &'a str,
            #[serde(rename = "roleArn", skip_serializing_if = "str::is_empty")]
            arn: &'a str,
            #[serde(rename = "trustPolicy")]
            trust_policy: Option<&'a RawValue>,
            #[serde(rename = "attachedPolicies")]
            attached_policies: &'a [String],
            #[serde(skip_serializing_if = "str::is_empty")]
            description: &'a str,
            #[serde(rename = "maxSessionDuration", skip_serializing_if = "Option::is_none")]
            max_session_s: Option<i64>,
            #[serde(flatten)]
            other: &'a BTreeMap<String, Value>,
        }
        go_indent(&Shape {
            name: &self.name,
            arn: &self.arn,
            // Whoever made the document has parsed the policy; a text that is no JSON would become null, which nobody can assume.
            trust_policy: serde_json::from_str(&self.trust_policy).ok(),
            attached_policies: &self.attached_policies,
            description: &self.description,
            max_session_s: self.max_session_s,
            other: &self.other,
        })
    }
}

/// The text of a policy that stands in a document, as an object or as text of its own.
pub(crate) fn document_text(node: &Node<'_>) -> Result<String, JsonError> {
    if node.is_string() {
        node.string()
    } else if node.is_object() {
        Ok(node.text().to_owned())
    } else {
        Err(node.expected("a policy document"))
    }
}

fn max_session(node: &Node<'_>) -> Result<Option<i64>, JsonError> {
    // Seconds by its documentation; SeaweedFS's own Go field is an int of seconds, a text such as "1h" is understood too.
    let seconds = if node.is_string() { crate::json::duration_s(node)? } else { node.integer()? };
    match seconds {
        0 => Ok(None),
        3600..=43200 => Ok(Some(seconds)),
        _ => Err(node.error(format!("maxSessionDuration is 3600 to 43200 seconds, not {seconds}"))),
    }
}

fn policy_ids(node: &Node<'_>) -> Result<Box<PolicyIds>, JsonError> {
    serde_json::from_str(node.text()).map_err(|error| node.error(format!("not the ids of a policy: {error}")))
}

fn credentials(nodes: Vec<Node<'_>>) -> Result<Vec<CredentialDocument>, JsonError> {
    nodes.iter().map(credential).collect()
}

pub(crate) fn credential(node: &Node<'_>) -> Result<CredentialDocument, JsonError> {
    let mut object = node.object()?;
    Ok(CredentialDocument {
        access_key: object.string(&["access_key", "accessKey"])?,
        secret_key: SecretAccessKey::new(object.string(&["secret_key", "secretKey"])?),
        status: object.string(&["status"])?,
    })
}

/// Tags as weed and protojson write them (`[{"key":"k","value":"v"}]`), or as people do (`{"k":"v"}`).
fn tags(object: &mut Object<'_>) -> Result<Tags, JsonError> {
    let Some(node) = object.take(&["tags"]) else { return Ok(Tags::default()) };
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

/// The versions of a managed policy beside the current one: `{"1": {"text": "...", "created": 7}}`.
fn versions(object: &mut Object<'_>) -> Result<BTreeMap<i64, PolicyVersion>, JsonError> {
    let Some(node) = object.take(&["versions"]) else { return Ok(BTreeMap::new()) };
    let version = |(number, node): (String, Node<'_>)| {
        let number = number.parse::<i64>().map_err(|_| node.error("a version is named by its number"))?;
        let mut object = node.object()?;
        let text = object.string(&["text"])?.into();
        Ok((number, PolicyVersion { text, created_s: object.integer(&["created"])? }))
    };
    node.object()?.rest().into_iter().map(version).collect()
}

pub(crate) fn others(object: Object<'_>) -> BTreeMap<String, Value> {
    let value = |(key, node): (String, Node<'_>)| serde_json::from_str(node.text()).ok().map(|value| (key, value));
    object.rest().into_iter().filter(|(key, _)| key != NONCE).filter_map(value).collect()
}

/// A tag as weed 4.48 writes it: a map instead of the list stops weed from loading anything.
#[derive(Serialize)]
struct TagShape<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    value: &'a str,
}

/// A credential on its way to the filer: the one place where a secret is serialised.
#[derive(Serialize)]
struct CredentialShape<'a> {
    access_key: &'a str,
    secret_key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    status: &'a str,
}

impl<'a> CredentialShape<'a> {
    fn of(credential: &'a CredentialDocument) -> Self {
        Self {
            access_key: &credential.access_key,
            secret_key: credential.secret_key.expose(),
            status: &credential.status,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_reads_in_both_spellings_and_writes_as_go_does() {
        let go = "{\n  \"name\": \"al\",\n  \"credentials\": [\n    {\n      \"access_key\": \"AK\",\n      \"secret_key\": \"s\\u003c\"\n    }\n  ],\n  \"actions\": [\n    \"Read:b\"\n  ],\n  \"policy_names\": [\n    \"P\"\n  ],\n  \"tags\": [\n    {\n      \"key\": \"k\",\n      \"value\": \"v\"\n    }\n  ],\n  \"zz\": 1\n}";
        let proto = r#"{"name":"al","credentials":[{"accessKey":"AK","secretKey":"s<"}],"actions":["Read:b"],"policyNames":["P"],
            "tags":{"k":"v"},"zz":1,"disabled":null}"#;
        for text in [go, proto] {
            let user = UserDocument::parse(text, Facts::default()).unwrap();
            assert_eq!(user.to_text(), go);
            assert!(!format!("{user:?}").contains("s<"), "the secret shows in Debug");
        }
        let old = go.replace("\"zz\": 1", "\"kelpgate_nonce\": \"1\",\n  \"zz\": 1");
        assert_eq!(UserDocument::parse(&old, Facts::default()).unwrap().to_text(), go);
        assert!(UserDocument::parse("{}", Facts::default()).unwrap_err().what.contains("no `name`"));
    }

    #[test]
    fn facts_survive_a_round_trip_and_keep_what_is_unknown() {
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
    fn roles_need_a_name_a_trust_policy_and_a_lawful_maximum() {
        let trust = r#""trustPolicy":{"Version":"2012-10-17","Statement":[]}"#;
        for (text, good) in [
            (format!(r#"{{"roleName":"R",{trust}}}"#), true),
            (format!(r#"{{"roleName":"R",{trust},"maxSessionDuration":3600}}"#), true),
            (format!(r#"{{"roleName":"R",{trust},"maxSessionDuration":60}}"#), false),
            (format!(r#"{{{trust}}}"#), false),
            (r#"{"roleName":"R"}"#.to_owned(), false),
        ] {
            assert_eq!(RoleDocument::parse(&text, Facts::default()).is_ok(), good, "{text}");
        }
        let role = RoleDocument::parse(&format!(r#"{{"roleName":"R",{trust}}}"#), Facts::default()).unwrap();
        assert_eq!(role.trust_policy, r#"{"Version":"2012-10-17","Statement":[]}"#);
        assert!(RoleDocument::parse(&role.to_text(), Facts::default()).is_ok());
    }
}
