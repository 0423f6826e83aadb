//! Conditions of transactions.

use crate::entry::Entry;
use crate::filer::Condition;

/// Whether a condition holds for an entry, or for its absence. `now_s`: seconds since 1970.
pub(super) fn holds(condition: &Condition, entry: Option<&Entry>, now_s: i64) -> bool {
    match (condition, entry) {
        (Condition::NotExists, entry) => entry.is_none(),
        (Condition::Exists, entry) => entry.is_some(),
        (Condition::EtagMatches(_), None) => false,
        (Condition::EtagMatches(etags), Some(entry)) => is_one_of(entry, etags),
        (Condition::EtagDiffers(_), None) => true,
        (Condition::EtagDiffers(etags), Some(entry)) => !is_one_of(entry, etags),
        // In SeaweedFS both hold for an absent entry (SEAWEEDFS 8.3), and so they do here.
        (Condition::UnmodifiedSince(_) | Condition::ModifiedSince(_), None) => true,
        (Condition::UnmodifiedSince(since), Some(entry)) => entry.attributes().mtime <= *since,
        (Condition::ModifiedSince(since), Some(entry)) => entry.attributes().mtime > *since,
        (Condition::AttributeIsNot { .. } | Condition::TimeHasCome { .. }, None) => true,
        (Condition::AttributeIsNot { name, value }, Some(entry)) => !has(entry, name, value),
        (Condition::TimeHasCome { name, only_if }, Some(entry)) => {
            let counts = only_if.as_ref().is_none_or(|(name, value)| has(entry, name, value));
            let time = entry.extended.get(name).filter(|_| counts);
            let seconds = |time: &Vec<u8>| std::str::from_utf8(time).ok()?.trim().parse::<i64>().ok();
            time.is_none_or(|time| seconds(time).is_some_and(|time| time <= now_s))
        }
    }
}

fn has(entry: &Entry, name: &str, value: &str) -> bool {
    entry.extended.get(name).is_some_and(|stored| stored == value.as_bytes())
}

fn is_one_of(entry: &Entry, etags: &[String]) -> bool {
    let stored = entry.etag();
    etags.iter().any(|etag| etag == "*" || etag.trim_matches('"') == stored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Attributes;

    #[test]
    fn conditions() {
        let attributes = Attributes { mtime: 100, md5: vec![0xab; 16], ..Attributes::default() };
        let entry = Entry { attributes: Some(attributes), ..Entry::default() };
        let md5 = "ab".repeat(16);
        let etags = |etag: &str| vec!["x".to_owned(), etag.to_owned()];
        for (condition, absent, present) in [
            (Condition::NotExists, true, false),
            (Condition::Exists, false, true),
            (Condition::EtagMatches(etags(&md5)), false, true),
            (Condition::EtagMatches(etags(&format!("\"{md5}\""))), false, true),
            (Condition::EtagMatches(etags("y")), false, false),
            (Condition::EtagMatches(etags(&format!("W/\"{md5}\""))), false, false),
            (Condition::EtagMatches(etags("*")), false, true),
            (Condition::EtagMatches(vec![]), false, false),
            (Condition::EtagDiffers(etags(&md5)), true, false),
            (Condition::EtagDiffers(etags("y")), true, true),
            (Condition::EtagDiffers(etags("*")), true, false),
            (Condition::UnmodifiedSince(100), true, true),
            (Condition::UnmodifiedSince(99), true, false),
            (Condition::ModifiedSince(99), true, true),
            (Condition::ModifiedSince(100), true, false),
        ] {
            assert_eq!(holds(&condition, None, 100), absent, "{condition:?} without an entry");
            assert_eq!(holds(&condition, Some(&entry), 100), present, "{condition:?} with an entry");
        }
    }
}
