//! The ids of IAM entities: a prefix for the kind, then 17 characters of A-Z and 2-7.

use std::sync::Arc;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The stored id, or one that every gateway derives from the name in the same way, because documents of SeaweedFS have
/// none.
pub(crate) fn unique_id(prefix: &str, stored: &str, name: &str) -> Arc<str> {
    if !stored.is_empty() {
        return stored.into();
    }
    let mut hash = fnv(0xcbf2_9ce4_8422_2325, prefix.bytes().chain(name.bytes()));
    let mut bytes = Vec::with_capacity(24);
    for round in 0..3u8 {
        hash = fnv(hash, [round]);
        bytes.extend_from_slice(&hash.to_be_bytes());
    }
    new_id(prefix, &bytes).into()
}

/// An id made from random bytes, of which 17 are used.
pub fn new_id(prefix: &str, random: &[u8]) -> String {
    format!("{prefix}{}", base32(random, 17))
}

/// Characters of A-Z and 2-7, one for each byte.
pub fn base32(random: &[u8], characters: usize) -> String {
    random.iter().take(characters).map(|byte| pick(ALPHABET, *byte)).collect()
}

/// Letters and digits, one for each byte. 256 is not a multiple of 62, so the first eight characters occur 5 times in
/// 256 instead of 4, which costs a secret of 40 characters less than two bits.
pub fn alphanumeric(random: &[u8], characters: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    random.iter().take(characters).map(|byte| pick(LETTERS, *byte)).collect()
}

fn pick(alphabet: &[u8], byte: u8) -> char {
    alphabet.get(usize::from(byte) % alphabet.len()).map_or('A', |letter| char::from(*letter))
}

fn fnv(start: u64, bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_differ() {
        assert_eq!(&*unique_id("AIDA", "AIDASTORED", "al"), "AIDASTORED");
        assert_eq!(unique_id("AIDA", "", "al"), unique_id("AIDA", "", "al"));
        assert_ne!(unique_id("AIDA", "", "al"), unique_id("AIDA", "", "bo"));
        assert_eq!(unique_id("AIDA", "", "al").len(), 21);
        assert_eq!(alphanumeric(&[0, 61, 62], 40), "A9A");
    }
}
