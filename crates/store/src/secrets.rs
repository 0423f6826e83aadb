//! Encryption of secret keys at rest: how documents store them, and how they are decrypted.
//!
//! A sealed secret is `kelpgate-sealed:1:<key id>:<base64>`. The base64 contains a nonce and the secret encrypted with
//! AES-256-GCM. The holder's name and the access key id are its associated data: in another document, or with another
//! access key id, it does not open. A secret that does not open stays as it is, and never becomes an IAM key
//! ([`Credential::sealed_under`]).

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use iam::{Change, Credential, SEALED};
use ids::SecretAccessKey;
use zeroize::Zeroizing;

use crate::error::StoreError;

const KEY_BYTES: usize = 32;

/// The keys that seal secrets. The first one seals, all of them open.
#[derive(Debug)]
pub struct SecretKeys(Vec<SealingKey>);

struct SealingKey {
    id: String,
    key: RandomizedNonceKey,
}

/// A text does not contain valid keys. The message never contains the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretKeysError {
    /// There is no key.
    #[error("there is no key in it; make one with `openssl rand -base64 32`")]
    Empty,
    /// The key with this number, counted from 1, cannot be used.
    #[error("key {0} is not base64 of 32 bytes; make one with `openssl rand -base64 32`")]
    NoKey(usize),
}

impl SecretKeys {
    /// Reads keys: base64 of 32 bytes each, separated by white space or commas. Lines that begin with `#` are comments.
    /// The first key seals. Keep older ones after it until nothing is sealed with them any more.
    pub fn parse(text: &str) -> Result<Self, SecretKeysError> {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let words = lines.flat_map(|line| line.split(|c: char| c.is_whitespace() || c == ','));
        let keys = words.filter(|word| !word.is_empty()).enumerate().map(|(place, word)| {
            let bytes = STANDARD.decode(word).map(Zeroizing::new).ok().filter(|bytes| bytes.len() == KEY_BYTES);
            bytes.and_then(|bytes| SealingKey::new(&bytes)).ok_or(SecretKeysError::NoKey(place + 1))
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(SecretKeysError::Empty) } else { Ok(Self(keys)) }
    }

    /// A key derived from a passphrase with PBKDF2-HMAC-SHA256. `None` if the cryptography library refuses it.
    pub fn of_passphrase(passphrase: &str, salt: &[u8], iterations: NonZeroU32) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, passphrase.as_bytes(), bytes.as_mut());
        Some(Self(vec![SealingKey::new(bytes.as_ref())?]))
    }

    /// The ids of the keys, starting with the one that seals. An id reveals nothing about its key.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    /// The change with every secret opened that one of the keys can open.
    #[must_use]
    pub fn open(&self, mut change: Change) -> Change {
        each_credential(&mut change, |credential, about| {
            if let Some(secret) = self.opened(credential, about) {
                credential.secret_key = secret;
            }
            Ok::<(), StoreError>(())
        })
        .ok();
        change
    }

    /// The change with every secret sealed. Secrets that are already sealed stay as they are.
    ///
    /// Fails if the cryptography library does. Nothing may be written then.
    pub fn seal(&self, mut change: Change) -> Result<Change, StoreError> {
        each_credential(&mut change, |credential, about| {
            if credential.sealed_under().is_none() && !credential.secret_key.expose().is_empty() {
                credential.secret_key = self.sealed(credential, about).ok_or(StoreError::NotSealed)?;
            }
            Ok(())
        })?;
        Ok(change)
    }

    /// Whether every secret in a stored document is sealed with the first key.
    pub fn is_current(&self, change: &Change) -> bool {
        let first = self.ids().next();
        credentials(change)
            .all(|credential| credential.secret_key.expose().is_empty() || credential.sealed_under() == first)
    }

    fn sealed(&self, credential: &Credential, about: &str) -> Option<SecretAccessKey> {
        let SealingKey { id, key } = self.0.first()?;
        let mut bytes = Zeroizing::new(credential.secret_key.expose().as_bytes().to_vec());
        let aad = Aad::from(associated(about, &credential.access_key));
        let nonce = key.seal_in_place_append_tag(aad, &mut *bytes).ok()?;
        let text = URL_SAFE_NO_PAD.encode([nonce.as_ref(), bytes.as_slice()].concat());
        Some(SecretAccessKey::new(format!("{SEALED}{id}:{text}")))
    }

    fn opened(&self, credential: &Credential, about: &str) -> Option<SecretAccessKey> {
        let wanted = credential.sealed_under()?;
        let SealingKey { key, .. } = self.0.iter().find(|key| key.id == wanted)?;
        let (_, text) = credential.secret_key.expose().rsplit_once(':')?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let secret =
            key.open_in_place(nonce, Aad::from(associated(about, &credential.access_key)), &mut sealed).ok()?;
        std::str::from_utf8(secret).ok().map(SecretAccessKey::new)
    }
}

impl SealingKey {
    fn new(bytes: &[u8]) -> Option<Self> {
        let name = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), b"kelpgate secrets key id");
        let id = hex::encode(name.as_ref().get(..6)?);
        Some(Self { id, key: RandomizedNonceKey::new(&AES_256_GCM, bytes).ok()? })
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

/// The associated data of a sealed secret. Names contain no zero bytes.
fn associated(about: &str, access_key: &str) -> Vec<u8> {
    format!("kelpgate secret 1\0{about}\0{access_key}").into_bytes()
}

