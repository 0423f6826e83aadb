//! Where IAM state lives: documents on the filer, in SeaweedFS's own formats.
//!
//! There is one document for each entity, and each write is one compare-and-swap: a command never overwrites what it
//! has not seen.

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

pub use commit::{ReadDocuments, Written};
pub use document::bucket_of;
pub use error::StoreError;
pub use filer_store::{EventEffect, FilerStore, Index};
pub use last_used::LastUsedFiles;
pub use layout::{Document, Layout};
pub use secrets::{SecretKeys, SecretKeysError, credentials};
pub use seed::Seeded;
