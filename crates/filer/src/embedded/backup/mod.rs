//! Backups of a directory while it is in use, and how they are restored.
//!
//! A place of backups holds any number of snapshots. Each of them is complete: it lists segments, which are pieces of
//! the database under the names of their hashes, and its entries name data files, which never change. What two
//! snapshots have in common is stored once, so each backup after the first one only adds what is new.
//!
//! The process that has the directory open streams the database as it is at one moment, and keeps the data files that
//! it names until the backup is complete ([`serve`]). `kelpgate backup` writes the backup ([`create`]).

mod create;
mod directory;
mod error;
mod frame;
mod freeze;
mod hold;
mod place;
mod prune;
mod repository;
mod restore;
mod serve;
#[cfg(test)]
mod tests;

pub use create::{Created, create};
pub use directory::Directory;
pub use error::BackupError;
pub use place::{Place, Purpose, Seal};
pub use restore::{Restored, restore, verify};

pub(super) use hold::Holds;
pub(super) use restore::MARKER;
pub(super) use serve::Listener;
