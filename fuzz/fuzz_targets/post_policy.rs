//! The policy of a POST form and the fields that come with it.
//!
//! The input is lines: the policy as JSON, then the fields as `name=value`.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use sigv4::post_policy::{PostClaim, PostPolicy};

/// A field that no policy of the corpus speaks of.
const UNKNOWN: &str = "x-amz-meta-nobody-asked";

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let policy = base64(lines.next().unwrap_or_default().as_bytes());
    let pairs = lines.filter_map(|line| line.split_once('='));
    let mut fields: Vec<(String, String)> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if let Ok(Some(claim)) = PostClaim::of(&fields) {
        assert!(fields.iter().any(|(name, value)| name.eq_ignore_ascii_case("policy") && *value == claim.policy));
    }
    let Ok(parsed) = PostPolicy::parse(&policy) else { return };
    assert!(parsed.check(&fields, "bkt", Timestamp::MAX).is_err(), "a policy without an end");
    let allowed = parsed.check(&fields, "bkt", Timestamp::UNIX_EPOCH).is_ok();
    if allowed && !text.to_lowercase().contains("nobody") && !text.contains('\\') {
        fields.push((UNKNOWN.to_owned(), "1".to_owned()));
        assert!(parsed.check(&fields, "bkt", Timestamp::UNIX_EPOCH).is_err(), "a field that no condition covers");
    }
});

/// Plain base64, so that the fuzzer sees the JSON.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().fold(0_u32, |number, byte| (number << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}
