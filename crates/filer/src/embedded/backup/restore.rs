//! Makes a directory from a snapshot, or only compares the snapshot with its checksums.
//!
//! A file in the new directory says that it is not complete; it comes first and goes last. With it, the directory does
//! not open as a filer, and only another restore may remove what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message;
use redb::Database;

use super::create::{self, Wanted};
use super::directory::{names_in, private, sync_directory, write_durably};
use super::error::BackupError;
use super::frame::{Frame, Kind};
use super::place::Place;
use super::repository::{Repository, SEGMENTS, Snapshot, data_file};
use super::serve::is_beside;
use crate::embedded::chunk::ChunkId;
use crate::embedded::database::{Store, Trouble};
use crate::embedded::layout::{DATABASE_FILE, NEW_DATABASE_FILE};
use crate::embedded::pages::Pages;
use crate::embedded::space::Space;
use crate::embedded::tables::{self, ENTRIES, SMALL};
use crate::embedded::{data_directory_of, data_file_of};
use crate::entry::Entry;
use crate::filer::FilerError;

/// The file that says that a directory is not complete.
pub(in crate::embedded) const MARKER: &str = "restoring";
/// What a restore leaves alone: a new disk has it.
const LOST_AND_FOUND: &str = "lost+found";

/// What was restored or verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The snapshot's name.
    pub snapshot: String,
    /// When the backup began, in ms since 1970.
    pub began_ms: u64,
    /// Entries of the snapshot.
    pub entries: u64,
    /// Its data files.
    pub data_files: u64,
    /// Bytes of these files.
    pub data_bytes: u64,
}

/// Makes `directory`, which must be empty or missing, from a snapshot; from the newest one if it is not named.
///
/// Everything is compared with its checksums. If this fails or is killed, the directory cannot be used until another
/// restore into it succeeds.
pub fn restore(from: Box<dyn Place>, snapshot: Option<&str>, directory: &Path) -> Result<Restored, BackupError> {
    let repository = Repository::open(from)?;
    let (name, snapshot) = repository.snapshot(snapshot)?;
    let unfinished = Unfinished::begin(directory)?;
    let contents = Contents::read(&repository, &snapshot, Some(directory))?;
    for (id, md5) in &contents.data {
        let (target, content) = (data_file_of(directory, *id), checked(&repository, *id, md5.as_deref())?);
        write_durably(&target, &content).map_err(BackupError::io(&target))?;
    }
    for number in 0..=u8::MAX {
        sync_directory(&data_directory_of(directory, number))?;
    }
    unfinished.end()?;
    Ok(restored(name, &snapshot))
}

/// Compares everything in a snapshot with its checksums; the newest one if it is not named.
pub fn verify(from: Box<dyn Place>, snapshot: Option<&str>) -> Result<Restored, BackupError> {
    let repository = Repository::open(from)?;
    let (name, snapshot) = repository.snapshot(snapshot)?;
    let contents = Contents::read(&repository, &snapshot, None)?;
    contents.data.iter().try_for_each(|(id, md5)| checked(&repository, *id, md5.as_deref()).map(drop))?;
    Ok(restored(name, &snapshot))
}

fn restored(snapshot: String, about: &Snapshot) -> Restored {
    let Snapshot { began_ms, entries, data_files, data_bytes, .. } = *about;
    Restored { snapshot, began_ms, entries, data_files, data_bytes }
}

/// The content of a data file, after comparing it with its checksums.
fn checked(repository: &Repository, id: ChunkId, md5: Option<&[u8]>) -> Result<Vec<u8>, BackupError> {
    let name = data_file(id);
    let content = repository.needed(&name)?;
    create::check(&content, id, md5).map_err(|why| repository.corrupt(&name, why))?;
    Ok(content)
}

/// A directory that is not complete yet.
struct Unfinished {
    directory: PathBuf,
    _lock: File,
}

impl Unfinished {
    fn begin(directory: &Path) -> Result<Unfinished, BackupError> {
        private(directory)?;
        let names = names_in(directory)?;
        let marker = directory.join(MARKER);
        let is_unfinished = names.iter().any(|name| name == MARKER);
        if !is_unfinished && names.iter().any(|name| name != LOST_AND_FOUND) {
            return Err(BackupError::NotEmpty(directory.to_owned()));
        }
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&marker);
        let lock = lock.map_err(BackupError::io(&marker))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::InUse(directory.to_owned())),
            Err(TryLockError::Error(source)) => return Err(BackupError::Io { path: marker, source }),
        }
        sync_directory(directory)?;
        for name in names.iter().filter(|name| ![MARKER, LOST_AND_FOUND].contains(&name.as_str())) {
            remove(&directory.join(name))?;
        }
        private(&directory.join("data"))?;
        for number in 0..=u8::MAX {
            private(&data_directory_of(directory, number))?;
        }
        Ok(Unfinished { directory: directory.to_owned(), _lock: lock })
    }

    fn end(&self) -> Result<(), BackupError> {
        let directory = &self.directory;
        let database = directory.join(DATABASE_FILE);
        fs::rename(directory.join(NEW_DATABASE_FILE), &database).map_err(BackupError::io(&database))?;
        sync_directory(&directory.join("data"))?;
        sync_directory(directory)?;
        let marker = directory.join(MARKER);
        fs::remove_file(&marker).map_err(BackupError::io(&marker))?;
        sync_directory(directory)
    }
}

