use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::published_in;

/// The public half of a key pair: a name, safe to log.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AccessKeyId(String);

/// The text is not a valid access key id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an access key id has 1 to 128 printable ASCII characters, none of them `/`, `,`, `=`, `:` or a space")]
pub struct AccessKeyIdError;

impl AccessKeyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessKeyId {
    type Err = AccessKeyIdError;

    /// AWS's own ids have 16 to 128 word characters. SeaweedFS accepts any text in its files, so this refuses only what
    /// would be ambiguous inside an `Authorization` header.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b',' | b'=' | b':');
        if text.is_empty() || text.len() > 128 || !text.bytes().all(allowed) {
            return Err(AccessKeyIdError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for AccessKeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The secret half of a key pair. It cannot be displayed, serialised or compared; its memory is wiped when dropped.
#[derive(Clone)]
pub struct SecretAccessKey(Zeroizing<String>);

impl SecretAccessKey {
    /// Takes the secret exactly as a file or an answer gives it.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// Where the secret is published, if it is one from a sample; see [`published_in`].
    pub fn published_in(&self) -> Option<&'static str> {
        published_in(self.0.as_bytes())
    }

    /// The secret itself: for signatures, and for the one answer that shows it to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretAccessKey(..)")
    }
}
