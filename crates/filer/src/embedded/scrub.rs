//! Scrubbing: reads everything that is stored and compares it with its checksums, a bit at a time.
//!
//! A pass first reads the pages of the database, then, entry by entry, the data files that entries name.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use redb::{Database, ReadableDatabase};

use super::blocks::{Broken, DataFile};
use super::chunk::ChunkId;
use super::pages::{DamagedPage, PAGE_BYTES};
use super::tables::{CHANGES, ENTRIES, FREED, NAMED, SMALL};
use super::{EmbeddedFiler, Shared, key};
use crate::entry::{Entry, FileChunk};
use crate::filer::FilerError;

/// Pages that are read at once.
const PAGES_AT_ONCE: u64 = 256;
/// Bytes of a data file that are read at once.
const PIECE_BYTES: u64 = 1 << 20;
/// The beginning of the keys that are searched for in a corrupt page: buckets and IAM documents.
const KEY_BEGINNINGS: [&[u8]; 2] = [b"\0buckets\0", b"\0etc\0"];

/// Something stored that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it, and where.
    pub why: String,
    /// Paths of the entries that are affected, as far as they are known.
    pub paths: Vec<String>,
    /// Whether everything behind the path is affected, not the path itself.
    pub hides_what_follows: bool,
}

/// How far the scrubbing of a filer has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were read and compared since the filer was opened.
    pub bytes: u64,
    /// Findings of the pass that is running, or of the last one if it is over.
    pub findings: u64,
    /// Passes that came to their end.
    pub passes: u64,
}

/// Where a pass goes on.
#[derive(Debug, Default)]
enum Next {
    /// At this page.
    #[default]
    Start,
    Page(u64),
    /// Behind this key.
    Entry(Vec<u8>),
    /// In a data file: the entry's key, its chunks from this one on, and an offset in the first of them.
    File(Vec<u8>, Vec<FileChunk>, u64),
}

/// Scrubs a filer that is open.
pub struct Scrubber {
    shared: Arc<Shared>,
    next: Next,
    /// Keys that were recognised in corrupt pages of this pass.
    held: BTreeSet<Vec<u8>>,
    /// Findings about pages that a crash may have left and that nothing points to.
    uncertain: Vec<Finding>,
    /// The MD5 so far of a data file without checksums.
    digest: Md5,
}

/// What a step did.
#[derive(Debug, Default)]
pub struct Step {
    /// What it found.
    pub findings: Vec<Finding>,
    /// Whether the pass has come to its end. The next step begins another one.
    pub is_complete: bool,
}

impl Scrubber {
    /// A scrubber that begins with a new pass.
    pub fn new(filer: &EmbeddedFiler) -> Scrubber {
        let shared = Arc::clone(&filer.shared);
        Scrubber { shared, next: Next::Start, held: BTreeSet::new(), uncertain: Vec::new(), digest: Md5::new() }
    }

    /// Reads about this many bytes; blocks while it does. An error ends the pass.
    pub fn step(&mut self, bytes: u64) -> Result<Step, FilerError> {
        let mut step = Step::default();
        let mut done = 0;
        while done < bytes.max(1) && !step.is_complete {
            let next = std::mem::take(&mut self.next);
            done += self.advance(next, &mut step)?;
        }
        self.shared.progress(|progress| {
            progress.bytes += done;
            progress.findings += step.findings.len() as u64;
            progress.passes += u64::from(step.is_complete);
        });
        Ok(step)
    }

    /// Reads only the database, all of it.
    pub fn database(mut self) -> Vec<Finding> {
        let mut step = Step::default();
        let mut first = Some(0);
        while let Some(page) = first {
            self.pages(page, &mut step);
            first = if let Next::Page(page) = self.next { Some(page) } else { None };
        }
        step.findings
    }

    /// One bit of work. Returns its size in bytes.
    fn advance(&mut self, next: Next, step: &mut Step) -> Result<u64, FilerError> {
        match next {
            Next::Start => {
                self.held.clear();
                self.uncertain.clear();
                self.shared.progress(|progress| progress.findings = 0);
                self.next = Next::Page(0);
                Ok(0)
            }
            Next::Page(first) => Ok(self.pages(first, step)),
            Next::Entry(after) => self.entry(after, step),
            Next::File(key, chunks, at) => self.file(key, chunks, at, step),
        }
    }