/// Removes what an earlier restore left.
fn remove(path: &Path) -> Result<(), BackupError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(BackupError::io(path))
}

/// What a snapshot needs beside its segments.
struct Contents {
    /// Its data files.
    data: Wanted,
}

impl Contents {
    /// Reads all segments, and writes what they hold to a directory.
    fn read(repository: &Repository, snapshot: &Snapshot, directory: Option<&Path>) -> Result<Contents, BackupError> {
        let store = directory.map(new_database).transpose()?;
        let mut reading = Reading { sums_from: snapshot.facts.sums_from, directory, ..Reading::default() };
        for segment in &snapshot.segments {
            let mut records = Vec::new();
            repository.records(segment, |frame| reading.take(frame, &mut records))?;
            if let Some(store) = &store {
                written(store.attempt(|database| insert(database, &records)))?;
            }
        }
        if let Some(missing) = reading.named.keys().find(|id| id.is_small() && !reading.small.contains(id)) {
            let why = format!("the body of chunk {} is missing", missing.name());
            return Err(repository.corrupt(SEGMENTS, why));
        }
        if reading.entries != snapshot.entries || reading.data.len() as u64 != snapshot.data_files {
            return Err(repository.corrupt(SEGMENTS, "the snapshot counts other records than there are"));
        }
        if let Some(store) = store {
            let start = snapshot.facts.start;
            let finish =
                |database: &Database| tables::finish_restored(database, start, reading.sums_from, &reading.named);
            written(store.attempt(finish))?;
        }
        Ok(Contents { data: reading.data })
    }
}

fn written<T>(result: Result<T, Trouble>) -> Result<T, BackupError> {
    result.map_err(|trouble| BackupError::Database(FilerError::from(trouble).to_string()))
}

fn new_database(directory: &Path) -> Result<Store, BackupError> {
    let path = directory.join(NEW_DATABASE_FILE);
    let file = OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(&path);
    let pages = file.and_then(|file| Pages::open(file, Arc::new(Space::of(directory))));
    Store::open(pages.map_err(BackupError::io(&path))?).map_err(|error| BackupError::Database(error.to_string()))
}

/// What the segments that were read so far hold.
#[derive(Default)]
struct Reading<'d> {
    directory: Option<&'d Path>,
    sums_from: u64,
    entries: u64,
    data: Wanted,
    /// How many times entries name a chunk.
    named: BTreeMap<ChunkId, u32>,
    /// Small chunks that are named and there.
    small: BTreeSet<ChunkId>,
}

impl Reading<'_> {
    /// Takes a record. Adds it to `records` if it belongs in the database.
    fn take(&mut self, frame: Frame, records: &mut Vec<Frame>) -> Result<(), BackupError> {
        match frame.kind {
            Kind::File => return self.file(&frame),
            Kind::Entry => self.entry(&frame)?,
            // Entries come first. A small chunk that none of them names was about to be removed.
            _ => match small_id(&frame).filter(|id| self.named.contains_key(id)) {
                Some(id) => drop(self.small.insert(id)),
                None => return Ok(()),
            },
        }
        records.push(frame);
        Ok(())
    }

    fn entry(&mut self, frame: &Frame) -> Result<(), BackupError> {
        self.entries += 1;
        self.data.extend(create::data_files(frame, self.sums_from)?);
        let entry = Entry::decode(frame.value.as_slice()).map_err(|error| BackupError::Database(error.to_string()))?;
        for chunk in &entry.chunks {
            let id = ChunkId::of(chunk).map_err(|error| BackupError::Database(error.to_string()))?;
            *self.named.entry(id).or_default() += 1;
        }
        Ok(())
    }

    /// Writes a file beside the database, such as the root key.
    fn file(&self, frame: &Frame) -> Result<(), BackupError> {
        let Some(directory) = self.directory else { return Ok(()) };
        let name = std::str::from_utf8(&frame.key).ok().filter(|name| is_beside(name));
        let name = name
            .ok_or_else(|| BackupError::corrupt(directory, "the backup has a file with a name that it cannot have"))?;
        let path = directory.join(name);
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(&frame.value).and_then(|()| file.sync_all()));
        written.map_err(BackupError::io(&path))
    }
}

fn small_id(frame: &Frame) -> Option<ChunkId> {
    frame.key.as_slice().try_into().ok().map(u64::from_be_bytes).map(ChunkId)
}

fn insert(database: &Database, records: &[Frame]) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let (mut entries, mut small) = (write.open_table(ENTRIES)?, write.open_table(SMALL)?);
        for record in records {
            match small_id(record).filter(|_| record.kind == Kind::Small) {
                Some(id) => drop(small.insert(id.0, record.value.as_slice())?),
                None => drop(entries.insert(record.key.as_slice(), record.value.as_slice())?),
            }
        }
    }
    Ok(write.commit()?)
}
