use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Base-64 as requests carry it, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of a base-64 text.
pub(crate) fn decode(text: &str) -> Option<Box<[u8]>> {
    BASE64.decode(text).ok().map(Vec::into_boxed_slice)
}

/// The base-64 text of some bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Whether a base-64 text encodes these bytes. Decodes four characters at a time and allocates nothing.
pub(crate) fn equals(bytes: &[u8], text: &str) -> bool {
    let mut rest = bytes;
    let groups = text.as_bytes().chunks(4);
    let last = groups.len().saturating_sub(1);
    for (i, group) in groups.enumerate() {
        let mut decoded = [0_u8; 3];
        let Ok(length) = BASE64.decode_slice(group, &mut decoded) else { return false };
        let same = decoded.get(..length).and_then(|part| rest.strip_prefix(part));
        match same {
            Some(after) if length == 3 || i == last => rest = after,
            _ => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_equal_bytes() {
        for (bytes, text, want) in [
            (&b"\0\x01\x02"[..], "AAEC", true),
            (b"\0\x01\x02", "AAED", false),
            (b"\0\x01\x02", "AAECAAEC", false),
            (b"\0\x01\x02\0\x01\x02", "AAECAAEC", true),
            (b"\0\x01\x02\0", "AAEC", false),
            (b"a", "YQ==", true),
            (b"a", "YQ", true),
            (b"ab", "YWI=", true),
            (b"aa", "YQ==YQ==", false),
            (b"", "", true),
            (b"a", "Y!==", false),
        ] {
            assert_eq!(equals(bytes, text), want, "{text}");
        }
        assert_eq!(decode("AAEC").as_deref(), Some(&b"\0\x01\x02"[..]));
        assert_eq!(decode("A"), None);
        assert_eq!(encode(b"\0\x01\x02\x03"), "AAECAw==");
    }
}
