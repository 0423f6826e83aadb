//! What a place of backups holds:
//!
//! | name | content |
//! | --- | --- |
//! | `kelpgate-backup` | what the place is: format, and the store it belongs to |
//! | `snapshots/TIME-HASH.json` | one backup: its segments, in order |
//! | `segments/` | pieces of databases, named by their SHA-256 |
//! | `data/` | data files, as in the directory that was backed up |
//! | `lock`, `tmp/` | of the running backup, in a directory |
//!
//! Every file is complete and durable before something names it, and never changes afterwards.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::error::BackupError;
use super::frame::{Frame, Kind};
use super::freeze::Facts;
use super::place::{Place, Purpose, Seal};
use crate::embedded::chunk::ChunkId;
use crate::embedded::layout;

/// The format that this version writes.
const FORMAT: u32 = 1;
/// The file that says what the place is.
pub(super) const IDENTITY: &str = "kelpgate-backup";
pub(super) const SNAPSHOTS: &str = "snapshots";
pub(super) const SEGMENTS: &str = "segments";
pub(super) const DATA: &str = "data";
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

/// The name of a data file.
pub(super) fn data_file(id: ChunkId) -> String {
    format!("{DATA}/{:02x}/{}", id.directory(), id.name())
}

/// The name of a segment.
pub(super) fn segment_file(sha256: &str) -> String {
    format!("{SEGMENTS}/{}/{sha256}", sha256.get(..2).unwrap_or_default())
}

fn snapshot_file(name: &str) -> String {
    format!("{SNAPSHOTS}/{name}.json")
}

/// A place with backups of one store.
pub(super) struct Repository {
    place: Box<dyn Place>,
}

impl Repository {
    /// Opens a place for another backup of a store.
    pub(super) fn create(mut place: Box<dyn Place>, signature: i32) -> Result<Repository, BackupError> {
        place.begin(Purpose::Writing)?;
        let mut repository = Repository { place };
        match repository.identity()? {
            Some(identity) if identity.signature != signature => {
                return Err(BackupError::OtherStore(repository.place.path("")));
            }
            Some(_) => {}
            None => {
                let identity = Identity { format: FORMAT, signature };
                let text = serde_json::to_vec(&identity).map_err(|error| repository.corrupt(IDENTITY, error))?;
                repository.store(IDENTITY, &text)?;
            }
        }
        Ok(repository)
    }

    /// Opens a place that has backups.
    pub(super) fn open(mut place: Box<dyn Place>) -> Result<Repository, BackupError> {
        place.begin(Purpose::Reading)?;
        let repository = Repository { place };
        match repository.identity()? {
            Some(_) => Ok(repository),
            None => Err(BackupError::Empty(repository.place.path(""))),
        }
    }

    fn identity(&self) -> Result<Option<Identity>, BackupError> {
        let Some(text) = self.read(IDENTITY)? else { return Ok(None) };
        let identity: Identity = serde_json::from_slice(&text).map_err(|error| self.corrupt(IDENTITY, error))?;
        newest_known(&self.place.path(IDENTITY), identity.format, FORMAT)?;
        Ok(Some(identity))
    }

