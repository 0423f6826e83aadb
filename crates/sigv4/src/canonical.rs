use std::borrow::Cow;

use aws_lc_rs::digest;
use http::header::{HOST, HeaderName};
use http::request::Parts;
use ids::query_pairs;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::hex_digits::push_hex_digits;
use crate::{PayloadHash, RequestDate, Scope};

/// All characters except the unreserved ones of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// Percent-encodes the name or value of a query parameter.
pub(crate) fn encode(text: &str) -> String {
    percent_encode(text.as_bytes(), ENCODED).to_string()
}

/// The canonical query: names and values decoded once and encoded again, sorted. `+` is a space, as S3 reads it.
///
/// Leaves out the parameter `X-Amz-Signature` if `presigned`, and never anything else.
pub(crate) fn canonical_query(query: &str, presigned: bool) -> String {
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(8);
    for (name, value) in query_pairs(query) {
        let name = reencode(name);
        if presigned && name == "X-Amz-Signature" {
            continue;
        }
        pairs.push((name, reencode(value)));
    }
    pairs.sort_unstable();
    let mut out = String::with_capacity(query.len() + 16);
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(&name);
        out.push('=');
        out.push_str(&value);
    }
    out
}

fn reencode(text: &str) -> Cow<'_, str> {
    if is_canonical(text) {
        return Cow::Borrowed(text);
    }
    let spaced = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    let decoded: Cow<'_, [u8]> = percent_decode_str(&spaced).into();
    percent_encode(&decoded, ENCODED).to_string().into()
}

/// Whether decoding a text and encoding it again changes nothing. This holds for most texts of most clients.
fn is_canonical(text: &str) -> bool {
    let is_piece =
        |piece: &str| piece.split_at_checked(2).is_some_and(|(digits, rest)| is_escape(digits) && is_unreserved(rest));
    let mut pieces = text.split('%');
    is_unreserved(text) || pieces.next().is_none_or(is_unreserved) && pieces.all(is_piece)
}

/// Whether two characters after a `%` are upper-case hexadecimal digits of a byte that must be encoded.
fn is_escape(digits: &str) -> bool {
    let capitals = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
    capitals && u8::from_str_radix(digits, 16).is_ok_and(|byte| !is_unreserved_byte(byte))
}

/// Whether all bytes are unreserved. Without an early exit, the compiler checks many bytes at once: session tokens are long.
fn is_unreserved(text: &str) -> bool {
    text.bytes().fold(true, |all, byte| all & is_unreserved_byte(byte))
}

/// The unreserved characters of RFC 3986.
fn is_unreserved_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The forms of the path that an S3 client may have signed: as received, and decoded once and encoded again.
pub(crate) fn s3_paths(path: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let encoded = if path.bytes().all(|byte| is_unreserved_byte(byte) || byte == b'/') {
        None
    } else {
        let decoded: Cow<'_, [u8]> = percent_decode_str(path).into();
        Some(percent_encode(&decoded, ENCODED_IN_PATH).to_string()).filter(|encoded| encoded != path)
    };
    std::iter::once(Cow::Borrowed(path)).chain(encoded.map(Cow::Owned))
}

/// The canonical path for services other than S3: normalised according to RFC 3986, then encoded a second time.
pub(crate) fn normalised_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut out = String::with_capacity(path.len() + 1);
    for segment in &segments {
        out.push('/');
        out.extend(percent_encode(segment.as_bytes(), ENCODED));
    }
    if out.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

/// The parts of a canonical request that are the same for every candidate host and path.
pub(crate) struct CanonicalRequest<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) query: &'a str,
    pub(crate) signed_headers: &'a [HeaderName],
    pub(crate) payload: PayloadHash,
}

