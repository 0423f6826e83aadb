//! Sessions that end before their time.

use std::sync::Arc;

use ids::AccountId;

use crate::directory::{comparable_dn, is_directory};
use crate::entity::{OidcProvider, UnknownFields};

/// The longest that a session can last, in seconds: that of GetFederationToken.
pub const LONGEST_SESSION_S: i64 = 129_600;

/// What sessions can be revoked by. A session has several: itself, its role, the user who made it, and all those of the
/// sessions that it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RevocationTarget {
    /// One session of an account, by its id.
    Session(String, String),
    /// The sessions of a role, by its ARN.
    Role(String),
    /// The sessions that a user made, by the user's id.
    User(String),
    /// The sessions of a user of an identity provider: the account, the issuer, and the subject there.
    Subject(String, String, String),
    /// The sessions of all users of an identity provider: the account, and the issuer.
    Provider(String, String),
}

impl RevocationTarget {
    /// The text that tokens and documents have: the kind, and what it is about.
    pub fn to_text(&self) -> String {
        match self {
            Self::Session(account, id) => format!("session:{account} {id}"),
            Self::Role(arn) => format!("role:{arn}"),
            Self::User(id) => format!("user:{id}"),
            // An issuer has no spaces, so the text names one subject of one issuer.
            Self::Subject(account, issuer, subject) if is_directory(issuer) => {
                format!("subject:{account} {issuer} {}", comparable_dn(subject))
            }
            Self::Subject(account, issuer, subject) => {
                format!("subject:{account} {} {subject}", without_slash(issuer))
            }
            Self::Provider(account, issuer) => format!("provider:{account} {}", without_slash(issuer)),
        }
    }

    /// The account and the issuer of the text of [`RevocationTarget::Provider`]; `None` for any other.
    pub fn provider_of(text: &str) -> Option<(AccountId, &str)> {
        let (account, issuer) = text.strip_prefix("provider:")?.split_once(' ')?;
        Some((account.parse().ok()?, issuer))
    }
}

/// Providers of the IAM API are stored without the slash that their issuer may have.
fn without_slash(issuer: &str) -> &str {
    issuer.strip_suffix('/').unwrap_or(issuer)
}

/// The sessions of one target that are refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocation {
    /// [`RevocationTarget::to_text`].
    pub target: String,
    /// The account whose sessions they are.
    pub account: String,
    /// Sessions that were issued until then are refused, milliseconds since 1970.
    pub issued_until_ms: i64,
    /// When it was revoked, seconds since 1970.
    pub revoked_s: i64,
    /// The ARN of who revoked it.
    pub revoked_by: String,
    /// What else its document says.
    pub unknown: UnknownFields,
}

impl Revocation {
    /// The stem of the file for a target: its SHA-1 in hexadecimal.
    pub fn file_stem(target: &str) -> Arc<str> {
        OidcProvider::file_stem(target)
    }

    /// Stands for a revocation that cannot be read.
    pub(crate) fn of_everything() -> Self {
        Self { issued_until_ms: i64::MAX, ..Self::default() }
    }

    /// When all these sessions are over anyway, seconds since 1970.
    pub fn expires_s(&self) -> i64 {
        self.issued_until_ms.div_euclid(1000).saturating_add(LONGEST_SESSION_S)
    }
}