    fn pages(&mut self, first: u64, step: &mut Step) -> u64 {
        let pages = self.shared.store.pages();
        let behind = (first + PAGES_AT_ONCE).min(pages.count());
        for page in first..behind {
            let Some(damaged) = pages.verify(page) else { continue };
            let keys = keys_in(&pages.raw(page));
            let finding = self.finding_of(damaged, &keys);
            let findings = if pages.may_be_unused(page) { &mut self.uncertain } else { &mut step.findings };
            findings.push(finding);
            self.held.extend(keys);
        }
        if behind < pages.count() {
            self.next = Next::Page(behind);
        } else {
            self.settle_uncertain(step);
            self.next = Next::Entry(Vec::new());
        }
        (behind - first) * PAGE_BYTES
    }

    /// Decides whether anything points to the uncertain pages: by reading everything.
    fn settle_uncertain(&mut self, step: &mut Step) {
        let uncertain = std::mem::take(&mut self.uncertain);
        if !uncertain.is_empty() && self.shared.store.read(read_everything).is_err() {
            step.findings.extend(uncertain);
        }
    }

    fn finding_of(&self, damaged: DamagedPage, keys: &BTreeSet<Vec<u8>>) -> Finding {
        let paths = keys.iter().map(|key| key::unescaped(key)).collect();
        Finding { file: self.shared.database_file(), why: damaged.to_string(), paths, hides_what_follows: false }
    }

    fn entry(&mut self, after: Vec<u8>, step: &mut Step) -> Result<u64, FilerError> {
        match self.shared.store.read(|database| entry_after(database, &after)) {
            Ok(None) => step.is_complete = true,
            Ok(Some((key, stored))) => {
                let entry = super::decoded(&key, &stored)?;
                self.next = Next::File(key, entry.chunks, 0);
                return Ok(stored.len() as u64);
            }
            // The page is already among the findings. The pass goes on behind what the page held.
            Err(FilerError::Damaged(..)) => {
                match self.held.range::<Vec<u8>, _>((Bound::Excluded(&after), Bound::Unbounded)).next() {
                    Some(key) => self.next = Next::Entry(key.clone()),
                    None => {
                        let why = "a corrupt page hides which entries follow; their data files were not checked";
                        let paths = vec![key::unescaped(&after)];
                        let file = self.shared.database_file();
                        step.findings.push(Finding { file, why: why.to_owned(), paths, hides_what_follows: true });
                        step.is_complete = true;
                    }
                }
            }
            Err(error) => return Err(error),
        }
        Ok(0)
    }

    fn file(&mut self, key: Vec<u8>, chunks: Vec<FileChunk>, at: u64, step: &mut Step) -> Result<u64, FilerError> {
        let Some((chunk, rest)) = chunks.split_first() else {
            self.next = Next::Entry(key);
            return Ok(0);
        };
        let id = match ChunkId::of(chunk) {
            Ok(id) if !id.is_small() => id,
            // Small chunks are records of the database.
            _ => {
                self.next = Next::File(key, rest.to_vec(), 0);
                return Ok(0);
            }
        };
        match self.piece(id, chunk, at) {
            Ok((bytes, false)) => {
                self.next = Next::File(key, chunks, at + bytes);
                return Ok(bytes);
            }
            Ok((bytes, true)) => {
                self.next = Next::File(key, rest.to_vec(), 0);
                return Ok(bytes);
            }
            Err(Broken::Missing) if !self.still_names(&key, chunk)? => {}
            Err(broken) => {
                let (file, why) = (self.shared.data_file(id), why(&broken));
                let paths = vec![key::unescaped(&key)];
                step.findings.push(Finding { file, why, paths, hides_what_follows: false });
            }
        }
        self.next = Next::File(key, rest.to_vec(), 0);
        Ok(0)
    }

