//! `/etc/iam/policies.json`, the one document in which weed keeps all inline policies, and to which those of ours are mirrored.
//!
//! A record beside the document, in an attribute that weed keeps when it writes the document, says which entries are ours and what they
//! were. An entry that somebody has changed since is weed's.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::change::{Holder, WeedPolicies};
use crate::documents::document_text;
use crate::json::{JsonError, Node, Object, go_indent};

type Texts = BTreeMap<Arc<str>, Arc<str>>;

/// The fingerprints of the mirrored policies, by holder and name.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    #[serde(default)]
    users: BTreeMap<Arc<str>, Texts>,
    #[serde(default)]
    groups: BTreeMap<Arc<str>, Texts>,
}

impl WeedPolicies {
    /// The extended attribute that holds the record of mirrored policies.
    pub const RECORD: &'static str = "kelpgate-mirrored";

    /// Reads the document, without its record: all of it is weed's.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let mut object = Node::parse(text)?.object()?;
        let mut document = Self { managed: texts(&mut object, "policies")?, ..Self::default() };
        document.read_holders(&mut object, "inlinePolicies", Holder::User)?;
        document.read_holders(&mut object, "groupInlinePolicies", Holder::Group)?;
        Ok(document)
    }

    /// The document with the policies that the record names as mirrored; a record that cannot be read names none.
    #[must_use]
    pub fn with_record(mut self, record: &str) -> Self {
        let Record { users, groups } = serde_json::from_str(record).unwrap_or_default();
        let users = users.into_iter().map(|(name, policies)| (Holder::User(name), policies));
        let groups = groups.into_iter().map(|(name, policies)| (Holder::Group(name), policies));
        for (holder, policies) in users.chain(groups) {
            for (name, recorded) in policies {
                let text = self.inline.get(&holder).and_then(|policies| policies.get(&name)).cloned();
                if let Some(text) = text.filter(|text| fingerprint(text) == *recorded) {
                    put_text(&mut self.inline, &holder, &name, None);
                    put_text(&mut self.mirrored, &holder, &name, Some(text));
                }
            }
        }
        self
    }

    /// The record of the mirrored policies; `None` if there are none.
    pub fn record(&self) -> Option<String> {
        let mut record = Record::default();
        for (holder, texts) in &self.mirrored {
            let fingerprints = texts.iter().map(|(name, text)| (name.clone(), fingerprint(text).into())).collect();
            match holder {
                Holder::User(name) => record.users.insert(name.clone(), fingerprints),
                Holder::Group(name) => record.groups.insert(name.clone(), fingerprints),
                Holder::Role(_) => None,
            };
        }
        // Serialising plain data of ours (strings, maps with text keys) has no failure.
        (!self.mirrored.is_empty()).then(|| serde_json::to_string(&record).unwrap_or_default())
    }

    /// Puts a mirrored policy, or takes it away. Whether anything is different now: weed's way of writing the same is no difference.
    pub(crate) fn mirror(&mut self, holder: &Holder, name: &Arc<str>, text: Option<Arc<str>>) -> bool {
        let known = self.mirrored.get(holder).and_then(|policies| policies.get(name));
        let is_known = match (known, &text) {
            (Some(known), Some(text)) => known == text || fingerprint(known) == fingerprint(text),
            (known, text) => known.is_none() && text.is_none(),
        };
        if !is_known {
            put_text(&mut self.mirrored, holder, name, text);
        }
        !is_known
    }

    fn read_holders(
        &mut self,
        object: &mut Object<'_>,
        key: &str,
        holder: impl Fn(Arc<str>) -> Holder,
    ) -> Result<(), JsonError> {
        let Some(node) = object.take(&[key]) else { return Ok(()) };
        for (name, node) in node.object()?.rest() {
            if !node.is_null() {
                self.inline.insert(holder(name.into()), all_texts(node.object()?)?);
            }
        }
        Ok(())
    }

    /// The document in Go's form.
    pub fn to_text(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shape<'a> {
            policies: BTreeMap<&'a str, Option<&'a RawValue>>,
            inline_policies: BTreeMap<&'a str, BTreeMap<&'a str, Option<&'a RawValue>>>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            group_inline_policies: BTreeMap<&'a str, BTreeMap<&'a str, Option<&'a RawValue>>>,
        }
        // The texts were cut out of a document that parsed, so each is JSON.
        fn raw(texts: &Texts) -> BTreeMap<&str, Option<&RawValue>> {
            texts.iter().map(|(name, text)| (&**name, serde_json::from_str(text).ok())).collect()
        }
        let mut users: BTreeMap<&str, BTreeMap<&str, Option<&RawValue>>> = BTreeMap::new();
        let mut groups = users.clone();
        for (holder, texts) in self.inline.iter().chain(&self.mirrored) {
            let (holders, name) = match holder {
                Holder::User(name) => (&mut users, name),
                Holder::Group(name) => (&mut groups, name),
                Holder::Role(_) => continue, // weed has no place for them, and none is read from its document
            };
            holders.entry(&**name).or_default().extend(raw(texts));
        }
        go_indent(&Shape { policies: raw(&self.managed), inline_policies: users, group_inline_policies: groups })
    }
}

