//! The directory of backups:
//!
//! | path | content |
//! | --- | --- |
//! | `kelpgate-backup` | what the directory is: format, and the store it belongs to |
//! | `snapshots/TIME-HASH.json` | one backup: its segments, in order |
//! | `segments/` | pieces of databases, named by their SHA-256 |
//! | `data/` | data files, as in the directory that was backed up |
//! | `lock`, `tmp/` | of the running backup |
//!
//! Every file is complete and durable before something names it, and never changes afterwards.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::error::BackupError;
use super::frame::{Frame, Kind};
use super::freeze::Facts;
use crate::embedded::chunk::ChunkId;
use crate::embedded::tables;

/// The format that this version writes.
const FORMAT: u32 = 1;
/// The file that says what the directory is.
const IDENTITY: &str = "kelpgate-backup";
/// Digits of the hash in a snapshot's name.
const NAME_DIGITS: usize = 16;

#[derive(Serialize, Deserialize)]
struct Identity {
    format: u32,
    signature: i32,
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) format: u32,
    pub(super) facts: Facts,
    /// When the backup began, in ms since 1970.
    pub(super) began_ms: u64,
    pub(super) entries: u64,
    pub(super) data_files: u64,
    pub(super) data_bytes: u64,
    /// Pieces of the database in the order in which they are restored.
    pub(super) segments: Vec<Segment>,
}

/// A piece of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// A directory of backups, locked.
pub(super) struct Repository {
    path: PathBuf,
    _lock: File,
}

impl Repository {
    /// Opens a directory for another backup, and creates it if need be.
    pub(super) fn create(path: &Path, signature: i32) -> Result<Repository, BackupError> {
        private(path)?;
        let repository = match read_identity(path)? {
            Some(identity) if identity.signature != signature => {
                return Err(BackupError::OtherStore(path.to_owned()));
            }
            Some(_) => Repository::locked(path)?,
            None => {
                refuse_foreign(path)?;
                let repository = Repository::locked(path)?;
                private(&repository.temporary())?;
                let identity = Identity { format: FORMAT, signature };
                let text = serde_json::to_vec(&identity).map_err(|error| BackupError::corrupt(path, error))?;
                repository.publish(&text, &path.join(IDENTITY))?;
                repository
            }
        };
        for directory in [repository.temporary(), repository.snapshots()] {
            private(&directory)?;
        }
        for directory in 0..=u8::MAX {
            private(&repository.segments().join(format!("{directory:02x}")))?;
            private(&repository.data().join(format!("{directory:02x}")))?;
        }
        repository.clear_temporary()?;
        Ok(repository)
    }

    /// Opens a directory that has backups.
    pub(super) fn open(path: &Path) -> Result<Repository, BackupError> {
        match read_identity(path)? {
            Some(_) => Repository::locked(path),
            None => Err(BackupError::Empty(path.to_owned())),
        }
    }

