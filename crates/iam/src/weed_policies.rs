//! SeaweedFS's shared document of inline policies, in which ours are mirrored for it to read.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::change::Holder;
use crate::entity::UnknownFields;

type Texts = BTreeMap<Arc<str>, Arc<str>>;

/// `/etc/iam/policies.json`, in which SeaweedFS keeps all inline policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WeedPolicies {
    /// Managed policies of old versions: name to text.
    pub managed: Texts,
    /// Inline policies that SeaweedFS wrote: holder, policy name, text.
    pub inline: BTreeMap<Holder, Texts>,
    /// Our inline policies, restated for SeaweedFS. They are in the document only for SeaweedFS to read, and are not
    /// its own.
    pub mirrored: BTreeMap<Holder, Texts>,
    /// What else the document says.
    pub unknown: UnknownFields,
}

impl WeedPolicies {
    /// Marks an inline policy of the document as a mirrored one of ours, if its text still has this fingerprint.
    pub fn mark_mirrored(&mut self, holder: &Holder, name: &Arc<str>, fingerprint: &str) {
        let text = self.inline.get(holder).and_then(|policies| policies.get(name)).cloned();
        if let Some(text) = text.filter(|text| Self::fingerprint(text) == fingerprint) {
            put_text(&mut self.inline, holder, name, None);
            put_text(&mut self.mirrored, holder, name, Some(text));
        }
    }

    /// Puts or removes a mirrored policy. Returns whether anything changed; a different form written by SeaweedFS does
    /// not count.
    pub fn mirror(&mut self, holder: &Holder, name: &Arc<str>, text: Option<Arc<str>>) -> bool {
        let known = self.mirrored.get(holder).and_then(|policies| policies.get(name));
        let is_known = match (known, &text) {
            (Some(known), Some(text)) => known == text || Self::fingerprint(known) == Self::fingerprint(text),
            (known, text) => known.is_none() && text.is_none(),
        };
        if !is_known {
            put_text(&mut self.mirrored, holder, name, text);
        }
        !is_known
    }

    /// The same for two texts of one policy: it ignores white space, the order of members, and whether a list with one item
    /// is written as that item, as SeaweedFS does.
    pub fn fingerprint(text: &str) -> String {
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
}

/// Puts or removes a policy. Holders without any are removed.
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
