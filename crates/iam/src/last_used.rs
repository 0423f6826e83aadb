//! When keys and roles were last used: what GetAccessKeyLastUsed, GetRole and the credential report tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One use of a key or role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Seconds since 1970, exact to the minute.
    pub at_s: i64,
    /// The service that was called: `s3`, `iam` or `sts`.
    pub service: Arc<str>,
    /// The region that the request was signed for.
    pub region: Arc<str>,
}

/// The last use of each access key, by its id, and of each role, by its `AROA...` id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastUsed(BTreeMap<Arc<str>, Use>);

impl LastUsed {
    /// When the key or role of this id was last used; `None` if nothing is known of it.
    pub fn of(&self, id: &str) -> Option<&Use> {
        self.0.get(id)
    }

    /// Notes a use; an older one than is known changes nothing. Answers whether it was news.
    pub fn note(&mut self, id: &Arc<str>, used: Use) -> bool {
        match self.0.get_mut(id) {
            Some(known) if known.at_s >= used.at_s => false,
            Some(known) => {
                *known = used;
                true
            }
            None => {
                self.0.insert(id.clone(), used);
                true
            }
        }
    }

    /// Takes over what another record knows and is newer. Answers whether anything was.
    pub fn merge(&mut self, other: Self) -> bool {
        other.0.into_iter().fold(false, |news, (id, used)| self.note(&id, used) | news)
    }

    /// Forgets ids for which `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|id, _| keep(id));
    }

    /// All uses, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Use)> {
        self.0.iter()
    }

    /// How many ids have a use.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads a document; what is no record of a use in it is left out, for no decision is made by it.
    pub fn parse(text: &str) -> Self {
        let read: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
        let uses = read.into_iter().filter_map(|(id, value)| {
            let Stored(at_s, service, region) = serde_json::from_value(value).ok()?;
            Some((id.into(), Use { at_s, service: service.into(), region: region.into() }))
        });
        Self(uses.collect())
    }

    /// The document's text: `{"<id>":[<seconds>,"<service>","<region>"]}`.
    pub fn to_text(&self) -> String {
        let stored = |used: &Use| Stored(used.at_s, used.service.to_string(), used.region.to_string());
        let map: BTreeMap<&str, Stored> = self.0.iter().map(|(id, used)| (&**id, stored(used))).collect();
        serde_json::to_string(&map).unwrap_or_else(|_| "{}".to_owned())
    }
}

impl FromIterator<(Arc<str>, Use)> for LastUsed {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Use)>>(uses: I) -> Self {
        Self(uses.into_iter().collect())
    }
}

#[derive(Serialize, Deserialize)]
struct Stored(i64, String, String);

#[cfg(test)]
mod tests {
    use super::*;

    fn used(at_s: i64) -> Use {
        Use { at_s, service: "s3".into(), region: "us-east-1".into() }
    }

    #[test]
    fn the_latest_use_counts_whoever_saw_it() {
        let mut one = LastUsed::default();
        assert!(one.note(&"AK1".into(), used(60)));
        assert!(!one.note(&"AK1".into(), used(60)) && !one.note(&"AK1".into(), used(0)));
        let other = LastUsed::parse(r#"{"AK1":[120,"iam","eu-west-1"],"AK2":[60,"s3","r"],"AK3":"never","AK4":[1]}"#);
        assert_eq!(other.len(), 2);
        let mut merged = other.clone();
        assert!(one.merge(other) && !merged.merge(one.clone()));
        assert_eq!(one, merged);
        assert_eq!(
            one.of("AK1").map(|used| (used.at_s, &*used.service, &*used.region)),
            Some((120, "iam", "eu-west-1"))
        );
        assert_eq!(LastUsed::parse(&one.to_text()), one);
        one.retain(|id| id == "AK2");
        assert_eq!((one.len(), one.of("AK1")), (1, None));
        assert!(LastUsed::parse("no json").is_empty());
    }
}
