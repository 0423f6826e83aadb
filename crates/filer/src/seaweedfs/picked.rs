//! The answer to a lookup of which only some attributes are wanted. The others are not copied.

use bytes::Bytes;

use crate::entry::{Attributes, Entry};

/// One entry of a map: a name, and text or bytes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Pair {
    #[prost(bytes = "bytes", tag = "1")]
    name: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

impl Pair {
    /// A pair of texts.
    pub(super) fn of(name: &'static str, value: &'static str) -> Pair {
        Pair { name: Bytes::from_static(name.as_bytes()), value: Bytes::from_static(value.as_bytes()) }
    }
}

/// `LookupDirectoryEntryResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Answer {
    #[prost(message, optional, boxed, tag = "1")]
    entry: Option<Box<PickedEntry>>,
}

/// `Entry`.
#[derive(Clone, PartialEq, prost::Message)]
struct PickedEntry {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bool, tag = "2")]
    is_directory: bool,
    #[prost(message, optional, tag = "4")]
    attributes: Option<Attributes>,
    #[prost(message, repeated, tag = "5")]
    extended: Vec<Pair>,
}

impl Answer {
    /// The entry with those of its attributes that are wanted.
    pub(super) fn pick(self, wanted: &[&str]) -> Option<Entry> {
        let PickedEntry { name, is_directory, attributes, extended } = *self.entry?;
        let pick = |pair: Pair| {
            let name = wanted.iter().find(|name| name.as_bytes() == pair.name)?;
            Some(((*name).to_owned(), pair.value.into()))
        };
        let extended = extended.into_iter().filter_map(pick).collect();
        Some(Entry { name, is_directory, attributes, extended, ..Entry::default() })
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::entry::FileChunk;
    use crate::seaweedfs::wire::LookupDirectoryEntryResponse;

    #[test]
    fn what_is_wanted_is_picked() {
        let extended = [("a", b"1".to_vec()), ("b", vec![0, 255]), ("c", Vec::new())];
        let attributes = Some(Attributes { md5: vec![7; 16], mtime: 5, ..Attributes::default() });
        let kept = Entry { name: "n".to_owned(), is_directory: true, attributes, ..Entry::default() };
        let with = |names: &[&str]| {
            let kept_of = extended.iter().filter(|(name, _)| names.contains(name));
            Entry {
                extended: kept_of.map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
                ..kept.clone()
            }
        };
        let whole = Entry { chunks: vec![FileChunk::default()], content: vec![1], ..with(&["a", "b", "c"]) };
        let answer = LookupDirectoryEntryResponse { entry: Some(Box::new(whole)), log_ts_ns: 5, log_signature: 7 };
        for wanted in [&[][..], &["b"], &["c", "a"], &["a", "none"]] {
            let answer = Answer::decode(answer.encode_to_vec().as_slice()).unwrap();
            assert_eq!(answer.pick(wanted), Some(with(wanted)), "{wanted:?}");
        }
        assert_eq!(Answer::default().pick(&["a"]), None);
    }
}
