//! `/etc/iam/policies.json`, the document in which SeaweedFS keeps all inline policies, and to which ours are mirrored.
//!
//! A record in an attribute of the document, which SeaweedFS keeps when it writes the document, says which entries are
//! ours and what they contained. If someone has changed an entry since, it belongs to SeaweedFS.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::documents::{document_text, document_value};
use crate::facts::{Facts, others};
use crate::go::go_indent;
use crate::unknown::{fields_of, seal};
use iam::{Holder, WeedPolicies};
use json::{JsonError, Node, Object};

type Texts = BTreeMap<Arc<str>, Arc<str>>;

/// The extended attribute that holds the record of mirrored policies.
pub const RECORD: &str = "kelpgate-mirrored";

/// The fingerprints of the mirrored policies, by holder and name.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    #[serde(default)]
    users: BTreeMap<Arc<str>, Texts>,
    #[serde(default)]
    groups: BTreeMap<Arc<str>, Texts>,
}

/// Reads the document, with the policies that the record names marked as mirrored. Without a record, or with one that
/// cannot be read, all of it belongs to SeaweedFS.
pub fn parse(text: &str, record: Option<&str>) -> Result<WeedPolicies, JsonError> {
    let mut object = Node::parse(text)?.object()?;
    let mut document = WeedPolicies { managed: texts(&mut object, "policies")?, ..WeedPolicies::default() };
    for (key, holder) in
        [("inlinePolicies", Holder::User as fn(Arc<str>) -> Holder), ("groupInlinePolicies", Holder::Group)]
    {
        let Some(node) = object.take(key) else { continue };
        for (name, node) in node.object()?.rest().into_iter().filter(|(_, node)| !node.is_null()) {
            document.inline.insert(holder(name.into()), all_texts(node.object()?)?);
        }
    }
    let Record { users, groups } = record.and_then(|record| serde_json::from_str(record).ok()).unwrap_or_default();
    let users = users.into_iter().map(|(name, policies)| (Holder::User(name), policies));
    let groups = groups.into_iter().map(|(name, policies)| (Holder::Group(name), policies));
    for (holder, policies) in users.chain(groups) {
        for (name, fingerprint) in policies {
            document.mark_mirrored(&holder, &name, &fingerprint);
        }
    }
    document.unknown = seal(others(object)?, &Facts::default());
    Ok(document)
}

/// The record of the mirrored policies; `None` if there are none.
pub fn record(document: &WeedPolicies) -> Option<String> {
    let mut record = Record::default();
    for (holder, texts) in &document.mirrored {
        let fingerprints =
            texts.iter().map(|(name, text)| (name.clone(), WeedPolicies::fingerprint(text).into())).collect();
        match holder {
            Holder::User(name) => record.users.insert(name.clone(), fingerprints),
            Holder::Group(name) => record.groups.insert(name.clone(), fingerprints),
            Holder::Role(_) => None,
        };
    }
    // Serialising plain data of ours (strings, maps with text keys) has no failure.
    (!document.mirrored.is_empty()).then(|| serde_json::to_string(&record).unwrap_or_default())
}

/// The document in Go's form.
pub fn to_text(document: &WeedPolicies) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape<'a> {
        policies: Values<'a>,
        inline_policies: BTreeMap<&'a str, Values<'a>>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        group_inline_policies: BTreeMap<&'a str, Values<'a>>,
        #[serde(flatten)]
        other: BTreeMap<String, Value>,
    }
    type Values<'a> = BTreeMap<&'a str, Box<RawValue>>;
    fn values(texts: &Texts) -> Values<'_> {
        texts.iter().map(|(name, text)| (&**name, document_value(text))).collect()
    }
    let mut users: BTreeMap<&str, Values<'_>> = BTreeMap::new();
    let mut groups = users.clone();
    for (holder, texts) in document.inline.iter().chain(&document.mirrored) {
        let (holders, name) = match holder {
            Holder::User(name) => (&mut users, name),
            Holder::Group(name) => (&mut groups, name),
            Holder::Role(_) => continue, // SeaweedFS has no place for them, and none is read from its document
        };
        holders.entry(&**name).or_default().extend(values(texts));
    }
    go_indent(&Shape {
        policies: values(&document.managed),
        inline_policies: users,
        group_inline_policies: groups,
        other: fields_of(&document.unknown),
    })
}
fn texts(object: &mut Object<'_>, key: &str) -> Result<Texts, JsonError> {
    object.take(key).map_or(Ok(Texts::new()), |node| all_texts(node.object()?))
}

