//! Why a directory cannot be opened.

use std::path::PathBuf;

use super::layout::FORMAT;

/// Why a directory could not be opened as a filer.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("`{0}` is in use by another process; stop that one first, or choose another directory")]
    InUse(PathBuf),
    /// A newer version wrote it.
    #[error("`{path}` has store format {found}; this version knows formats up to {FORMAT}: use a newer version")]
    NewerFormat {
        /// The database file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The file system returned an error.
    #[error("`{path}` cannot be used as the filer's directory: {source}{}", remedy(.source))]
    Io {
        /// The path.
        path: PathBuf,
        /// The error.
        source: std::io::Error,
    },
    /// A restore into the directory has not come to its end.
    #[error("a restore into `{0}` did not end, so it is not complete: run `kelpgate restore` again")]
    Unfinished(PathBuf),
    /// The database cannot be read.
    #[error("the metadata database `{path}` cannot be opened: {why}; restore it from a backup")]
    Database {
        /// The database file.
        path: PathBuf,
        /// The cause.
        why: String,
    },
}

/// What to do about an error of the file system, if that is known.
fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "; give it to the user that runs this (`chown -R USER DIR`), or choose another directory"
        }
        std::io::ErrorKind::ReadOnlyFilesystem => "; choose a directory that can be written",
        std::io::ErrorKind::StorageFull => "; make room",
        _ => "",
    }
}
