//! IAM state on its way out of a cluster and into another one: one text for all of it, and what an import makes of each part.
//!
//! Three texts are read: ours, SeaweedFS's `S3ApiConfiguration`, and the files of MinIO's export. What does not map is refused by
//! name, and whoever would get more rights without it is refused with it.

mod check;
mod export;
mod minio;
mod plan;
mod read;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::change::{Change, DocumentKey};

pub use minio::{MINIO_FILES, from_minio};
pub use plan::{Step, step};
pub use read::from_json;

/// IAM state of another place, or of this one at another time.
#[derive(Debug, Default)]
pub struct Bundle {
    /// What there is, in the order in which it can be written: whoever is written has all its policies already.
    pub changes: Vec<Change>,
    /// What cannot be taken.
    pub refused: Vec<Refused>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// How its secrets are kept.
    pub secrets: Secrets,
    /// Policies of buckets: name, and the text.
    pub bucket_policies: BTreeMap<String, String>,
}

/// Something that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// ``user `al` ``.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}

/// How the secrets of a text are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Secrets {
    /// They were left out.
    #[default]
    None,
    /// They stand there as they are.
    Plain,
    /// They are sealed with a key that is made of a passphrase by PBKDF2-HMAC-SHA256.
    Sealed {
        /// Random bytes.
        salt: Vec<u8>,
        /// Steps.
        iterations: u32,
    },
}

impl Bundle {
    fn refuse(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.refused.push(Refused { what: what.into(), why: why.into() });
    }
}

/// The text's name for itself.
const FORMAT: &str = "kelpgate-iam";
const VERSION: i64 = 1;

/// The document of a change, in words.
pub struct Named<'a>(pub &'a Change);

impl fmt::Display for Named<'_> {
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
            Change::InstanceProfile(name, _) => write!(f, "instance profile `{name}`"),
            Change::AccountAlias(account, _) => write!(f, "alias of account `{account}`"),
            Change::Bucket(name, _) => write!(f, "bucket `{name}`"),
        }
    }
}

/// The document to read before a change of a bundle is written; `None` for what no import writes.
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
        Change::WeedPolicies(_) | Change::Bucket(..) => return None,
    })
}
