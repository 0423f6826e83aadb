use std::fmt;

use std::num::NonZeroU32;

use aws_lc_rs::{hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ids::{AccountId, published_in};
use zeroize::Zeroizing;

/// The shortest key, in bytes after decoding.
const MIN_KEY_BYTES: usize = 16;

/// Steps of [`SigningKey::stretched`].
const STRETCHES: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

/// A key that session tokens are signed with.
#[derive(Clone)]
pub struct SigningKey {
    hmac: hmac::Key,
    kid: String,
}

/// The text in the configuration is not a usable signing key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not base64.
    #[error(
        "sts.signingKey is not base64{}; make one with `openssl rand -base64 32` and give the same one to every gateway",
        if *.placeholder { ": it is still the placeholder of the example" } else { "" }
    )]
    NotBase64 {
        /// Whether the text is the one that the examples show.
        placeholder: bool,
    },
    /// Too short to be safe.
    #[error(
        "sts.signingKey has only {0} bytes after decoding; at least 16 are needed; make one with `openssl rand -base64 32`"
    )]
    Short(usize),
    /// The key is published, so it is not secret.
    #[error(
        "the key is public: {0} publish it, so anyone can make sessions of every role; make a key of your own with \
         `openssl rand -base64 32` and give the same one to every gateway"
    )]
    Public(&'static str),
}

impl SigningKey {
    /// Reads the text of `sts.signingKey`: base64 with padding, which decodes to at least 16 bytes.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let placeholder = text == "base64-encoded-signing-key";
        let bytes =
            STANDARD.decode(text.trim()).map(Zeroizing::new).map_err(|_| KeyError::NotBase64 { placeholder })?;
        Self::from_bytes(&bytes)
    }

    /// Takes the bytes of a key, at least 16. A signing key in `security.toml` is used as it is written there.
    ///
    /// All signing keys are made here, so no published one gets through.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if let Some(place) = published_in(bytes) {
            return Err(KeyError::Public(place));
        }
        if bytes.len() < MIN_KEY_BYTES {
            return Err(KeyError::Short(bytes.len()));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let name = hmac::sign(&key, b"kelpgate session key id");
        let kid = hex::encode(name.as_ref().get(..8).unwrap_or_default());
        Ok(Self { hmac: key, kid })
    }

    /// The key's name in the header of tokens. It is the same on every gateway with this key, and reveals nothing about
    /// the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Derives 32 bytes from the key and a label, for values that strangers can see. They are the same on every gateway
    /// with this key, and each guess at a weak key costs 100,000 steps.
    pub fn stretched(&self, label: &str) -> [u8; 32] {
        let seed = hmac::sign(&self.hmac, label.as_bytes());
        let mut out = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, STRETCHES, label.as_bytes(), seed.as_ref(), &mut out);
        out
    }

    pub(crate) fn hmac(&self) -> &hmac::Key {
        &self.hmac
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// The keys that sign and verify sessions.
#[derive(Debug, Clone)]
pub struct SessionKeys {
    /// Signs new sessions.
    pub current: SigningKey,
    /// Still accepted. A replaced key stays here for as long as a session can last.
    pub older: Vec<SigningKey>,
    /// The claim `iss`, `seaweedfs-sts` unless configured; tokens of another issuer are refused.
    pub issuer: String,
    /// The account of the sessions.
    pub account_id: AccountId,
}

impl SessionKeys {
    /// The ARN of a session: `arn:aws:sts::<account>:assumed-role/<role name>/<session name>`, without the role's path.
    ///
    /// The account is that of the role, or `account_id` if the role's ARN has none, as in SeaweedFS.
    pub fn assumed_role_arn(&self, role_arn: &str, session_name: &str) -> String {
        let account = role_arn.split(':').nth(4).and_then(|text| text.parse().ok()).unwrap_or(self.account_id);
        format!("arn:aws:sts::{account}:assumed-role/{}/{session_name}", role_name(role_arn))
    }

    /// The keys that may have signed a token: the key that it names, or all keys if it names none, as tokens of `weed
    /// s3` do.
    pub(crate) fn candidates<'a>(&'a self, kid: Option<&'a str>) -> impl Iterator<Item = &'a SigningKey> {
        let all = std::iter::once(&self.current).chain(&self.older);
        all.filter(move |key| kid.is_none_or(|kid| kid == key.kid))
    }
}

/// The last segment of a role's ARN.
pub(crate) fn role_name(role_arn: &str) -> &str {
    role_arn.rsplit('/').next().unwrap_or(role_arn)
}