    fn locked(path: &Path) -> Result<Repository, BackupError> {
        let lock = path.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
        let file = file.map_err(BackupError::io(&lock))?;
        match file.try_lock() {
            Ok(()) => Ok(Repository { path: path.to_owned(), _lock: file }),
            Err(TryLockError::WouldBlock) => Err(BackupError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(BackupError::Io { path: lock, source }),
        }
    }

    fn temporary(&self) -> PathBuf {
        self.path.join("tmp")
    }

    fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    pub(super) fn segments(&self) -> PathBuf {
        self.path.join("segments")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn data_file(&self, id: ChunkId) -> PathBuf {
        self.data().join(format!("{:02x}", id.directory())).join(id.name())
    }

    pub(super) fn segment_file(&self, sha256: &str) -> PathBuf {
        self.segments().join(sha256.get(..2).unwrap_or_default()).join(sha256)
    }

    /// A name for a file that is not published yet.
    pub(super) fn temporary_file(&self, name: &str) -> PathBuf {
        self.temporary().join(name)
    }

    fn clear_temporary(&self) -> Result<(), BackupError> {
        for file in names_in(&self.temporary())? {
            let path = self.temporary().join(file);
            fs::remove_file(&path).map_err(BackupError::io(&path))?;
        }
        Ok(())
    }

    /// Stores a file under its final name, durably except for its directory.
    fn publish(&self, content: &[u8], target: &Path) -> Result<(), BackupError> {
        let temporary = self.temporary_file("new");
        let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary);
        let written = file.and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
        written.map_err(BackupError::io(&temporary))?;
        fs::rename(&temporary, target).map_err(BackupError::io(target))
    }

    /// Stores a piece of a database unless it is there. Returns it, and whether it is new.
    pub(super) fn store_segment(&self, content: &[u8]) -> Result<(Segment, bool), BackupError> {
        let segment = Segment { sha256: sha256(content), bytes: content.len() as u64 };
        let target = self.segment_file(&segment.sha256);
        let is_there = fs::metadata(&target).is_ok_and(|file| file.len() == segment.bytes);
        if !is_there {
            self.publish(content, &target)?;
        }
        Ok((segment, !is_there))
    }

    /// Makes the snapshot count. Everything that it names must have been stored.
    pub(super) fn store_snapshot(&self, snapshot: &Snapshot) -> Result<String, BackupError> {
        for directory in (0..=u8::MAX).map(|number| format!("{number:02x}")) {
            sync_directory(&self.segments().join(&directory))?;
            sync_directory(&self.data().join(directory))?;
        }
        [self.segments(), self.data(), self.path.clone()].iter().try_for_each(|path| sync_directory(path))?;
        let text = serde_json::to_vec_pretty(snapshot).map_err(|error| BackupError::corrupt(&self.path, error))?;
        let hash = sha256(&text);
        let name = format!("{}-{}", time_name(snapshot.began_ms), hash.get(..NAME_DIGITS).unwrap_or_default());
        self.publish(&text, &self.snapshots().join(format!("{name}.json")))?;
        sync_directory(&self.snapshots())?;
        Ok(name)
    }

    /// The names of the snapshots, oldest first.
    pub(super) fn names(&self) -> Result<Vec<String>, BackupError> {
        let mut names: Vec<String> = names_in(&self.snapshots())?;
        names.retain_mut(|name| name.strip_suffix(".json").map(str::to_owned).map(|short| *name = short).is_some());
        names.sort();
        Ok(names)
    }

    /// A snapshot; the newest one without a name.
    pub(super) fn snapshot(&self, wanted: Option<&str>) -> Result<(String, Snapshot), BackupError> {
        let names = self.names()?;
        let name = match wanted {
            None => names.last().ok_or_else(|| BackupError::Empty(self.path.clone()))?,
            Some(wanted) => names.iter().find(|name| *name == wanted).ok_or_else(|| BackupError::NoSnapshot {
                path: self.snapshots(),
                name: wanted.to_owned(),
                known: names.join(", "),
            })?,
        };
        let path = self.snapshots().join(format!("{name}.json"));
        let text = fs::read(&path).map_err(BackupError::io(&path))?;
        if !sha256(&text).get(..NAME_DIGITS).is_some_and(|digits| name.ends_with(&format!("-{digits}"))) {
            return Err(BackupError::corrupt(&path, "it does not match the hash in its name"));
        }
        let snapshot: Snapshot = serde_json::from_slice(&text).map_err(|error| BackupError::corrupt(&path, error))?;
        newest_known(&path, snapshot.format, FORMAT)?;
        newest_known(&path, snapshot.facts.store_format as u32, tables::FORMAT as u32)?;
        Ok((name.clone(), snapshot))
    }

    pub(super) fn remove_snapshot(&self, name: &str) -> Result<(), BackupError> {
        let path = self.snapshots().join(format!("{name}.json"));
        fs::remove_file(&path).map_err(BackupError::io(&path))?;
        sync_directory(&self.snapshots())
    }

    /// Passes on every record of a snapshot, after comparing the segment that it is in with its hash.
    pub(super) fn records(
        &self,
        segment: &Segment,
        mut pass: impl FnMut(Frame) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let path = self.segment_file(&segment.sha256);
        let content = fs::read(&path).map_err(BackupError::io(&path))?;
        if sha256(&content) != segment.sha256 {
            return Err(BackupError::corrupt(&path, "it does not match the hash that is its name"));
        }
        let mut input = content.as_slice();
        while let Some(frame) = Frame::read(&mut input).map_err(|error| BackupError::corrupt(&path, error))? {
            if ![Kind::File, Kind::Entry, Kind::Small].contains(&frame.kind) {
                return Err(BackupError::corrupt(&path, "it has a record that belongs in no backup"));
            }
            pass(frame)?;
        }
        Ok(())
    }
}

impl Snapshot {
    pub(super) fn new(facts: Facts, began_ms: u64) -> Snapshot {
        Snapshot { format: FORMAT, facts, began_ms, entries: 0, data_files: 0, data_bytes: 0, segments: Vec::new() }
    }
}

fn newest_known(path: &Path, found: u32, known: u32) -> Result<(), BackupError> {
    if found <= known { Ok(()) } else { Err(BackupError::NewerFormat { path: path.to_owned(), found, known }) }
}

fn read_identity(path: &Path) -> Result<Option<Identity>, BackupError> {
    let file = path.join(IDENTITY);
    let text = match fs::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(BackupError::Io { path: file, source }),
    };
    let identity: Identity = serde_json::from_slice(&text).map_err(|error| BackupError::corrupt(&file, error))?;
    newest_known(&file, identity.format, FORMAT)?;
    Ok(Some(identity))
}

/// A directory without an identity may hold what a backup that was killed at once left, and what a new disk has.
fn refuse_foreign(path: &Path) -> Result<(), BackupError> {
    let foreign = names_in(path)?.into_iter().any(|name| !["lock", "tmp", "lost+found"].contains(&name.as_str()));
    if foreign { Err(BackupError::NotABackup(path.to_owned())) } else { Ok(()) }
}

pub(super) fn private(path: &Path) -> Result<(), BackupError> {
    tables::private_directory(path).map_err(|error| match error {
        tables::OpenError::Io { path, source } => BackupError::Io { path, source },
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

/// `2026-11-29T20-45-10.123Z`: the order of names is that of times.
fn time_name(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.unwrap_or_default().strftime("%Y-%m-%dT%H-%M-%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_times() {
        for (ms, want) in [
            (0, "1970-01-01T00-00-00.000Z"),
            (951_826_154_007, "2000-02-29T12-09-14.007Z"),
            (1_795_985_110_123, "2026-11-29T20-45-10.123Z"),
        ] {
            assert_eq!(time_name(ms), want);
        }
    }
}
