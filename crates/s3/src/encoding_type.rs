use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What `encoding-type=url` leaves unchanged: letters, digits, `-`, `_`, `.`, `*` and `/`.
const URL_ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// How a listing writes keys: `encoding-type=url`, the only encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodingType {
    /// Keys and prefixes are percent-encoded, except for `/`.
    Url,
}

impl EncodingType {
    /// The value as in the request and the answer.
    pub fn as_str(self) -> &'static str {
        "url"
    }

    /// A key as shown by a listing with this encoding.
    pub fn encode(this: Option<Self>, key: &str) -> String {
        match this {
            Some(Self::Url) => utf8_percent_encode(key, URL_ENCODED).to_string(),
            None => key.to_owned(),
        }
    }
}