impl CanonicalRequest<'_> {
    /// The digest of the canonical request; `None` if a signed header is missing.
    pub(crate) fn digest(&self, path: &str, host: &str) -> Option<digest::Digest> {
        let mut out = Vec::with_capacity(1024);
        for part in [self.head.method.as_str(), path, self.query] {
            out.extend_from_slice(part.as_bytes());
            out.push(b'\n');
        }
        for name in self.signed_headers {
            out.extend_from_slice(name.as_str().as_bytes());
            out.push(b':');
            if name == HOST {
                push_trimmed(host.as_bytes(), &mut out)
            } else {
                self.push_values(name, &mut out)?
            }
            out.push(b'\n');
        }
        out.push(b'\n');
        for (position, name) in self.signed_headers.iter().enumerate() {
            if position > 0 {
                out.push(b';');
            }
            out.extend_from_slice(name.as_str().as_bytes());
        }
        out.push(b'\n');
        self.payload.write(&mut out);
        Some(digest::digest(&digest::SHA256, &out))
    }

    fn push_values(&self, name: &HeaderName, out: &mut Vec<u8>) -> Option<()> {
        let mut values = self.head.headers.get_all(name).iter();
        push_trimmed(values.next()?.as_bytes(), out);
        for value in values {
            out.push(b',');
            push_trimmed(value.as_bytes(), out);
        }
        Some(())
    }
}

/// A header value without white space at its ends, and with each run of spaces inside reduced to one.
fn push_trimmed(value: &[u8], out: &mut Vec<u8>) {
    // Most values have no white space. Without an early exit, the compiler checks many bytes at once.
    if !value.iter().fold(false, |any, byte| any | byte.is_ascii_whitespace()) {
        return out.extend_from_slice(value);
    }
    let words = value.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    for (position, word) in words.enumerate() {
        if position > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// The string to sign of a request.
pub(crate) fn string_to_sign(date: &RequestDate, scope: &Scope, canonical: &digest::Digest) -> Vec<u8> {
    let Scope { date: day, region, service } = scope;
    let parts = ["AWS4-HMAC-SHA256\n", date.as_str(), "\n", day, "/", region, "/", service, "/aws4_request\n"];
    let mut text = Vec::with_capacity(160);
    parts.into_iter().for_each(|part| text.extend_from_slice(part.as_bytes()));
    push_hex_digits(canonical.as_ref(), &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes and encodes, whatever the text is.
    fn decoded_and_encoded(text: &str) -> String {
        let decoded: Vec<u8> = percent_decode_str(&text.replace('+', " ")).collect();
        percent_encode(&decoded, ENCODED).to_string()
    }

    #[test]
    fn a_text_is_canonical_if_encoding_it_again_changes_nothing() {
        let characters = (0..=0x7f_u8).map(|byte| char::from(byte).to_string());
        let escapes = (0..=u8::MAX).flat_map(|byte| [format!("%{byte:02X}"), format!("%{byte:02x}")]);
        let others = [
            "%",
            "%4",
            "%+A",
            "%-1",
            "%4G",
            "%%41",
            "%2F%",
            "\u{e9}",
            "%C3%A9",
            "a%2Fb+c",
            "AKIA%2F20261201%2Fus-east-1",
        ];
        let texts = characters.chain(escapes).chain(others.map(str::to_owned));
        for text in texts.flat_map(|text| [format!("{text}xyz"), format!("a-b.c_d~{text}"), text]) {
            let want = decoded_and_encoded(&text);
            assert_eq!(reencode(&text), want, "{text}");
            assert_eq!(is_canonical(&text), want == text, "{text}");
        }
    }

    #[test]
    fn white_space_of_header_values_is_reduced() {
        for (value, want) in
            [("", ""), ("ab", "ab"), (" a  b\t", "a b"), ("a\tb", "a b"), ("\u{e9} ", "\u{e9}"), ("   ", "")]
        {
            let mut out = Vec::new();
            push_trimmed(value.as_bytes(), &mut out);
            assert_eq!(out, want.as_bytes(), "{value:?}");
        }
    }
}