/// Puts a policy, or takes it away; holders without any are not kept.
fn put_text(holders: &mut BTreeMap<Holder, Texts>, holder: &Holder, name: &Arc<str>, text: Option<Arc<str>>) {
    let policies = holders.entry(holder.clone()).or_default();
    match text {
        Some(text) => policies.insert(name.clone(), text),
        None => policies.remove(name),
    };
    if policies.is_empty() {
        holders.remove(holder);
    }
}

/// The same for two texts of one policy: white space, the order of members and lists of one, which weed writes as their only member, do
/// not count.
fn fingerprint(text: &str) -> String {
    fn plain(value: Value) -> Value {
        match value {
            Value::Array(mut items) if items.len() == 1 => items.pop().map_or(Value::Null, plain),
            Value::Array(items) => items.into_iter().map(plain).collect(),
            Value::Object(members) => {
                let sorted: BTreeMap<String, Value> =
                    members.into_iter().map(|(name, value)| (name, plain(value))).collect();
                sorted.into_iter().collect()
            }
            other => other,
        }
    }
    let canonical = serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value| plain(value).to_string());
    STANDARD.encode(digest(&SHA256, canonical.as_bytes()))
}

fn texts(object: &mut Object<'_>, key: &str) -> Result<Texts, JsonError> {
    object.take(&[key]).map_or(Ok(Texts::new()), |node| all_texts(node.object()?))
}

fn all_texts(object: Object<'_>) -> Result<Texts, JsonError> {
    let text = |(name, node): (String, Node<'_>)| Ok((name.into(), document_text(&node)?.into()));
    object.rest().into_iter().filter(|(_, node)| !node.is_null()).map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_weed_wrote_is_read_and_written_back() {
        let text = r#"{"policies":{"P":{"Version":"2012-10-17"}},"inlinePolicies":{"al":{"p1":{"a":1}}},
            "groupInlinePolicies":{"g":{"p2":{"b":2}},"none":null}}"#;
        let document = WeedPolicies::parse(text).unwrap();
        assert_eq!(&*document.inline[&Holder::User("al".into())]["p1"], r#"{"a":1}"#);
        assert_eq!(&*document.inline[&Holder::Group("g".into())]["p2"], r#"{"b":2}"#);
        assert_eq!(WeedPolicies::parse(&document.to_text()).unwrap(), document);
        assert_eq!(WeedPolicies::parse("{}").unwrap(), WeedPolicies::default());
        assert!(WeedPolicies::parse(r#"{"inlinePolicies":[1]}"#).is_err());
    }

    #[test]
    fn a_mirrored_policy_is_ours_for_as_long_as_nobody_changes_it() {
        let mut document = WeedPolicies::parse(r#"{"inlinePolicies":{"al":{"weeds":{"a":1}}}}"#).unwrap();
        assert_eq!(document.record(), None);
        let (user, group) = (Holder::User("al".into()), Holder::Group("g".into()));
        let (name, text): (Arc<str>, Arc<str>) = ("I".into(), r#"{"A":["x"],"B":["<y>","z"]}"#.into());
        for holder in [&user, &group] {
            assert!(document.mirror(holder, &name, Some(text.clone())));
            assert!(!document.mirror(holder, &name, Some(r#"{ "B": ["<y>", "z"], "A": "x" }"#.into())));
        }
        let (stored, record) = (document.to_text(), document.record().unwrap());
        for (stored, record, ours) in [
            (stored.as_str(), record.as_str(), 2),
            // As weed writes it.
            (&stored.replace(r#"["x"]"#, r#""x""#), &record, 2),
            (&stored.replacen("z", "changed", 1), &record, 1),
            (&stored.replacen(r#""I""#, r#""J""#, 2), &record, 0),
            ("{}", &record, 0),
            (&stored, "{}", 0),
            (&stored, "no record", 0),
        ] {
            let all = WeedPolicies::parse(stored).unwrap();
            let count = |holders: &BTreeMap<Holder, Texts>| holders.values().map(BTreeMap::len).sum::<usize>();
            let document = all.clone().with_record(record);
            assert_eq!(count(&document.mirrored), ours, "{stored} {record}");
            assert_eq!(count(&document.mirrored) + count(&document.inline), count(&all.inline), "{stored} {record}");
            assert_eq!(WeedPolicies::parse(&document.to_text()).unwrap(), all, "{stored}");
        }
        assert!(document.mirror(&user, &name, None) && !document.mirror(&user, &name, None));
        assert_eq!(document.mirrored.keys().collect::<Vec<_>>(), [&group]);
        assert_eq!(document.inline.keys().collect::<Vec<_>>(), [&user], "what is weed's stays");
    }
}
