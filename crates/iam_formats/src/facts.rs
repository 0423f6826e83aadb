//! What SeaweedFS's files cannot hold: ids, dates, paths, boundaries, versions. It is stored beside a document.

use std::collections::BTreeMap;

use iam::{PolicyIds, PolicyVersion, SmallMap, Tags};
use json::{JsonError, Node, Object};
use serde_json::Value;

/// A field that earlier versions wrote to distinguish writes. It is dropped.
const NONCE: &str = "kelpgate_nonce";

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
    /// When access keys expire, in seconds since 1970.
    pub keys_expire_s: SmallMap<String, i64>,
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
        let keys_created_s = times(&mut object, "keysCreated")?;
        let keys_expire_s = times(&mut object, "keysExpire")?;
        let (boundary, renamed_from) = (object.string(&["boundary"])?, object.string(&["renamedFrom"])?);
        Ok(Self {
            id: object.string(&["id"])?,
            created_s: object.integer(&["created"])?,
            updated_s: object.integer(&["updated"])?,
            path: object.string(&["path"])?,
            keys_created_s,
            keys_expire_s,
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
        for (name, times) in [("keysCreated", &self.keys_created_s), ("keysExpire", &self.keys_expire_s)] {
            let keys = times.iter().map(|(key, s)| (key.clone(), Value::from(*s))).collect();
            put(name, Value::Object(keys), !times.is_empty());
        }
        if map.is_empty() { None } else { serde_json::to_string(&map).ok() }
    }
}

/// A time for each access key.
fn times(object: &mut Object<'_>, name: &str) -> Result<SmallMap<String, i64>, JsonError> {
    let Some(keys) = object.take(name) else { return Ok(SmallMap::default()) };
    keys.object()?.rest().into_iter().map(|(key, node)| Ok((key, node.integer()?))).collect()
}

/// The fields of an object that were not taken. Fails on one that could not be kept.
pub(crate) fn others(object: Object<'_>) -> Result<BTreeMap<String, Value>, JsonError> {
    let value = |(key, node): (String, json::Node<'_>)| Ok((key, node.value()?));
    object.rest().into_iter().filter(|(key, _)| key != NONCE).map(value).collect()
}

fn policy_ids(node: &Node<'_>) -> Result<Box<PolicyIds>, JsonError> {
    serde_json::from_str(node.text()).map_err(|error| node.error(format!("not the ids of a policy: {error}")))
}

/// Tags as SeaweedFS and protojson write them (`[{"key":"k","value":"v"}]`), or as people do (`{"k":"v"}`).
pub(crate) fn tags(object: &mut Object<'_>) -> Result<Tags, JsonError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_a_round_trip_with_unknown_fields() {
        let text = r#"{"boundary":"B","created":5,"deleting":7,"future":{"a":[1]},"id":"AIDA1","keysCreated":{"AK":7},"keysExpire":{"AK":8},"path":"/x/","renamed":9,"renamedFrom":"al","tags":{"k":"v"},"version":3,"versionCreated":8,"versions":{"2":{"created":6,"text":"{}"}},"versionsGiven":4}"#;
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
}
