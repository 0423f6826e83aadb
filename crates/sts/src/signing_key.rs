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

/// The text in the configuration is no signing key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not base64.
    #[error(
        "sts.signingKey is not base64{}; make one with `openssl rand -base64 32` and give the same one to every gateway",
        if *.placeholder { ": it is still the placeholder of the example" } else { "" }
    )]
    NotBase64 {
        /// The text is the one that the examples show.
        placeholder: bool,
    },
    /// Too short to be safe.
    #[error(
        "sts.signingKey has {0} bytes after decoding, at least 16 are needed; make one with `openssl rand -base64 32`"
    )]
    Short(usize),
    /// Anybody can read it up.
    #[error(
        "the key is public, it stands in {0}: with it anybody makes sessions of every role; make a key of your own with \
         `openssl rand -base64 32` and give the same one to every gateway"
    )]
    Public(&'static str),
}

impl SigningKey {
    /// Reads the text of `sts.signingKey`: base64 with padding, whose decoded bytes are the key, at least 16.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let placeholder = text == "base64-encoded-signing-key";
        let bytes =
            STANDARD.decode(text.trim()).map(Zeroizing::new).map_err(|_| KeyError::NotBase64 { placeholder })?;
        Self::from_bytes(&bytes)
    }

    /// Takes the bytes of a key, at least 16: a signing key of `security.toml` is used as it stands there.
    ///
    /// All signing keys are made here, so no public one gets past.
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

    /// The key's name in the header of tokens: the same on every gateway that has the key, and telling nothing of it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// 32 bytes that stand for the key under a label, where strangers see what is made of them: the same for whoever has the key, and
    /// guessing a weak key from them takes 100,000 steps for each guess.
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

/// The keys that sessions are made and checked with.
#[derive(Debug, Clone)]
pub struct SessionKeys {
    /// Signs new sessions.
    pub current: SigningKey,
    /// Still accepted: a key that was replaced stays here for the longest life of a session.
    pub older: Vec<SigningKey>,
    /// The claim `iss`, `seaweedfs-sts` unless configured; tokens of another issuer are refused.
    pub issuer: String,
    /// The account of the sessions.
    pub account_id: AccountId,
}

impl SessionKeys {
    /// The ARN of a session: `arn:aws:sts::<account>:assumed-role/<role name>/<session name>`, without the role's path.
    ///
    /// The account is the role's, or, as SeaweedFS's role ARNs have none, that of the sessions.
    pub fn assumed_role_arn(&self, role_arn: &str, session_name: &str) -> String {
        let account = role_arn.split(':').nth(4).and_then(|text| text.parse().ok()).unwrap_or(self.account_id);
        format!("arn:aws:sts::{account}:assumed-role/{}/{session_name}", role_name(role_arn))
    }

    /// The keys that may have signed a token: the one it names, or, when it names none as weed's do, all of them.
    pub(crate) fn candidates<'a>(&'a self, kid: Option<&'a str>) -> impl Iterator<Item = &'a SigningKey> {
        let all = std::iter::once(&self.current).chain(&self.older);
        all.filter(move |key| kid.is_none_or(|kid| kid == key.kid))
    }
}

/// The last segment of a role's ARN.
pub(crate) fn role_name(role_arn: &str) -> &str {
    role_arn.rsplit('/').next().unwrap_or(role_arn)
}
