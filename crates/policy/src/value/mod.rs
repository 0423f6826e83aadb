//! The types that condition operators compare.

mod binary;
mod decimal;
mod instant;

pub(crate) use binary::{decode as decode_binary, encode as encode_binary, equals as binary_equals};
pub(crate) use decimal::Decimal;
pub(crate) use instant::Instant;

/// `true` or `false`, in any case.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
