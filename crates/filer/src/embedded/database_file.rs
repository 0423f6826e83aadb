//! The file of the database: opening the one that a directory has, making the first one, and what tells a new directory
//! from one that has lost its database.
//!
//! The first database becomes `meta.redb` in one step, when it is complete and durable. All else comes into the directory
//! after that. So a crash never leaves an empty database, or other files of a store without one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::data_directory_of;
use super::layout::{DATABASE_FILE, NEW_DATABASE_FILE, ROOT_CREDENTIALS_FILE, SESSION_KEY_FILE};
use super::open_error::OpenError;
use super::pages::{PAGE_BYTES, Pages};
use super::space::RESERVE_FILE;

/// Who opens a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opener {
    /// It makes the store if there has never been one, and removes what unfinished writes have left.
    Server,
    /// It refuses a directory without a store, and removes only data that the database lists as deleted.
    Tool,
}

/// The database file, which no other process can open until it is closed; `None` if it is to be made.
pub(super) fn find(directory: &Path, opener: Opener) -> Result<Option<File>, OpenError> {
    let path = directory.join(DATABASE_FILE);
    let io = |source| OpenError::Io { path: path.clone(), source };
    let found = locked(directory, &path)?;
    let is_empty = found.as_ref().map(is_empty).transpose().map_err(io)?;
    let problem = match is_empty {
        Some(false) => return Ok(found),
        Some(true) => "is empty",
        None => "is missing",
    };
    let directory = directory.to_owned();
    if let Some(sign) = sign_of_use(&directory) {
        return Err(OpenError::Lost { directory, problem, sign });
    }
    match opener {
        Opener::Tool => Err(OpenError::NoStore { directory, problem }),
        Opener::Server => {
            if found.is_some() {
                fs::remove_file(&path).map_err(io)?;
            }
            Ok(None)
        }
    }
}

/// Begins the file of the first database. No other process can begin one.
pub(super) fn begin(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(NEW_DATABASE_FILE);
    let io = |source| OpenError::Io { path: path.clone(), source };
    // Entries contain secret keys, so no other user may read the file.
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path);
    let file = file.map_err(io)?;
    lock(directory, &path, &file)?;
    // Another process may have made one in the meantime.
    if directory.join(DATABASE_FILE).exists() {
        return Err(OpenError::InUse(directory.to_owned()));
    }
    // A crash may have left a part of one.
    file.set_len(0).map_err(io)?;
    Ok(file)
}

/// Makes what was begun the database of the directory.
pub(super) fn finish(directory: &Path) -> Result<(), OpenError> {
    let path = directory.join(DATABASE_FILE);
    let renamed = fs::rename(directory.join(NEW_DATABASE_FILE), &path);
    let durable = renamed.and_then(|()| File::open(directory)?.sync_all());
    durable.map_err(|source| OpenError::Io { path, source })
}

fn locked(directory: &Path, path: &Path) -> Result<Option<File>, OpenError> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => lock(directory, path, &file).map(|()| Some(file)),
        // The new database would take the place of a link, whose disk may only be away.
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => Ok(None),
        Err(source) => Err(OpenError::Io { path: path.to_owned(), source }),
    }
}

fn lock(directory: &Path, path: &Path, file: &File) -> Result<(), OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    // Another process may have replaced or removed it in the meantime (`upgrade.rs`, and above).
    let opened = file.metadata().map_err(io)?;
    match fs::metadata(path) {
        Ok(there) if there.ino() == opened.ino() => Ok(()),
        Ok(_) => Err(OpenError::InUse(directory.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(OpenError::InUse(directory.to_owned())),
        Err(source) => Err(io(source)),
    }
}

/// Whether a file holds no page of a database.
fn is_empty(file: &File) -> io::Result<bool> {
    let bytes = file.metadata()?.len();
    let mut begin = [0; 16];
    let begun = file.read_at(&mut begin, 0)?;
    Ok(begun == 0 || (bytes <= PAGE_BYTES && Pages::is_begun_by(&begin)))
}

/// A file that shows that a directory has had a database.
fn sign_of_use(directory: &Path) -> Option<PathBuf> {
    let beside = [SESSION_KEY_FILE, ROOT_CREDENTIALS_FILE, RESERVE_FILE].map(|name| directory.join(name));
    beside.into_iter().find(|path| path.exists()).or_else(|| (0..=u8::MAX).find_map(|of| data_file_in(directory, of)))
}

fn data_file_in(directory: &Path, number: u8) -> Option<PathBuf> {
    fs::read_dir(data_directory_of(directory, number)).ok()?.flatten().next().map(|file| file.path())
}
