//! Why a directory cannot be opened.

use std::path::PathBuf;

use super::layout::{DATABASE_FILE, FORMAT};

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
    /// It is not the directory of a server.
    #[error(
        "`{directory}` is not the directory of a kelpgate server: `{DATABASE_FILE}` {problem}; name the directory of \
         `kelpgate server -dir=DIR`, and check that its disk is mounted",
        directory = .directory.display()
    )]
    NoStore {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with the database file.
        problem: &'static str,
    },
    /// It has lost its database.
    #[error(
        "`{directory}` is the directory of a kelpgate server (there is `{sign}`), but its metadata database \
         `{DATABASE_FILE}` {problem}: put that file back, or restore a backup into another directory (`kelpgate restore`); \
         to begin anew, move the directory away. If it is new and holds only keys that you prepared, start once without them, \
         then put them back",
        directory = .directory.display(),
        sign = .sign.display()
    )]
    Lost {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with the database file.
        problem: &'static str,
        /// A file that shows that it had one.
        sign: PathBuf,
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
