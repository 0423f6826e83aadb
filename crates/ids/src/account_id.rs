use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};

/// A 12-digit AWS account number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId([u8; 12]);

/// The text is not a 12-digit account number.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an account id: expected 12 digits, for example 111122223333")]
pub struct AccountIdError(pub String);

impl AccountId {
    /// `000000000000`: the account of everything that does not name one, as in SeaweedFS.
    pub const DEFAULT: Self = Self(*b"000000000000");

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("000000000000")
    }

    /// The canonical user id: 64 hex digits, the same for an account everywhere. The last twelve are the account's number,
    /// which is not secret; the others distinguish an id from digits that someone made up.
    pub fn canonical_id(&self) -> String {
        let digest = digest(&SHA256, format!("kelpgate canonical user id of {self}").as_bytes());
        let hex = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = hex.take(52).filter_map(|digit| char::from_digit(digit.into(), 16));
        digits.chain(self.as_str().chars()).collect()
    }

    /// The account with this canonical user id.
    pub fn from_canonical_id(id: &str) -> Option<Self> {
        let account: Self = id.get(52..)?.parse().ok()?;
        (account.canonical_id() == id).then_some(account)
    }

    /// The account of a stored owner id: the id itself if it is an account number, else [`AccountId::DEFAULT`], because
    /// SeaweedFS uses names as owner ids.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_ids_lead_back_to_their_account() {
        let ids: Vec<String> = ["000000000000", "111122223333", "999999999999"]
            .map(|number| {
                let account: AccountId = number.parse().unwrap();
                let id = account.canonical_id();
                assert!(
                    id.len() == 64 && id.ends_with(number) && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
                    "{id}"
                );
                assert_eq!(AccountId::from_canonical_id(&id), Some(account));
                id
            })
            .into();
        // They are stored in policies and ACLs, so they must never change.
        assert_eq!(ids[0], "a55fdd20de170815f7931457b15c095440d5cc03c067e1a803f0000000000000");
        let mixed = format!("{}{}", &ids[0][..52], &ids[1][52..]);
        let capitals = ids[1].to_ascii_uppercase();
        for id in
            ["", "111122223333", &ids[1][1..], &mixed, &capitals, &"0".repeat(64), &format!("{}\u{e9}", &ids[1][..62])]
        {
            assert_eq!(AccountId::from_canonical_id(id), None, "{id}");
        }
    }
}
