//! Where IAM state lives: documents on the filer, in SeaweedFS's own formats.
//!
//! One document for each entity, one compare-and-swap for each write: what a command did not see, it does not overwrite.

mod commit;
mod document;
mod error;
mod filer_store;
mod last_used;
mod layout;
mod secrets;
mod seed;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use iam::{Change, DocumentKey};

pub use commit::{Fresh, Written};
pub use error::StoreError;
pub use filer_store::{FilerStore, Index, Noticed};
pub use last_used::LastUsedFiles;
pub use layout::{Document, Layout};
pub use secrets::{SecretKeys, SecretKeysError, credentials};
pub use seed::Seeded;

/// Where commands read and write.
#[async_trait]
pub trait IamStore: Send + Sync {
    /// The documents as they are stored at this moment.
    async fn read(&self, keys: &[DocumentKey]) -> Result<Fresh, StoreError>;

    /// Writes changes in order, each only if its document is still what `fresh` saw. An error leaves the changes before it
    /// written; [`StoreError::Conflict`] means that reading again and running again may succeed.
    async fn commit(&self, fresh: &Fresh, changes: &[Change]) -> Result<Vec<Written>, StoreError>;

    /// Whether these writes are what was read afterwards: nobody has written after them.
    fn is_as_written(&self, fresh: &Fresh, written: &[Written]) -> bool;

    /// Whether the users, groups, roles and policies that a command has read and not written are still there, once its writes are
    /// done. The announcement of a deletion is taken away: somebody relies on the document now.
    async fn stands(&self, fresh: &Fresh, written: &[Written]) -> Result<bool, StoreError>;

    /// Takes writes back, the last one first, as far as nobody has written after them.
    async fn take_back(&self, fresh: &Fresh, written: &[Written]) -> Result<(), StoreError>;
}
