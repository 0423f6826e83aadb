//! Messages that only gateways with the same signing key can read: why a request was refused.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ids::AccountId;

use crate::{SessionKeys, SigningKey};

/// The length of a message is a multiple of this many bytes.
const BLOCK: usize = 1024;

impl SessionKeys {
    /// Encrypts JSON for callers of an account. The salt must be random: each message has a key of its own. Its length tells
    /// little, because it is filled up with spaces.
    pub fn seal_message(&self, message: &str, account: AccountId, salt: &[u8; 16]) -> Option<String> {
        let mut bytes = message.as_bytes().to_vec();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), b' ');
        message_key(&self.current, salt)?.seal_in_place_append_tag(only_nonce(), about(account), &mut bytes).ok()?;
        Some(URL_SAFE_NO_PAD.encode([salt.as_slice(), bytes.as_slice()].concat()))
    }

    /// The message, if a gateway with one of our keys encrypted it for callers of this account.
    pub fn open_message(&self, text: &str, account: AccountId) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (salt, sealed) = bytes.split_first_chunk::<16>()?;
        std::iter::once(&self.current).chain(&self.older).find_map(|key| {
            let mut sealed = sealed.to_vec();
            let opened = message_key(key, salt)?.open_in_place(only_nonce(), about(account), &mut sealed).ok()?;
            std::str::from_utf8(opened).ok().map(|text| text.trim_end().to_owned())
        })
    }
}

fn message_key(key: &SigningKey, salt: &[u8; 16]) -> Option<LessSafeKey> {
    let derived = hmac::sign(key.hmac(), &[b"kelpgate authorization message 1".as_slice(), salt.as_slice()].concat());
    UnboundKey::new(&AES_256_GCM, derived.as_ref()).ok().map(LessSafeKey::new)
}

/// The one nonce of a key that is used once.
fn only_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn about(account: AccountId) -> Aad<Vec<u8>> {
    Aad::from(account.as_str().as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(current: u8, older: &[u8]) -> SessionKeys {
        let key = |byte: u8| SigningKey::from_bytes(&[byte; 32]).unwrap();
        SessionKeys {
            current: key(current),
            older: older.iter().map(|byte| key(*byte)).collect(),
            issuer: String::new(),
            account_id: AccountId::DEFAULT,
        }
    }

    #[test]
    fn only_the_account_and_the_keys_open_it() {
        let (own, other) = (AccountId::DEFAULT, "111122223333".parse().unwrap());
        let text = keys(b'k', &[]).seal_message("why", own, &[7; 16]).unwrap();
        let mut flipped = text.clone();
        let last = if flipped.pop() == Some('A') { 'B' } else { 'A' };
        flipped.push(last);
        let other_salt = keys(b'k', &[]).seal_message("why", own, &[8; 16]).unwrap();
        assert_ne!(text, other_salt);
        let longer = keys(b'k', &[]).seal_message("why not", own, &[8; 16]).unwrap();
        assert_eq!(longer.len(), other_salt.len(), "the length tells nothing");
        for (what, keys, text, account, opens) in [
            ("itself", keys(b'k', &[]), &*text, own, true),
            ("after a rotation", keys(b'n', b"mk"), &text, own, true),
            ("another key", keys(b'n', &[]), &text, own, false),
            ("another account", keys(b'k', &[]), &text, other, false),
            ("changed", keys(b'k', &[]), &flipped, own, false),
            ("cut", keys(b'k', &[]), &text[..20], own, false),
            ("empty", keys(b'k', &[]), "", own, false),
            ("no base64", keys(b'k', &[]), "!", own, false),
        ] {
            assert_eq!(keys.open_message(text, account).as_deref(), opens.then_some("why"), "{what}");
        }
    }
}
