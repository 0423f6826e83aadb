use std::fmt;
use std::str::FromStr;

/// A 12-digit AWS account number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId([u8; 12]);

/// The text is not a 12-digit account number.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no account id: 12 digits are expected, for example 111122223333")]
pub struct AccountIdError(pub String);

impl AccountId {
    /// `000000000000`: the account of everything that names no account of its own, as in SeaweedFS.
    pub const DEFAULT: Self = Self(*b"000000000000");

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("000000000000")
    }

    /// The account that a stored owner id stands for: itself when it is an account number, else [`AccountId::DEFAULT`]
    /// (SeaweedFS uses names as owner ids).
    pub fn from_owner(owner: &str) -> Self {
        owner.parse().unwrap_or(Self::DEFAULT)
    }
}

impl FromStr for AccountId {
    type Err = AccountIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: [u8; 12] = text.as_bytes().try_into().map_err(|_| AccountIdError(text.into()))?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(AccountIdError(text.into()));
        }
        Ok(Self(digits))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
