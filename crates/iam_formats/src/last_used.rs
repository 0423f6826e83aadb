//! When keys and roles were last used: `{"<id>":[<seconds>,"<service>","<region>"]}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use iam::{LastUsed, Use};

#[derive(Serialize, Deserialize)]
struct Entry(i64, String, String);

/// Reads a document. Anything in it that is not a use is skipped, because no decision depends on it.
pub fn parse(text: &str) -> LastUsed {
    let read: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
    let uses = read.into_iter().filter_map(|(id, value)| {
        let Entry(at_s, service, region) = serde_json::from_value(value).ok()?;
        Some((id.into(), Use { at_s, service: service.into(), region: region.into() }))
    });
    uses.collect()
}

/// The document's text.
pub fn to_text(uses: &LastUsed) -> String {
    let entry = |used: &Use| Entry(used.at_s, used.service.to_string(), used.region.to_string());
    let map: BTreeMap<&str, Entry> = uses.iter().map(|(id, used)| (&**id, entry(used))).collect();
    serde_json::to_string(&map).unwrap_or_else(|_| "{}".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(at_s: i64) -> Use {
        Use { at_s, service: "s3".into(), region: "us-east-1".into() }
    }

    #[test]
    fn the_latest_use_counts_whichever_gateway_saw_it() {
        let mut one = LastUsed::default();
        assert!(one.note(&"AK1".into(), used(60)));
        assert!(!one.note(&"AK1".into(), used(60)) && !one.note(&"AK1".into(), used(0)));
        let other = parse(r#"{"AK1":[120,"iam","eu-west-1"],"AK2":[60,"s3","r"],"AK3":"never","AK4":[1]}"#);
        assert_eq!(other.len(), 2);
        let mut merged = other.clone();
        assert!(one.merge(other) && !merged.merge(one.clone()));
        assert_eq!(one, merged);
        assert_eq!(
            one.of("AK1").map(|used| (used.at_s, &*used.service, &*used.region)),
            Some((120, "iam", "eu-west-1"))
        );
        assert_eq!(parse(&to_text(&one)), one);
        one.retain(|id| id == "AK2");
        assert_eq!((one.len(), one.of("AK1")), (1, None));
        assert!(parse("no json").is_empty());
    }
}
