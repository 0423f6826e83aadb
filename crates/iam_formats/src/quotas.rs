//! `kelpgate.quotas`: how many bytes a bucket of the embedded filer may hold.

use std::collections::BTreeMap;

use json::{JsonError, Node};

/// The name that stands for every bucket that is not named.
const OTHERS: &str = "*";
/// Units of sizes.
const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

/// `kelpgate.quotas`; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuotaSettings {
    /// `*`: the most bytes of each bucket that is not named; `None` for no limit.
    pub others: Option<u64>,
    /// By the names of buckets; `None` for no limit, written as 0.
    pub named: BTreeMap<String, Option<u64>>,
}

impl QuotaSettings {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut settings = Self::default();
        for (name, node) in node.object()?.rest() {
            let bytes = Some(bytes(&node)?).filter(|bytes| *bytes > 0);
            if name == OTHERS {
                settings.others = bytes;
            } else {
                name.parse::<ids::BucketName>().map_err(|error| node.error(format!("`{name}`: {error}")))?;
                settings.named.insert(name, bytes);
            }
        }
        Ok(settings)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A number of bytes, or a text such as `10 GiB`.
fn bytes(node: &Node<'_>) -> Result<u64, JsonError> {
    let wrong = || {
        node.error(
            "a size is a whole number of bytes, or a text such as \"10 GiB\" (KiB, MiB, GiB, TiB); 0 is no limit",
        )
    };
    let text = node.string().or_else(|_| node.integer().map(|bytes| bytes.to_string())).map_err(|_| wrong())?;
    let unit = UNITS.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
    let (digits, shift) = unit.unwrap_or((&text, &0));
    let count: u64 = digits.trim_end().parse().map_err(|_| wrong())?;
    count.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read() {
        let read = |text: &str| QuotaSettings::read(&Node::parse(text).unwrap());
        let quotas = read(r#"{"*": "10 GiB", "reef": 1000, "kelp": "2TiB", "free": 0}"#).unwrap();
        let named = [("free", None), ("kelp", Some(2 << 40)), ("reef", Some(1000))];
        assert_eq!(quotas.others, Some(10 << 30));
        assert!(quotas.named.iter().map(|(name, bytes)| (name.as_str(), *bytes)).eq(named), "{quotas:?}");
        assert!(read("{}").unwrap().is_empty());
        for (text, word) in [
            (r#"{"reef": -1}"#, "whole number"),
            (r#"{"reef": 1.5}"#, "whole number"),
            (r#"{"reef": "10 GB"}"#, "GiB"),
            (r#"{"reef": "99999999 TiB"}"#, "whole number"),
            (r#"{"reef": true}"#, "whole number"),
            (r#"{"A": 1}"#, "`A`"),
            ("[]", "object"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