/// The credentials of a user's or service account's document, and the seed of an MFA device.
pub fn credentials(change: &Change) -> Box<dyn Iterator<Item = &Credential> + '_> {
    match change {
        Change::User(_, Some(Ok(user))) => Box::new(user.credentials.iter()),
        Change::ServiceAccount(_, Some(Ok(account))) => Box::new(account.credential.iter()),
        Change::MfaDevice(_, Some(Ok(device))) => Box::new(device.seed.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

/// Calls `each` with every credential and its holder.
fn each_credential<E>(
    change: &mut Change,
    mut call: impl FnMut(&mut Credential, &str) -> Result<(), E>,
) -> Result<(), E> {
    match change {
        Change::User(_, Some(Ok(user))) => {
            let about = format!("user {}", user.name);
            user.credentials.iter_mut().try_for_each(|credential| call(credential, &about))
        }
        Change::ServiceAccount(_, Some(Ok(account))) => {
            let about = format!("service account {} of {}", account.id, account.parent_user);
            account.credential.iter_mut().try_for_each(|credential| call(credential, &about))
        }
        Change::MfaDevice(_, Some(Ok(device))) => device.seed.iter_mut().try_for_each(|seed| call(seed, "MFA device")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use iam::UserRecord;
    use iam_formats::{Facts, StoredDocument};

    use super::*;

    const ONE: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const TWO: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

    fn keys(text: &str) -> SecretKeys {
        SecretKeys::parse(text).unwrap()
    }

    fn user(name: &str, access_key: &str, secret: &str) -> Change {
        let text =
            format!(r#"{{"name":"{name}","credentials":[{{"access_key":"{access_key}","secret_key":"{secret}"}}]}}"#);
        Change::User(name.into(), Some(UserRecord::parse(&text, Facts::default()).map_err(|_| unreachable!())))
    }

    fn secret(change: &Change) -> String {
        credentials(change).next().unwrap().secret_key.expose().to_owned()
    }

    #[test]
    fn texts_of_keys() {
        for (text, want) in [
            (ONE.to_owned(), Ok(1)),
            (format!("# two of them\n{TWO}\n\n{ONE}\n"), Ok(2)),
            (format!("{TWO},{ONE}"), Ok(2)),
            (String::new(), Err(SecretKeysError::Empty)),
            ("# none\n".to_owned(), Err(SecretKeysError::Empty)),
            (format!("{ONE} c2hvcnQ="), Err(SecretKeysError::NoKey(2))),
            ("no base64!".to_owned(), Err(SecretKeysError::NoKey(1))),
        ] {
            assert_eq!(SecretKeys::parse(&text).map(|keys| keys.ids().count()), want, "{text}");
        }
        assert_ne!(keys(ONE).ids().next(), keys(TWO).ids().next());
        assert!(!format!("{:?}", keys(ONE)).contains("0123456789"));
    }

    #[test]
    fn a_sealed_secret_opens_only_for_its_holder_and_access_key() {
        let sealed = keys(ONE).seal(user("al", "AKA", "s3cret")).unwrap();
        let text = secret(&sealed);
        assert!(text.starts_with(SEALED) && !text.contains("s3cret"), "{text}");
        assert_eq!(secret(&keys(ONE).seal(sealed.clone()).unwrap()), text, "sealing twice changes nothing");
        assert_ne!(secret(&keys(ONE).seal(user("al", "AKA", "s3cret")).unwrap()), text, "each nonce is used once");
        let mut flipped = text.clone();
        let last = if flipped.pop() == Some('A') { 'B' } else { 'A' };
        flipped.push(last);
        for (name, access_key, stored, by, want) in [
            ("al", "AKA", &text, ONE, true),
            ("al", "AKA", &text, &format!("{TWO}\n{ONE}"), true),
            ("bo", "AKA", &text, ONE, false),
            ("al", "AKB", &text, ONE, false),
            ("al", "AKA", &text, TWO, false),
            ("al", "AKA", &flipped, ONE, false),
            ("al", "AKA", &text.chars().take(50).collect(), ONE, false),
            ("al", "AKA", &SEALED.to_owned(), ONE, false),
        ] {
            let opened = secret(&keys(by).open(user(name, access_key, stored)));
            assert_eq!(opened == "s3cret", want, "{name} {access_key} {stored}");
            assert!(want || opened == *stored, "a secret that does not open stays as it is");
        }
    }

    #[test]
    fn the_first_key_is_current() {
        let rotated = keys(&format!("{TWO}\n{ONE}"));
        let old = keys(ONE).seal(user("al", "AKA", "s3cret")).unwrap();
        assert!(keys(ONE).is_current(&old) && !rotated.is_current(&old));
        let new = rotated.seal(rotated.open(old)).unwrap();
        assert!(rotated.is_current(&new) && !rotated.is_current(&user("al", "AKA", "s3cret")));
        assert!(rotated.is_current(&user("al", "AKA", "")), "an empty secret does not count");
    }

    #[test]
    fn a_passphrase_makes_a_key() {
        let of = |passphrase: &str, salt: &[u8]| {
            SecretKeys::of_passphrase(passphrase, salt, NonZeroU32::new(1000).unwrap()).unwrap()
        };
        let sealed = of("open sesame", b"salt").seal(user("al", "AKA", "s3cret")).unwrap();
        assert_eq!(secret(&of("open sesame", b"salt").open(sealed.clone())), "s3cret");
        for (passphrase, salt) in [("open sesamE", b"salt"), ("open sesame", b"sal2")] {
            assert_ne!(secret(&of(passphrase, salt).open(sealed.clone())), "s3cret");
        }
    }
}
