//! Export and import of IAM state: one text for all of it, and what an import does with each part.
//!
//! Three formats are read: ours, SeaweedFS's `S3ApiConfiguration`, and the files of MinIO's export. What cannot be
//! mapped is refused by name, together with every holder that would have more permissions without it.
//! A fourth, [`tree`], is for people and version control.

mod check;
mod export;
mod minio;
mod plan;
mod read;
pub mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use iam::{Change, DocumentKey};

pub use minio::{MINIO_FILES, from_minio};
pub use plan::{Step, step};
pub use read::from_json;

/// IAM state from elsewhere, or from here at another time.
#[derive(Debug, Default)]
pub struct Bundle {
    /// The documents, in the order in which they can be written: the policies of a holder come before the holder.
    pub changes: Vec<Change>,
    /// What cannot be imported.
    pub refused: Vec<Refused>,
    /// Further notes.
    pub notes: Vec<String>,
    /// How its secrets are stored.
    pub secrets: Secrets,
    /// Bucket policies: the bucket's name, and the text.
    pub bucket_policies: BTreeMap<String, String>,
}

/// Something that cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// ``user `al` ``.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}

/// How the secrets in a text are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Secrets {
    /// They were left out.
    #[default]
    None,
    /// They are in plain text.
    Plain,
    /// They are sealed with a key derived from a passphrase with PBKDF2-HMAC-SHA256.
    Sealed {
        /// Random bytes.
        salt: Vec<u8>,
        /// The number of iterations.
        iterations: u32,
    },
}

impl Bundle {
    fn refuse(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.refused.push(Refused { what: what.into(), why: why.into() });
    }
}

/// The name of the format.
const FORMAT: &str = "kelpgate-iam";
const VERSION: i64 = 1;

/// The document of a change, for messages.
pub struct DocumentName<'a>(pub &'a Change);

impl fmt::Display for DocumentName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Change::User(name, _) => write!(f, "user `{name}`"),
            Change::ServiceAccount(id, _) => write!(f, "service account `{id}`"),
            Change::Group(name, _) => write!(f, "group `{name}`"),
            Change::Policy(name, ..) => write!(f, "policy `{name}`"),
            Change::Role(name, ..) => write!(f, "role `{name}`"),
            Change::Inline(holder, name, _) => write!(f, "inline policy `{name}` of {holder}"),
            Change::WeedPolicies(_) => f.write_str("/etc/iam/policies.json"),
            Change::OidcProvider(_, Some(Ok(provider))) => write!(f, "OIDC provider `{}`", provider.arn),
            Change::OidcProvider(stem, _) => write!(f, "OIDC provider in `{stem}.json`"),
            Change::MfaDevice(stem, _) => write!(f, "MFA device in `{stem}.json`"),
            Change::Revocation(stem, _) => write!(f, "revocation of sessions in `{stem}.json`"),
            Change::OidcKeys(stem, _) => write!(f, "OIDC keys in `{stem}.json`"),
            Change::InstanceProfile(name, _) => write!(f, "instance profile `{name}`"),
            Change::AccountAlias(account, _) => write!(f, "alias of account `{account}`"),
            Change::AccountPublicAccessBlock(account, _) => write!(f, "public access block of account `{account}`"),
            Change::Bucket(name, _) => write!(f, "bucket `{name}`"),
        }
    }
}

/// The document to read before a change of a bundle is written; `None` for changes that an import never writes.
pub fn key_of(change: &Change) -> Option<DocumentKey> {
    Some(match change {
        Change::User(name, _) => DocumentKey::User(name.clone()),
        Change::ServiceAccount(id, _) => DocumentKey::ServiceAccount(id.clone()),
        Change::Group(name, _) => DocumentKey::Group(name.clone()),
        Change::Policy(name, ..) => DocumentKey::Policy(name.clone()),
        Change::Role(name, ..) => DocumentKey::Role(name.clone()),
        Change::Inline(holder, name, _) => DocumentKey::Inline(holder.clone(), name.clone()),
        Change::OidcProvider(stem, _) => DocumentKey::OidcProvider(stem.clone()),
        Change::InstanceProfile(name, _) => DocumentKey::InstanceProfile(name.clone()),
        Change::AccountAlias(account, _) => DocumentKey::AccountAlias(account.clone()),
        Change::AccountPublicAccessBlock(account, _) => DocumentKey::AccountPublicAccessBlock(account.clone()),
        Change::WeedPolicies(_)
        | Change::OidcKeys(..)
        | Change::MfaDevice(..)
        | Change::Revocation(..)
        | Change::Bucket(..) => {
            return None;
        }
    })
}