    /// Checks a piece of a data file. Returns its size and whether it is the last one.
    fn piece(&mut self, id: ChunkId, chunk: &FileChunk, at: u64) -> Result<(u64, bool), Broken> {
        let has_sums = self.shared.has_sums(id);
        let file = DataFile::open(&self.shared.data_file(id), id, has_sums)?;
        let bytes = file.bytes().saturating_sub(at).min(PIECE_BYTES);
        let content = file.read(at, bytes)?;
        let is_last = at + bytes >= file.bytes();
        if !has_sums {
            if at == 0 {
                self.digest.reset();
            }
            self.digest.update(&content);
            let expected = BASE64.decode(&chunk.e_tag).unwrap_or_default();
            if is_last && chunk.size == file.bytes() && self.digest.finalize_reset().as_slice() != expected {
                return Err(Broken::Changed("it does not match its MD5".to_owned()));
            }
        }
        Ok((bytes, is_last))
    }

    /// Whether the entry still has this chunk: it may have been replaced in the meantime.
    fn still_names(&self, key: &[u8], chunk: &FileChunk) -> Result<bool, FilerError> {
        let stored = self.shared.store.read(|database| entry_at(database, key))?;
        let entry = stored.map(|stored| super::decoded(key, &stored)).transpose()?;
        Ok(entry.is_some_and(|entry: Entry| entry.chunks.iter().any(|named| named.file_id == chunk.file_id)))
    }
}

fn why(broken: &Broken) -> String {
    match broken {
        Broken::Missing => "it is missing".to_owned(),
        Broken::Io(error) => error.to_string(),
        Broken::Changed(why) => why.clone(),
    }
}

/// A key and its value.
type Record = (Vec<u8>, Vec<u8>);

fn entry_after(database: &Database, after: &[u8]) -> Result<Option<Record>, redb::Error> {
    let entries = database.begin_read()?.open_table(ENTRIES)?;
    let mut following = entries.range::<&[u8]>((Bound::Excluded(after), Bound::Unbounded))?;
    let first = following.next().transpose()?;
    Ok(first.map(|(key, stored)| (key.value().to_vec(), stored.value().to_vec())))
}

/// Reads every record.
fn read_everything(database: &Database) -> Result<(), redb::Error> {
    let read = database.begin_read()?;
    read.open_table(ENTRIES)?.range::<&[u8]>(..)?.try_for_each(|row| row.map(drop))?;
    read.open_table(SMALL)?.range::<u64>(..)?.try_for_each(|row| row.map(drop))?;
    read.open_table(NAMED)?.range::<u64>(..)?.try_for_each(|row| row.map(drop))?;
    read.open_table(FREED)?.range::<(u64, u64)>(..)?.try_for_each(|row| row.map(drop))?;
    Ok(read.open_table(CHANGES)?.range::<u64>(..)?.try_for_each(|row| row.map(drop))?)
}

fn entry_at(database: &Database, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
    let entries = database.begin_read()?.open_table(ENTRIES)?;
    Ok(entries.get(key)?.map(|stored| stored.value().to_vec()))
}

/// What looks like keys of entries in a corrupt page: for the operator, who wants to know what it held.
fn keys_in(page: &[u8]) -> BTreeSet<Vec<u8>> {
    let begins = |at: usize| {
        let rest = page.get(at..).unwrap_or_default();
        KEY_BEGINNINGS.iter().any(|beginning| rest.starts_with(beginning))
    };
    let starts: Vec<usize> = (0..page.len()).filter(|at| begins(*at)).collect();
    let ends = starts.iter().skip(1).copied().chain([page.len()]);
    let runs = starts.iter().zip(ends).filter_map(|(start, end)| page.get(*start..end));
    runs.map(|run| {
        let printable = |byte: &u8| *byte == 0 || *byte >= b' ';
        run.iter().copied().take_while(printable).collect()
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_page() {
        let page = b"\x01\x02junk\0buckets\0b\0a key\0buckets\0b\0dir\0\0etc\0iam\0x.json\n\x03name";
        let keys: Vec<String> = keys_in(page).iter().map(|key| key::unescaped(key)).collect();
        assert_eq!(keys, ["/buckets/b/a key", "/buckets/b/dir", "/etc/iam/x.json"]);
    }
}
