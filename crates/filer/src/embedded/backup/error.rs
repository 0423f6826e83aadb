//! Why there is no backup, or why it was not restored.

use std::io;
use std::path::{Path, PathBuf};

/// Why a backup could not be written, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file system returned an error.
    #[error("`{path}`: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// The directory holds something else.
    #[error("`{0}` is not empty, and not a backup of Kelpgate: choose another directory")]
    NotABackup(PathBuf),
    /// The backup was begun by another store.
    #[error("`{0}` holds backups of another store, or of this one before it was restored: choose another directory")]
    OtherStore(PathBuf),
    /// A newer version wrote it.
    #[error("`{path}` has backup format {found}; this version knows formats up to {known}: use a newer version")]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this version knows.
        known: u32,
    },
    /// Another process uses it.
    #[error("`{0}` is in use by another `kelpgate backup` or `kelpgate restore`; wait for it")]
    InUse(PathBuf),
    /// What is stored is not what was written.
    #[error("`{path}` is corrupt: {why}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A data file of the directory that is backed up is missing or corrupt.
    #[error("`{path}` cannot be backed up: {why}; `kelpgate scrub` shows which objects are affected")]
    Source {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The process that has the directory open did not deliver everything.
    #[error("the backup is incomplete and does not count: {0}")]
    Incomplete(String),
    /// There is no such snapshot.
    #[error("`{path}` has no snapshot `{name}`; it has: {known}")]
    NoSnapshot {
        /// The directory of snapshots.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// The names of the snapshots that exist.
        known: String,
    },
    /// Nothing was ever backed up completely.
    #[error("`{0}` has no snapshot: no backup into it has come to its end")]
    Empty(PathBuf),
    /// The directory to restore into is in use.
    #[error("`{0}` is not empty: a restore never overwrites anything; choose a new directory")]
    NotEmpty(PathBuf),
    /// The new database cannot be written.
    #[error("the new database cannot be written: {0}")]
    Database(String),
}

impl BackupError {
    /// For `map_err`: an error of the file system at a path.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
        let path = path.to_owned();
        move |source| BackupError::Io { path, source }
    }

    pub(super) fn corrupt(path: &Path, why: impl ToString) -> BackupError {
        BackupError::Corrupt { path: path.to_owned(), why: why.to_string() }
    }
}
