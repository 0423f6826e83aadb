//! `/etc/iam/policies.json`, the one document in which weed keeps all inline policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::change::{Holder, WeedPolicies};
use crate::documents::document_text;
use crate::json::{JsonError, Node, Object, go_indent};

type Texts = BTreeMap<Arc<str>, Arc<str>>;

impl WeedPolicies {
    /// Reads the document.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let mut object = Node::parse(text)?.object()?;
        let mut document = Self { managed: texts(&mut object, "policies")?, inline: BTreeMap::new() };
        document.read_holders(&mut object, "inlinePolicies", Holder::User)?;
        document.read_holders(&mut object, "groupInlinePolicies", Holder::Group)?;
        Ok(document)
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
        let mut users = BTreeMap::new();
        let mut groups = BTreeMap::new();
        for (holder, texts) in &self.inline {
            match holder {
                Holder::User(name) => users.insert(&**name, raw(texts)),
                Holder::Group(name) => groups.insert(&**name, raw(texts)),
                Holder::Role(_) => None, // weed has no place for them, and none is read from its document
            };
        }
        go_indent(&Shape { policies: raw(&self.managed), inline_policies: users, group_inline_policies: groups })
    }
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
}
