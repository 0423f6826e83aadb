//! Writes a backup: segments as the records arrive, then the data files that the entries name, then the snapshot.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use prost::Message;

use super::directory::seal_of;
use super::error::BackupError;
use super::frame::{Frame, Kind};
use super::place::Place;
use super::prune;
use super::repository::{Repository, Snapshot, data_file};
use super::serve::Client;
use crate::embedded::blocks::{Broken, DataFile, checksum};
use crate::embedded::chunk::ChunkId;
use crate::embedded::data_file_of;
use crate::entry::{Entry, FileChunk};

/// The usual size of a segment, in bytes.
const SEGMENT_BYTES: usize = 1 << 20;
/// The largest one.
const SEGMENT_BYTES_MAX: usize = 16 * SEGMENT_BYTES;

/// What a backup did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The snapshot's name.
    pub snapshot: String,
    /// Entries in the snapshot.
    pub entries: u64,
    /// Data files that the snapshot names, and their bytes.
    pub data_files: u64,
    /// Bytes of these files.
    pub data_bytes: u64,
    /// Bytes that were not in the backup yet.
    pub new_bytes: u64,
    /// Older snapshots that were removed.
    pub removed: u64,
}

/// Backs up a directory that a process has open. What was acknowledged before this is called is in the backup. Keeps
/// the `keep` newest snapshots and removes the others; 0 keeps all.
///
/// If this fails or is killed at any moment, the snapshots that exist stay as they are.
pub fn create(directory: &Path, to: Box<dyn Place>, keep: usize) -> Result<Created, BackupError> {
    let began_ms = crate::embedded::now_ns() / 1_000_000;
    let lost = |error: io::Error| incomplete(&error);
    let mut client = Client::connect(directory).map_err(lost)?;
    let facts = facts(client.next().map_err(lost)?)?;
    let mut repository = Repository::create(to, facts.signature)?;
    let mut writing = Writing::new(&mut repository, Snapshot::new(facts, began_ms));
    loop {
        let frame = client.next().map_err(lost)?;
        match frame.kind {
            Kind::End => break,
            Kind::Entry | Kind::Small | Kind::File => writing.add(frame)?,
            _ => return Err(failure(&frame)),
        }
    }
    writing.end_segment()?;
    writing.copy_data(directory)?;
    let answer = client.copied().map_err(lost)?;
    if answer.kind != Kind::Kept {
        return Err(failure(&answer));
    }
    let Writing { snapshot: about, new_bytes, .. } = writing;
    let snapshot = repository.store_snapshot(&about)?;
    let removed = prune::keep_newest(&mut repository, keep)?;
    let Snapshot { entries, data_files, data_bytes, .. } = about;
    Ok(Created { snapshot, entries, data_files, data_bytes, new_bytes, removed })
}

fn facts(first: Frame) -> Result<super::freeze::Facts, BackupError> {
    match first.kind {
        Kind::Facts => serde_json::from_slice(&first.value).map_err(|error| BackupError::Incomplete(error.to_string())),
        _ => Err(failure(&first)),
    }
}

fn incomplete(error: &io::Error) -> BackupError {
    BackupError::Incomplete(match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the process that has the directory open ended".to_owned()
        }
        io::ErrorKind::WouldBlock => "no answer for 20 s; another backup may be running, try again later".to_owned(),
        _ => format!("the process that has the directory open cannot be reached: {error}"),
    })
}

fn failure(frame: &Frame) -> BackupError {
    BackupError::Incomplete(match frame.kind {
        Kind::Failed => String::from_utf8_lossy(&frame.value).into_owned(),
        _ => "the stream is not in order".to_owned(),
    })
}

/// Data files: each with its MD5, if that is all there is to check it with.
pub(super) type Wanted = BTreeMap<ChunkId, Option<Vec<u8>>>;

struct Writing<'r> {
    repository: &'r mut Repository,
    snapshot: Snapshot,
    kind: Option<Kind>,
    segment: Vec<u8>,
    wanted: Wanted,
    new_bytes: u64,
}