fn all_texts(object: Object<'_>) -> Result<Texts, JsonError> {
    let text = |(name, node): (String, Node<'_>)| Ok((name.into(), document_text(&node)?.into()));
    object.rest().into_iter().filter(|(_, node)| !node.is_null()).map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_of_seaweedfs_is_read_and_written_back() {
        let text = r#"{"policies":{"P":{"Version":"2012-10-17"}},"inlinePolicies":{"al":{"p1":{"a":1}}},
            "groupInlinePolicies":{"g":{"p2":{"b":2}},"none":null}}"#;
        let document = parse(text, None).unwrap();
        assert_eq!(&*document.inline[&Holder::User("al".into())]["p1"], r#"{"a":1}"#);
        assert_eq!(&*document.inline[&Holder::Group("g".into())]["p2"], r#"{"b":2}"#);
        assert_eq!(parse(&to_text(&document), None).unwrap(), document);
        assert_eq!(parse("{}", None).unwrap(), WeedPolicies::default());
        assert!(parse(r#"{"inlinePolicies":[1]}"#, None).is_err());
    }

    #[test]
    fn a_mirrored_policy_is_ours_until_someone_changes_it() {
        let mut document = parse(r#"{"inlinePolicies":{"al":{"weeds":{"a":1}}}}"#, None).unwrap();
        assert_eq!(record(&document), None);
        let (user, group) = (Holder::User("al".into()), Holder::Group("g".into()));
        let (name, text): (Arc<str>, Arc<str>) = ("I".into(), r#"{"A":["x"],"B":["<y>","z"]}"#.into());
        for holder in [&user, &group] {
            assert!(document.mirror(holder, &name, Some(text.clone())));
            assert!(!document.mirror(holder, &name, Some(r#"{ "B": ["<y>", "z"], "A": "x" }"#.into())));
        }
        let (stored, record) = (to_text(&document), record(&document).unwrap());
        for (stored, record, ours) in [
            (stored.as_str(), record.as_str(), 2),
            // In the form that SeaweedFS writes.
            (&stored.replace(r#"["x"]"#, r#""x""#), &record, 2),
            (&stored.replacen("z", "changed", 1), &record, 1),
            (&stored.replacen(r#""I""#, r#""J""#, 2), &record, 0),
            ("{}", &record, 0),
            (&stored, "{}", 0),
            (&stored, "no record", 0),
        ] {
            let all = parse(stored, None).unwrap();
            let count = |holders: &BTreeMap<Holder, Texts>| holders.values().map(BTreeMap::len).sum::<usize>();
            let document = parse(stored, Some(record)).unwrap();
            assert_eq!(count(&document.mirrored), ours, "{stored} {record}");
            assert_eq!(count(&document.mirrored) + count(&document.inline), count(&all.inline), "{stored} {record}");
            assert_eq!(parse(&to_text(&document), None).unwrap(), all, "{stored}");
        }
        assert!(document.mirror(&user, &name, None) && !document.mirror(&user, &name, None));
        assert_eq!(document.mirrored.keys().collect::<Vec<_>>(), [&group]);
        assert_eq!(document.inline.keys().collect::<Vec<_>>(), [&user], "SeaweedFS's entries stay");
    }
}
