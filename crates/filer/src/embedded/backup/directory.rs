//! A directory of backups. While it is used, it is locked.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::error::BackupError;
use super::place::{Place, Purpose, Seal};
use super::repository::{DATA, IDENTITY, SEGMENTS, SNAPSHOTS};
use crate::embedded::open_error::OpenError;
use crate::embedded::tables;

/// Where files are written before they get their names.
const TEMPORARY: &str = "tmp";
const LOCK: &str = "lock";
const LOCK_ATTEMPTS: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A directory of backups.
pub struct Directory {
    path: PathBuf,
    lock: Option<File>,
    /// Directories whose names may not survive a crash yet.
    unsettled: Mutex<BTreeSet<PathBuf>>,
}

impl Directory {
    /// The directory with this path. Backups create it if need be.
    pub fn at(path: &Path) -> Box<dyn Place> {
        Box::new(Directory { path: path.to_owned(), lock: None, unsettled: Mutex::default() })
    }

    fn lock(&mut self) -> Result<(), BackupError> {
        let lock = self.path.join(LOCK);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
        let file = file.map_err(BackupError::io(&lock))?;
        let mut attempts = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // A child process briefly inherits the open files of this one, and with them a lock that this one has
                // released.
                Err(TryLockError::WouldBlock) if attempts < LOCK_ATTEMPTS => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => return Err(BackupError::InUse(self.path.clone())),
                Err(TryLockError::Error(source)) => return Err(BackupError::Io { path: lock, source }),
            }
            attempts += 1;
        }
        self.lock = Some(file);
        Ok(())
    }

    /// A directory without an identity may hold what a new disk has, and what a backup leaves that is killed as it
    /// starts.
    fn refuse_foreign(&self) -> Result<(), BackupError> {
        let has_identity = self.path.join(IDENTITY).exists();
        let foreign = |name: String| ![LOCK, TEMPORARY, "lost+found"].contains(&name.as_str());
        if !has_identity && names_in(&self.path)?.into_iter().any(foreign) {
            return Err(BackupError::NotABackup(self.path.clone()));
        }
        Ok(())
    }

    fn make_directories(&mut self) -> Result<(), BackupError> {
        let temporary = self.path.join(TEMPORARY);
        for directory in [&temporary, &self.path.join(SNAPSHOTS)] {
            private(directory)?;
        }
        for (parent, number) in [SEGMENTS, DATA].into_iter().flat_map(|parent| (0..=u8::MAX).map(move |n| (parent, n)))
        {
            private(&self.path.join(parent).join(format!("{number:02x}")))?;
        }
        for parent in ["", SEGMENTS, DATA] {
            self.is_unsettled(self.path.join(parent));
        }
        for file in names_in(&temporary)? {
            let path = temporary.join(file);
            fs::remove_file(&path).map_err(BackupError::io(&path))?;
        }
        Ok(())
    }

    fn is_unsettled(&self, directory: PathBuf) {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).insert(directory);
    }

    fn changed(&self, file: &Path) {
        self.is_unsettled(file.parent().unwrap_or(&self.path).to_owned());
    }
}

impl Place for Directory {
    fn begin(&mut self, purpose: Purpose) -> Result<(), BackupError> {
        if purpose == Purpose::Reading {
            return match self.path.join(IDENTITY).exists() {
                true => self.lock(),
                false => Err(BackupError::Empty(self.path.clone())),
            };
        }
        private(&self.path)?;
        self.refuse_foreign()?;
        self.lock()?;
        self.make_directories()
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.path.clone() } else { self.path.join(name) }
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        found(fs::read(self.path.join(name)))
    }

    fn seal(&self, name: &str) -> io::Result<Option<Seal>> {
        let path = self.path.join(name);
        let seal = found(seal_of(&path))?;
        self.changed(&path);
        Ok(seal)
    }

    fn store(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let (temporary, target) = (self.path.join(TEMPORARY).join("new"), self.path.join(name));
        write_durably(&temporary, content)?;
        fs::rename(&temporary, &target)?;
        self.changed(&target);
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        let unsettled = std::mem::take(&mut *self.unsettled.lock().unwrap_or_else(PoisonError::into_inner));
        unsettled.iter().try_for_each(|directory| File::open(directory)?.sync_all())
    }

    fn names(&self, directory: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for file in fs::read_dir(self.path.join(directory))? {
            let file = file?;
            // Names that are not UTF-8 appear changed, and so match nothing that is looked for.
            let name = format!("{directory}/{}", file.file_name().to_string_lossy());
            match file.file_type()?.is_dir() {
                true => names.extend(self.names(&name)?),
                false => names.push(name),
            }
        }
        Ok(names)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let path = self.path.join(name);
        fs::remove_file(&path)?;
        self.changed(&path);
        Ok(())
    }
}

/// The seal of a file, whose content is not read.
pub(super) fn seal_of(path: &Path) -> io::Result<Seal> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let end_bytes = bytes.min(Seal::END_BYTES);
    let mut end = vec![0; end_bytes as usize];
    file.read_exact_at(&mut end, bytes - end_bytes)?;
    Ok(Seal::of_end(bytes, &end))
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file that only its owner can read. Its name may not survive a crash yet.
pub(super) fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

pub(super) fn private(path: &Path) -> Result<(), BackupError> {
    tables::private_directory(path).map_err(|error| match error {
        OpenError::Io { path, source } => BackupError::Io { path, source },
        other => BackupError::corrupt(path, other),
    })
}

pub(super) fn sync_directory(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(BackupError::io(path))
}

/// The names in a directory. Names that are not UTF-8 appear changed, and so match nothing that is looked for.
pub(super) fn names_in(path: &Path) -> Result<Vec<String>, BackupError> {
    let files = fs::read_dir(path).map_err(BackupError::io(path))?;
    files
        .map(|file| file.map(|file| file.file_name().to_string_lossy().into_owned()).map_err(BackupError::io(path)))
        .collect()
}