impl<'r> Writing<'r> {
    fn new(repository: &'r mut Repository, snapshot: Snapshot) -> Writing<'r> {
        Writing { repository, snapshot, kind: None, segment: Vec::new(), wanted: Wanted::new(), new_bytes: 0 }
    }

    fn add(&mut self, frame: Frame) -> Result<(), BackupError> {
        let is_other_kind = self.kind.is_some_and(|kind| kind != frame.kind);
        if is_other_kind || begins_segment(&frame) || self.segment.len() + frame.bytes() > SEGMENT_BYTES_MAX {
            self.end_segment()?;
        }
        if frame.kind == Kind::Entry {
            self.snapshot.entries += 1;
            let sums_from = self.snapshot.facts.sums_from;
            self.wanted.extend(data_files(&frame, sums_from)?);
        }
        self.kind = Some(frame.kind);
        frame.write(&mut self.segment).map_err(|error| BackupError::Incomplete(error.to_string()))
    }

    fn end_segment(&mut self) -> Result<(), BackupError> {
        if self.segment.is_empty() {
            return Ok(());
        }
        let (segment, is_new) = self.repository.store_segment(&self.segment)?;
        self.new_bytes += if is_new { segment.bytes } else { 0 };
        self.snapshot.segments.push(segment);
        self.segment.clear();
        Ok(())
    }

    fn copy_data(&mut self, directory: &Path) -> Result<(), BackupError> {
        for (id, md5) in std::mem::take(&mut self.wanted) {
            let (source, target) = (data_file_of(directory, id), data_file(id));
            let seal = seal_of(&source).map_err(|error| missing(&source, &error))?;
            match self.repository.seal(&target)? {
                None => {
                    self.copy(&source, &target, id, md5.as_deref())?;
                    self.new_bytes += seal.bytes();
                }
                Some(there) if there == seal => {}
                Some(_) => {
                    return Err(self
                        .repository
                        .corrupt(&target, format!("it is not a copy of `{}`", source.display())));
                }
            }
            self.snapshot.data_files += 1;
            self.snapshot.data_bytes += seal.bytes();
        }
        Ok(())
    }

    /// Copies a file after checking that it is what was written once.
    fn copy(&mut self, source: &Path, target: &str, id: ChunkId, md5: Option<&[u8]>) -> Result<(), BackupError> {
        let content = fs::read(source).map_err(|error| missing(source, &error))?;
        check(&content, id, md5).map_err(|why| BackupError::Source { path: source.to_owned(), why })?;
        self.repository.store(target, &content)
    }
}

fn missing(path: &Path, error: &io::Error) -> BackupError {
    BackupError::Source { path: path.to_owned(), why: error.to_string() }
}

/// Whether a segment begins with this record. The record alone decides, in proportion to its size: so two databases that
/// differ in a few records differ in a few segments.
fn begins_segment(frame: &Frame) -> bool {
    let hash = u64::from(checksum(&frame.key));
    hash * (SEGMENT_BYTES as u64) < (frame.bytes() as u64) << 32
}

/// The data files that an entry names.
pub(super) fn data_files(frame: &Frame, sums_from: u64) -> Result<Wanted, BackupError> {
    let unreadable = |why: String| BackupError::Incomplete(format!("an entry cannot be read: {why}"));
    let entry = Entry::decode(frame.value.as_slice()).map_err(|error| unreadable(error.to_string()))?;
    let file = |chunk: &FileChunk| -> Result<_, BackupError> {
        let id = ChunkId::of(chunk).map_err(|error| unreadable(error.to_string()))?;
        let md5 = (id.start() < sums_from).then(|| BASE64.decode(&chunk.e_tag).unwrap_or_default());
        Ok((id, md5))
    };
    let files = entry.chunks.iter().map(file).filter(|file| !matches!(file, Ok((id, _)) if id.is_small()));
    files.collect()
}

/// Compares the content of a data file with its checksums, or with its MD5.
pub(super) fn check(file: &[u8], id: ChunkId, md5: Option<&[u8]>) -> Result<(), String> {
    let why = |broken: Broken| match broken {
        Broken::Missing => "it is missing".to_owned(),
        Broken::Io(error) => error.to_string(),
        Broken::Changed(why) => why,
    };
    let file = DataFile::of(file, id, md5.is_none()).map_err(why)?;
    let content = file.read(0, file.bytes()).map_err(why)?;
    match md5 {
        Some(md5) if Md5::digest(&content).as_slice() != md5 => Err("it does not match its MD5".to_owned()),
        _ => Ok(()),
    }
}
