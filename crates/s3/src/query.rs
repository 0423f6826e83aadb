use std::borrow::Cow;
use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use crate::{S3Error, S3ErrorCode};

/// The one parameter that may occur more than once: UntagResource lists keys with it.
pub(crate) const TAG_KEYS: &str = "tagKeys";

/// The parameters of a query string, each decoded once, in order. No name but `tagKeys` occurs twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryString {
    pairs: Vec<(String, String)>,
}

impl QueryString {
    /// Reads what follows the `?`. `+` is a space, as in S3 and HTML forms.
    ///
    /// Fails with `InvalidURI` for text that does not decode to UTF-8, and with `InvalidArgument` for a name that
    /// occurs twice: otherwise the signature and the operation could use different values.
    pub fn parse(raw: Option<&str>) -> Result<Self, S3Error> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for piece in raw.unwrap_or_default().split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let (name, value) = (decode(&spaced(name))?, decode(&spaced(value))?);
            pairs.push((name, value));
        }
        // Forms have up to a megabyte, even from anonymous callers, so this must not compare every pair of names.
        let mut seen = BTreeSet::new();
        if let Some((name, value)) = pairs.iter().find(|(name, _)| !seen.insert(name.as_str()) && name != TAG_KEYS) {
            let message = "The parameter occurs more than once: send it once";
            return Err(S3Error::invalid_argument(name.as_str(), value.as_str(), message));
        }
        Ok(Self { pairs })
    }

    /// The value of a parameter. Names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value)
    }

    /// True if the parameter is present, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All parameters, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All parameters, in order.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }
}

/// Replaces `+` by a space.
pub(crate) fn spaced(text: &str) -> Cow<'_, str> {
    if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) }
}

/// Decodes `%XX` once. A `%` without two hexadecimal digits, or bytes that are not UTF-8, are `InvalidURI`.
pub(crate) fn decode(text: &str) -> Result<String, S3Error> {
    let mut rest = text.as_bytes();
    while let Some(position) = memchr::memchr(b'%', rest) {
        let digits = rest.get(position + 1..position + 3).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        if digits.is_none() {
            return Err(S3Error::with_message(
                S3ErrorCode::InvalidURI,
                "Couldn't parse the specified URI: `%` must be followed by two hexadecimal digits",
            ));
        }
        rest = rest.get(position + 3..).unwrap_or_default();
    }
    percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| {
        S3Error::with_message(S3ErrorCode::InvalidURI, "Couldn't parse the specified URI: it does not decode to UTF-8")
    })
}
