use std::collections::BTreeSet;
use std::mem;
use std::ops::Range;

use ids::query_pairs;

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
    /// All names and values, decoded, one after the other.
    text: String,
    /// Where the name and the value of each parameter end.
    ends: Vec<(usize, usize)>,
}

impl QueryString {
    /// Reads what follows the `?`. `+` is a space, as in S3 and HTML forms.
    ///
    /// Fails with `InvalidURI` for text that does not decode to UTF-8, and with `InvalidArgument` for a name that
    /// occurs twice: otherwise the signature and the operation could use different values.
    pub fn parse(raw: Option<&str>) -> Result<Self, S3Error> {
        let raw = raw.unwrap_or_default();
        let expected = if raw.is_empty() { 0 } else { 8 };
        let mut parsed = Self { text: String::with_capacity(raw.len()), ends: Vec::with_capacity(expected) };
        for (name, value) in query_pairs(raw) {
            parsed.push(name)?;
            let name_end = parsed.text.len();
            parsed.push(value)?;
            parsed.ends.push((name_end, parsed.text.len()));
        }
        if let Some((name, value)) = parsed.repeated() {
            let message = "The parameter occurs more than once: send it once";
            return Err(S3Error::invalid_argument(name, value, message));
        }
        Ok(parsed)
    }

    /// The value of a parameter. Names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut begin = 0;
        // Most names already differ in their lengths.
        self.ends.iter().find_map(|&(name_end, end)| {
            let begin = mem::replace(&mut begin, end);
            let is_it = name_end - begin == name.len() && self.piece(begin..name_end) == name;
            is_it.then(|| self.piece(name_end..end))
        })
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
        let mut begin = 0;
        self.ends.iter().map(move |&(name_end, end)| {
            let begin = mem::replace(&mut begin, end);
            (self.piece(begin..name_end), self.piece(name_end..end))
        })
    }

    /// A copy of all parameters, in order.
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn piece(&self, place: Range<usize>) -> &str {
        self.text.get(place).unwrap_or_default()
    }

    /// Appends a name or a value.
    fn push(&mut self, encoded: &str) -> Result<(), S3Error> {
        match memchr::memchr2(b'+', b'%', encoded.as_bytes()) {
            None => self.text.push_str(encoded),
            Some(_) => self.text.push_str(&decode_form(encoded)?),
        }
        Ok(())
    }

    /// The first parameter whose name occurred before, although it may occur only once.
    fn repeated(&self) -> Option<(&str, &str)> {
        let may_occur_once = |(name, _): &(&str, &str)| *name != TAG_KEYS;
        if self.ends.len() <= COMPARED_MAX {
            let occurred = |at: usize, name: &str| self.iter().take(at).any(|(known, _)| known == name);
            let repeated = self.iter().enumerate().filter(|(at, (name, _))| occurred(*at, name));
            return repeated.map(|(_, pair)| pair).find(may_occur_once);
        }
        let mut seen = BTreeSet::new();
        self.iter().filter(|(name, _)| !seen.insert(*name)).find(may_occur_once)
    }
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
