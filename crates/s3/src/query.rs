use std::borrow::Cow;
use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use crate::{S3Error, S3ErrorCode};

/// The parameters of a query string, each decoded once, in order. No name occurs twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryString {
    pairs: Vec<(String, String)>,
}

impl QueryString {
    /// Reads what stands behind the `?`. `+` is a space, as S3 and HTML forms have it.
    ///
    /// `InvalidURI` for text that does not decode to UTF-8, `InvalidArgument` for a name that comes twice: the signature
    /// and the operation could each believe another one.
    pub fn parse(raw: Option<&str>) -> Result<Self, S3Error> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for piece in raw.unwrap_or_default().split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let (name, value) = (decode(&spaced(name))?, decode(&spaced(value))?);
            pairs.push((name, value));
        }
        // Forms have up to a megabyte, of anonymous callers too: names are not compared each with each.
        let mut seen = BTreeSet::new();
        if let Some((name, value)) = pairs.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            let message = "The parameter is there more than once: send it once";
            return Err(S3Error::invalid_argument(name.as_str(), value.as_str(), message));
        }
        Ok(Self { pairs })
    }

    /// The value of a parameter; names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// True when the parameter is there, with or without a value.
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

/// `+` as a space.
fn spaced(text: &str) -> Cow<'_, str> {
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
                "Couldn't parse the specified URI: `%` needs two hexadecimal digits behind it",
            ));
        }
        rest = rest.get(position + 3..).unwrap_or_default();
    }
    percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| {
        S3Error::with_message(S3ErrorCode::InvalidURI, "Couldn't parse the specified URI: it does not decode to UTF-8")
    })
}
