use std::collections::BTreeSet;

use crate::{S3Error, S3ErrorCode};

/// The one parameter that may occur more than once: UntagResource lists keys with it.
pub(crate) const TAG_KEYS: &str = "tagKeys";

/// Up to this many names are compared pair by pair, which is faster than a set. Longer lists, up to a megabyte even from anonymous
/// callers, use the set.
const COMPARED_MAX: usize = 16;

const NOT_ENCODED: &str = "`%` must be followed by two hexadecimal digits";

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
        let raw = raw.unwrap_or_default();
        let mut pairs: Vec<(String, String)> = Vec::with_capacity(if raw.is_empty() { 0 } else { 8 });
        for piece in raw.split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            pairs.push((decode_form(name)?, decode_form(value)?));
        }
        if let Some((name, value)) = repeated(&pairs) {
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

/// The first parameter whose name occurred before, although it may occur only once.
fn repeated(pairs: &[(String, String)]) -> Option<&(String, String)> {
    if pairs.len() <= COMPARED_MAX {
        let is_repeated =
            |(at, (name, _)): &(usize, &(String, String))| pairs.iter().take(*at).any(|(known, _)| known == name);
        return pairs.iter().enumerate().filter(is_repeated).map(|(_, pair)| pair).find(|(name, _)| name != TAG_KEYS);
    }
    let mut seen = BTreeSet::new();
    pairs.iter().find(|(name, _)| !seen.insert(name.as_str()) && name != TAG_KEYS)
}

/// Decodes a part of a query string or form: `+` is a space, and `%XX` is decoded once.
///
/// Errors: see [`decode`].
pub(crate) fn decode_form(text: &str) -> Result<String, S3Error> {
    let bytes = text.as_bytes();
    match memchr::memchr2(b'+', b'%', bytes) {
        None => Ok(text.to_owned()),
        Some(at) if bytes.get(at..).is_some_and(|rest| rest.contains(&b'+')) => decode(&text.replace('+', " ")),
        Some(_) => decode(text),
    }
}

/// Decodes `%XX` once. A `%` without two hexadecimal digits, or bytes that are not UTF-8, are `InvalidURI`.
pub(crate) fn decode(text: &str) -> Result<String, S3Error> {
    let invalid =
        |why| S3Error::with_message(S3ErrorCode::InvalidURI, format!("Couldn't parse the specified URI: {why}"));
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some(position) = memchr::memchr(b'%', rest) {
        let (before, encoded) = rest.split_at(position);
        let byte = encoded.get(1..3).and_then(byte_of).ok_or_else(|| invalid(NOT_ENCODED))?;
        decoded.extend_from_slice(before);
        decoded.push(byte);
        rest = encoded.get(3..).unwrap_or_default();
    }
    decoded.extend_from_slice(rest);
    String::from_utf8(decoded).map_err(|_| invalid("it does not decode to UTF-8"))
}

/// The byte that two hexadecimal digits stand for.
fn byte_of(digits: &[u8]) -> Option<u8> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let [high, low] = digits else { return None };
    Some(digit(high)? << 4 | digit(low)?)
}