    /// The error for a file whose content is not what was written.
    pub(super) fn corrupt(&self, name: &str, why: impl ToString) -> BackupError {
        BackupError::corrupt(&self.place.path(name), why)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, BackupError> {
        self.place.read(name).map_err(BackupError::io(&self.place.path(name)))
    }

    /// The content of a file that a snapshot needs.
    pub(super) fn needed(&self, name: &str) -> Result<Vec<u8>, BackupError> {
        self.read(name)?.ok_or_else(|| self.corrupt(name, "it is missing"))
    }

    /// The seal of a piece; `None` if it is not there.
    pub(super) fn seal(&self, name: &str) -> Result<Option<Seal>, BackupError> {
        self.place.seal(name).map_err(BackupError::io(&self.place.path(name)))
    }

    /// Stores a file. [`store_snapshot`](Repository::store_snapshot) makes it durable.
    pub(super) fn store(&mut self, name: &str, content: &[u8]) -> Result<(), BackupError> {
        let stored = self.place.store(name, content);
        stored.map_err(BackupError::io(&self.place.path(name)))
    }

    fn settle(&mut self) -> Result<(), BackupError> {
        let settled = self.place.settle();
        settled.map_err(BackupError::io(&self.place.path("")))
    }

    /// Stores a piece of a database unless it is there. Returns it, and whether it is new.
    pub(super) fn store_segment(&mut self, content: &[u8]) -> Result<(Segment, bool), BackupError> {
        let segment = Segment { sha256: sha256(content), bytes: content.len() as u64 };
        let name = segment_file(&segment.sha256);
        let is_there = self.seal(&name)? == Some(Seal::of(content));
        if !is_there {
            self.store(&name, content)?;
        }
        Ok((segment, !is_there))
    }

    /// Makes the snapshot count. Everything that it names must have been stored.
    pub(super) fn store_snapshot(&mut self, snapshot: &Snapshot) -> Result<String, BackupError> {
        self.settle()?;
        let text = serde_json::to_vec_pretty(snapshot).map_err(|error| self.corrupt(SNAPSHOTS, error))?;
        let hash = sha256(&text);
        let name = format!("{}-{}", time_name(snapshot.began_ms), hash.get(..NAME_DIGITS).unwrap_or_default());
        self.store(&snapshot_file(&name), &text)?;
        self.settle()?;
        Ok(name)
    }

    /// The names of the snapshots, oldest first.
    pub(super) fn names(&self) -> Result<Vec<String>, BackupError> {
        let short =
            |name: String| Some(name.strip_prefix(SNAPSHOTS)?.strip_prefix('/')?.strip_suffix(".json")?.to_owned());
        let mut names: Vec<String> = self.names_in(SNAPSHOTS)?.into_iter().filter_map(short).collect();
        names.sort();
        Ok(names)
    }

    /// The names of all files in a directory.
    pub(super) fn names_in(&self, directory: &str) -> Result<Vec<String>, BackupError> {
        self.place.names(directory).map_err(BackupError::io(&self.place.path(directory)))
    }

    /// A snapshot; the newest one without a name.
    pub(super) fn snapshot(&self, wanted: Option<&str>) -> Result<(String, Snapshot), BackupError> {
        let names = self.names()?;
        let name = match wanted {
            None => names.last().ok_or_else(|| BackupError::Empty(self.place.path("")))?,
            Some(wanted) => names.iter().find(|name| *name == wanted).ok_or_else(|| BackupError::NoSnapshot {
                path: self.place.path(SNAPSHOTS),
                name: wanted.to_owned(),
                known: names.join(", "),
            })?,
        };
        let path = self.place.path(&snapshot_file(name));
        let text = self.needed(&snapshot_file(name))?;
        if !sha256(&text).get(..NAME_DIGITS).is_some_and(|digits| name.ends_with(&format!("-{digits}"))) {
            return Err(BackupError::corrupt(&path, "it does not match the hash in its name"));
        }
        let snapshot: Snapshot = serde_json::from_slice(&text).map_err(|error| BackupError::corrupt(&path, error))?;
        newest_known(&path, snapshot.format, FORMAT)?;
        newest_known(&path, snapshot.facts.store_format as u32, layout::FORMAT as u32)?;
        Ok((name.clone(), snapshot))
    }

    pub(super) fn remove(&mut self, names: impl IntoIterator<Item = String>) -> Result<(), BackupError> {
        for name in names {
            let removed = self.place.remove(&name);
            removed.map_err(BackupError::io(&self.place.path(&name)))?;
        }
        self.settle()
    }

    pub(super) fn remove_snapshots(&mut self, names: &[String]) -> Result<(), BackupError> {
        self.remove(names.iter().map(|name| snapshot_file(name)))
    }

    /// Passes on every record of a snapshot, after comparing the segment that it is in with its hash.
    pub(super) fn records(
        &self,
        segment: &Segment,
        mut pass: impl FnMut(Frame) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let name = segment_file(&segment.sha256);
        let content = self.needed(&name)?;
        if sha256(&content) != segment.sha256 {
            return Err(self.corrupt(&name, "it does not match the hash that is its name"));
        }
        let mut input = content.as_slice();
        while let Some(frame) = Frame::read(&mut input).map_err(|error| self.corrupt(&name, error))? {
            if ![Kind::File, Kind::Entry, Kind::Small].contains(&frame.kind) {
                return Err(self.corrupt(&name, "it has a record that belongs in no backup"));
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
