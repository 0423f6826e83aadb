//! Maps of messages whose names and values are not copied.

use bytes::Bytes;

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
