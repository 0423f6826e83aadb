//! One batch of transactions inside one database transaction: conditions, steps, chunk counts, change feed.
//!
//! A transaction either happens completely or not at all: what a failing one has changed is undone, while the others of
//! its batch remain.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use prost::Message;
use redb::{ReadableTable, Table, WriteTransaction};

use super::change::{CHANGES_KEPT, StoredChange};
use super::chunk::{ChunkId, Chunks};
use super::condition;
use super::key::{self, ChildKind, Path};
use super::listing::implicit_directory;
use super::quota::{self, Added, Usage};
use super::tables::{self, AT_NEXT_OPEN, CHANGES, ENTRIES, FREED, NAMED, SMALL};
use crate::entry::Entry;
use crate::filer::{FilerError, Mutation, Transaction};
use crate::note::Note;

/// The most rows of old changes that a batch removes, in addition to one for each new row.
const TRIM_AT_ONCE: u64 = 64;
/// How long freed data stays readable, in ns, for readers that looked an entry up just before it was replaced.
const GRACE_NS: u64 = 3_000_000_000;

/// Why a transaction did not happen.
pub(super) enum Failure {
    /// It was refused; the batch continues.
    Refused(FilerError),
    /// The database failed; the whole batch is void.
    Storage(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Storage(error.into())
    }
}

fn refused<T>(error: FilerError) -> Result<T, Failure> {
    Err(Failure::Refused(error))
}

/// A database transaction that combines many transactions of the filer.
pub(super) struct Batch<'t> {
    entries: Table<'t, &'static [u8], &'static [u8]>,
    small: Table<'t, u64, &'static [u8]>,
    named: Table<'t, u64, u32>,
    freed: Table<'t, (u64, u64), ()>,
    changes: Table<'t, u64, &'static [u8]>,
    chunks: &'t Chunks,
    /// The quotas of buckets, if there are any.
    usage: Option<Arc<Usage>>,
    now_ns: u64,
    /// The time of the last change.
    change_ns: i64,
    outcome: Outcome,
}

/// The result of a batch.
#[derive(Default)]
pub(super) struct Outcome {
    /// The position of the last change.
    pub(super) position: u64,
    /// Chunks that now have a name or never will. [`Chunks`] is told when the batch is durable.
    pub(super) taken: HashSet<ChunkId>,
    /// Those of them that never will have a name.
    pub(super) dropped: Vec<ChunkId>,
    /// What it adds to buckets with a quota.
    pub(super) added: Added,
    /// Whether there is something to commit.
    pub(super) changed: bool,
}

/// What a transaction has done so far.
#[derive(Default)]
struct Done {
    /// The changed keys with their previous values, in order.
    undo: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    changes: Vec<StoredChange>,
    chunks: BTreeMap<ChunkId, Uses>,
}

/// How a transaction changes the number of entries that name a chunk.
#[derive(Default)]
struct Uses {
    delta: i64,
    /// Whether a step that removed a name also wants the data freed.
    free: bool,
}

impl<'t> Batch<'t> {
    /// Begins a batch after the last stored change. The next one is later than `not_before_ns`.
    pub(super) fn begin(
        write: &'t WriteTransaction,
        chunks: &'t Chunks,
        usage: Option<Arc<Usage>>,
        now_ns: u64,
        not_before_ns: i64,
    ) -> Result<Batch<'t>, redb::Error> {
        let changes = write.open_table(CHANGES)?;
        let (position, change_ns) = tables::last_change(&changes)?;
        Ok(Batch {
            entries: write.open_table(ENTRIES)?,
            small: write.open_table(SMALL)?,
            named: write.open_table(NAMED)?,
            freed: write.open_table(FREED)?,
            changes,
            chunks,
            usage,
            now_ns,
            change_ns: change_ns.max(not_before_ns),
            outcome: Outcome { position, ..Outcome::default() },
        })
    }

    /// Ends the batch. The caller commits the database transaction.
    pub(super) fn end(self) -> Outcome {
        self.outcome
    }

    /// Checks the conditions of a transaction and applies its steps.
    pub(super) fn transact(&mut self, transaction: Transaction) -> Result<(), Failure> {
        if let Some(required) = &transaction.requires {
            let directory = Path::parse(required).map_err(Failure::Refused)?.directory_key();
            if self.entries.get(directory.as_slice())?.is_none() {
                return refused(FilerError::Missing(required.clone()));
            }
        }
        if !transaction.conditions.is_empty() {
            let entry = self.entry_of_conditions(&transaction)?;
            let now_s = (self.now_ns / 1_000_000_000) as i64;
            if !transaction.conditions.iter().all(|condition| condition::holds(condition, entry.as_ref(), now_s)) {
                return refused(FilerError::PreconditionFailed);
            }
        }
        let mut done = Done::default();
        let mut taken_steps = Ok(());
        for mutation in transaction.mutations {
            taken_steps = self.step(mutation, &mut done);
            if taken_steps.is_err() {
                break;
            }
        }
        match taken_steps.and_then(|()| self.check_chunks(&done)).and_then(|()| self.check_quotas(&done)) {
            Err(Failure::Refused(error)) => {
                self.undo(done.undo)?;
                refused(error)
            }
            Err(storage) => Err(storage),
            Ok(()) => self.finish(done),
        }
    }

    /// The entry that the conditions are about. A file and a directory may both exist at that path. What the
    /// transaction itself puts there decides which one is meant; otherwise it is what a lookup finds.
    fn entry_of_conditions(&self, transaction: &Transaction) -> Result<Option<Entry>, Failure> {
        let path = transaction.condition_key.as_deref().unwrap_or(&transaction.lock_key);
        let path = Path::parse(path).map_err(Failure::Refused)?;
        for mutation in &transaction.mutations {
            let Mutation::Put { directory, entry } = mutation else { continue };
            if Path::child(directory, &entry.name).is_ok_and(|put| put.text() == path.text()) {
                return self.entry(&key_of(&path, entry.is_directory));
            }
        }
        if !path.names_directory()
            && let Some(file) = self.entry(&path.file_key())?
        {
            return Ok(Some(file));
        }
        let key = path.directory_key();
        match self.entry(&key)? {
            None if self.something_below(&key)? => Ok(Some(implicit_directory(path.name()))),
            own => Ok(own),
        }
    }

    fn entry(&self, key: &[u8]) -> Result<Option<Entry>, Failure> {
        self.entries.get(key)?.map(|stored| decoded(key, stored.value())).transpose()
    }

    fn something_below(&self, directory_key: &[u8]) -> Result<bool, Failure> {
        let mut below = self.entries.range::<&[u8]>((Bound::Excluded(directory_key), Bound::Unbounded))?;
        Ok(below.next().transpose()?.is_some_and(|(key, _)| key.value().starts_with(directory_key)))
    }

    fn step(&mut self, mutation: Mutation, done: &mut Done) -> Result<(), Failure> {
        match mutation {
            Mutation::Put { directory, entry } => self.put(&directory, *entry, done),
            Mutation::Delete { directory, name, delete_data, recursive } => {
                let path = Path::child(&directory, &name).map_err(Failure::Refused)?;
                self.delete(&path, delete_data, recursive, done)
            }
            Mutation::Patch { directory, name, set, remove, content } => {
                let path = Path::child(&directory, &name).map_err(Failure::Refused)?;
                let Some((key, mut entry)) = self.own_entry(&path)? else { return Ok(()) };
                entry.extended.retain(|name, _| !remove.contains(name));
                entry.extended.extend(set);
                if let Some(content) = content {
                    let attributes = entry.attributes.get_or_insert_default();
                    attributes.file_size = content.len() as u64;
                    attributes.md5 = super::md5_of(&content).to_vec();
                    entry.content = content;
                }
                self.replace(&path, key, entry, done)
            }
            Mutation::Note(note) => self.note(&note, done),
        }
    }

    fn note(&mut self, note: &Note, done: &mut Done) -> Result<(), Failure> {
        let path = Path::child(&note.directory, &note.name).map_err(Failure::Refused)?;
        let base = path.directory_key();
        let chosen = self.chosen_file(&base, note)?;
        let mut entry = match self.entry(&base)? {
            Some(entry) => entry,
            None if chosen.is_none() => return Ok(()),
            None => implicit_directory(path.name()),
        };
        let before = note.write(chosen.as_ref(), &mut entry);
        self.replace(&path, base, entry, done)?;
        let name = chosen.map(|chosen| chosen.name).unwrap_or_default();
        let (Some((attribute, value)), Some(before)) = (&note.displaced, before.filter(|before| *before != name))
        else {
            return Ok(());
        };
        let path = Path::child(path.text(), &before).map_err(Failure::Refused)?;
        let key = path.file_key();
        let Some(mut displaced) = self.entry(&key)? else { return Ok(()) };
        displaced.extended.insert(attribute.clone(), value.clone());
        self.replace(&path, key, displaced, done)
    }

    /// The file that is first, or last, by name.
    fn chosen_file(&self, directory_key: &[u8], note: &Note) -> Result<Option<Entry>, Failure> {
        let behind = key::behind(directory_key.get(..directory_key.len() - 1).unwrap_or_default().to_vec());
        let below = self.entries.range::<&[u8]>((Bound::Excluded(directory_key), Bound::Excluded(&*behind)))?;
        let except = note.except.as_deref().map(key::escaped);
        let mut chosen = None;
        for row in below {
            let (at, stored) = row?;
            let child = at.value().get(directory_key.len()..).and_then(key::child_of);
            let is_candidate =
                |child: &key::Child<'_>| child.kind == ChildKind::File && except.as_deref() != Some(child.name);
            if child.is_some_and(|child| is_candidate(&child)) {
                chosen = Some(decoded(at.value(), stored.value())?);
                if !note.last {
                    break;
                }
            }
        }
        Ok(chosen)
    }

    fn put(&mut self, directory: &str, entry: Entry, done: &mut Done) -> Result<(), Failure> {
        let path = Path::child(directory, &entry.name).map_err(Failure::Refused)?;
        if entry.name.ends_with('/') || entry.name.is_empty() && !entry.is_directory {
            let text = format!("`{}` in `{directory}` is not a valid name of a file or directory", entry.name);
            return refused(FilerError::Other(text));
        }
        self.replace(&path, key_of(&path, entry.is_directory), entry, done)
    }

    /// Stores an entry, and records what happens to the chunks of the new and the old entry.
    fn replace(&mut self, path: &Path, key: Vec<u8>, mut entry: Entry, done: &mut Done) -> Result<(), Failure> {
        for chunk in &entry.chunks {
            done.chunks.entry(ChunkId::of(chunk).map_err(Failure::Refused)?).or_default().delta += 1;
        }
        let stored = entry.encode_to_vec();
        let old = self.entries.insert(key.as_slice(), stored.as_slice())?.map(|old| old.value().to_vec());
        let old_event = old.as_deref().map(|old| event(&key, old, true, done)).transpose()?;
        entry.chunks = Vec::new();
        done.changes.push(StoredChange::of(path.text(), old_event, Some(entry.encode_to_vec())));
        done.undo.push((key, old));
        Ok(())
    }

    /// The file at a path, or else the directory, if it has an entry of its own.
    fn own_entry(&self, path: &Path) -> Result<Option<(Vec<u8>, Entry)>, Failure> {
        if !path.names_directory() {
            let key = path.file_key();
            if let Some(entry) = self.entry(&key)? {
                return Ok(Some((key, entry)));
            }
        }
        let key = path.directory_key();
        Ok(self.entry(&key)?.map(|entry| (key, entry)))
    }

    fn delete(&mut self, path: &Path, free: bool, recursive: bool, done: &mut Done) -> Result<(), Failure> {
        let file = path.file_key();
        if !path.names_directory() && self.remove(path.text(), file, free, done)? {
            return Ok(());
        }
        let directory = path.directory_key();
        if self.something_below(&directory)? {
            if !recursive {
                return refused(FilerError::NotEmpty(path.text().to_owned()));
            }
            self.delete_below(&directory, free, done)?;
        }
        self.remove(path.text(), directory, free, done)?;
        Ok(())
    }

    fn delete_below(&mut self, directory_key: &[u8], free: bool, done: &mut Done) -> Result<(), Failure> {
        loop {
            let below = self.entries.range::<&[u8]>((Bound::Excluded(directory_key), Bound::Unbounded))?;
            let mut keys = Vec::new();
            for row in below.take(1000) {
                let key = row?.0.value().to_vec();
                if !key.starts_with(directory_key) {
                    break;
                }
                keys.push(key);
            }
            if keys.is_empty() {
                return Ok(());
            }
            for key in keys {
                self.remove(&super::key::unescaped(&key), key, free, done)?;
            }
        }
    }

    fn remove(&mut self, path: &str, key: Vec<u8>, free: bool, done: &mut Done) -> Result<bool, Failure> {
        let Some(old) = self.entries.remove(key.as_slice())?.map(|old| old.value().to_vec()) else { return Ok(false) };
        let old_event = event(&key, &old, free, done)?;
        done.changes.push(StoredChange::of(path, Some(old_event), None));
        done.undo.push((key, Some(old)));
        Ok(true)
    }

    fn undo(&mut self, undo: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), Failure> {
        for (key, old) in undo.into_iter().rev() {
            match old {
                Some(old) => self.entries.insert(key.as_slice(), old.as_slice())?,
                None => self.entries.remove(key.as_slice())?,
            };
        }
        Ok(())
    }

    /// No entry may name data that does not exist.
    fn check_chunks(&self, done: &Done) -> Result<(), Failure> {
        for (id, uses) in &done.chunks {
            if uses.delta > 0 && self.named.get(id.0)?.is_none() && !self.is_unnamed(*id) {
                let why = "it was freed, or never written".to_owned();
                return refused(FilerError::Damaged(id.file_id(), why));
            }
        }
        Ok(())
    }

    /// No bucket may exceed its quota. It is the last check: what it counts is going to happen.
    fn check_quotas(&mut self, done: &Done) -> Result<(), Failure> {
        let Some(usage) = &self.usage else { return Ok(()) };
        let present = |key: &[u8]| Ok(self.entries.get(key)?.map_or(0, |stored| quota::size(Some(stored.value()))));
        let added = usage.added(&done.undo, present)?;
        usage.check(&added, &self.outcome.added).map_err(Failure::Refused)?;
        added.into_iter().for_each(|(bucket, bytes)| *self.outcome.added.entry(bucket).or_default() += bytes);
        Ok(())
    }

    /// Whether no entry names the chunk yet. In memory it counts as unnamed until the batch is durable; within the
    /// batch it counts as named from its first use.
    fn is_unnamed(&self, id: ChunkId) -> bool {
        !self.outcome.taken.contains(&id) && self.chunks.is_unnamed(id)
    }

    fn finish(&mut self, done: Done) -> Result<(), Failure> {
        self.outcome.changed |= !done.changes.is_empty();
        for (id, uses) in done.chunks {
            self.count(id, &uses)?;
        }
        let new_rows = done.changes.len() as u64;
        for mut change in done.changes {
            self.outcome.position += 1;
            self.change_ns = (self.now_ns as i64).max(self.change_ns + 1);
            change.ts_ns = self.change_ns;
            self.changes.insert(self.outcome.position, change.encode_to_vec().as_slice())?;
        }
        self.trim(new_rows + TRIM_AT_ONCE)
    }

    fn count(&mut self, id: ChunkId, uses: &Uses) -> Result<(), Failure> {
        let before = self.named.get(id.0)?.map(|count| count.value());
        if before.is_none() {
            if !self.is_unnamed(id) {
                return Ok(());
            }
            if let Some(small) = self.chunks.small(id) {
                self.small.insert(id.0, &small[..])?;
            }
            self.outcome.taken.insert(id);
        }
        if before == Some(0) {
            self.freed.remove((AT_NEXT_OPEN, id.0))?;
        }
        let after = (i64::from(before.unwrap_or(0)) + uses.delta).clamp(0, i64::from(u32::MAX)) as u32;
        if after == 0 && uses.free {
            self.named.remove(id.0)?;
            self.freed.insert((self.now_ns + GRACE_NS, id.0), ())?;
            return Ok(());
        }
        self.named.insert(id.0, after)?;
        if after == 0 {
            self.freed.insert((AT_NEXT_OPEN, id.0), ())?;
        }
        Ok(())
    }

    fn trim(&mut self, at_most: u64) -> Result<(), Failure> {
        let keep_from = self.outcome.position.saturating_sub(CHANGES_KEPT);
        for _ in 0..at_most {
            match self.changes.first()? {
                Some((position, _)) if position.value() <= keep_from => {}
                _ => break,
            }
            self.changes.pop_first()?;
        }
        Ok(())
    }

    /// Frees chunks that no entry names. Named ones are left alone.
    pub(super) fn free(&mut self, ids: &[ChunkId]) -> Result<(), Failure> {
        for id in ids.iter().copied() {
            let count = self.named.get(id.0)?.map(|count| count.value());
            match count {
                None if self.is_unnamed(id) => {
                    self.outcome.taken.insert(id);
                    self.outcome.dropped.push(id);
                }
                None => {}
                Some(0) => {
                    self.named.remove(id.0)?;
                    self.freed.remove((AT_NEXT_OPEN, id.0))?;
                    self.freed.insert((self.now_ns + GRACE_NS, id.0), ())?;
                    self.outcome.changed = true;
                }
                Some(names) => {
                    tracing::warn!(chunk = id.name(), names, "not freed: an entry names the chunk");
                    self.outcome.taken.insert(id);
                }
            }
        }
        Ok(())
    }

    /// Forgets chunks on the list of freed ones whose data is removed.
    pub(super) fn forget(&mut self, rows: &[(u64, ChunkId)]) -> Result<(), Failure> {
        for (due_ns, id) in rows.iter().copied() {
            self.outcome.changed |= self.freed.remove((due_ns, id.0))?.is_some();
            if id.is_small() {
                self.small.remove(id.0)?;
            }
        }
        Ok(())
    }
}

fn key_of(path: &Path, is_directory: bool) -> Vec<u8> {
    if is_directory { path.directory_key() } else { path.file_key() }
}

fn decoded(key: &[u8], stored: &[u8]) -> Result<Entry, Failure> {
    super::decoded(key, stored).map_err(Failure::Refused)
}

/// The old entry of a change, without its chunks; records that it no longer names them.
fn event(key: &[u8], old: &[u8], free: bool, done: &mut Done) -> Result<Vec<u8>, Failure> {
    let mut entry = decoded(key, old)?;
    if entry.chunks.is_empty() {
        return Ok(old.to_vec());
    }
    for chunk in &entry.chunks {
        let Ok(id) = ChunkId::of(chunk) else { continue };
        let uses = done.chunks.entry(id).or_default();
        uses.delta -= 1;
        uses.free |= free;
    }
    entry.chunks = Vec::new();
    Ok(entry.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use redb::ReadableDatabase;

    use super::*;
    use crate::embedded::database_file::Opener;
    use crate::embedded::space::Space;
    use crate::entry::FileChunk;
    use crate::filer::Condition;

    fn put(name: &str, chunks: &[ChunkId]) -> Mutation {
        let chunks = chunks.iter().map(|id| FileChunk { file_id: id.file_id(), ..FileChunk::default() }).collect();
        Mutation::Put {
            directory: "/d".to_owned(),
            entry: Box::new(Entry { name: name.to_owned(), chunks, ..Entry::default() }),
        }
    }

    fn delete(name: &str, delete_data: bool) -> Mutation {
        Mutation::Delete { directory: "/d".to_owned(), name: name.to_owned(), delete_data, recursive: false }
    }

    fn steps(mutations: Vec<Mutation>) -> Transaction {
        Transaction { mutations, ..Transaction::default() }
    }

    fn on(name: &str, condition: Condition, mutations: Vec<Mutation>) -> Transaction {
        Transaction { lock_key: format!("/d/{name}"), conditions: vec![condition], ..steps(mutations) }
    }

    /// Runs transactions in one batch. Returns which of them succeeded, the names that are then stored, how often the
    /// chunks are named, how many chunks are on the list of freed ones, and how many changes were reported.
    fn batch(
        transactions: Vec<Transaction>,
        ids: &[ChunkId],
    ) -> (Vec<bool>, Vec<String>, Vec<Option<u32>>, usize, u64) {
        let directory = tempfile::tempdir().unwrap();
        let space = Arc::new(Space::of(directory.path()));
        let store = super::super::tables::open(directory.path(), Opener::Server, 1, &space).unwrap().store;
        let chunks = Chunks::default();
        for id in ids {
            chunks.add(*id, Some(Bytes::from_static(b"small")));
        }
        let seen = store.attempt(|database| {
            let write = database.begin_write()?;
            let mut batch = Batch::begin(&write, &chunks, None, 1, 0)?;
            let happened = transactions.iter().map(|transaction| match batch.transact(transaction.clone()) {
                Ok(()) => true,
                Err(Failure::Refused(_)) => false,
                Err(Failure::Storage(error)) => panic!("{error}"),
            });
            let happened = happened.collect();
            let outcome = batch.end();
            write.commit()?;
            let read = database.begin_read()?;
            let entries = read.open_table(ENTRIES)?;
            let name =
                |row: Result<(_, redb::AccessGuard<'_, &[u8]>), _>| Entry::decode(row.unwrap().1.value()).unwrap().name;
            let names = entries.range::<&[u8]>(..)?.map(name).collect();
            let named = read.open_table(NAMED)?;
            let counts = ids.iter().map(|id| named.get(id.0).unwrap().map(|count| count.value())).collect();
            let freed = read.open_table(FREED)?.range::<(u64, u64)>(..)?.count();
            Ok((happened, names, counts, freed, outcome.position))
        });
        seen.unwrap()
    }

    #[test]
    fn a_refused_transaction_is_undone_while_its_batch_remains() {
        let (a, b) = (ChunkId::new(1, 1, true), ChunkId::new(1, 2, true));
        let unknown = ChunkId::new(1, 3, true);
        let exists = || Condition::Exists;
        for (transactions, want) in [
            (
                vec![
                    steps(vec![put("x", &[a]), put("y", &[])]),
                    steps(vec![put("x", &[b]), delete("y", true), put("z", &[]), put("w", &[unknown])]),
                    steps(vec![put("v", &[])]),
                ],
                (vec![true, false, true], vec!["v", "x", "y"], vec![Some(1), None], 0, 3),
            ),
            // Each transaction sees what the earlier ones did.
            (
                vec![
                    on("x", exists(), vec![put("x", &[])]),
                    on("x", Condition::NotExists, vec![put("x", &[])]),
                    on("x", Condition::NotExists, vec![put("x", &[])]),
                    on("x", exists(), vec![put("y", &[])]),
                ],
                (vec![false, true, false, true], vec!["x", "y"], vec![None, None], 0, 2),
            ),
            // A chunk that got its first name and was freed in the same batch is gone.
            (
                vec![steps(vec![put("x", &[a])]), steps(vec![delete("x", true)]), steps(vec![put("y", &[a])])],
                (vec![true, true, false], vec![], vec![None, None], 1, 2),
            ),
            // A chunk that was to be kept is not gone.
            (
                vec![steps(vec![put("x", &[a])]), steps(vec![delete("x", false)]), steps(vec![put("y", &[a])])],
                (vec![true, true, true], vec!["y"], vec![Some(1), None], 0, 3),
            ),
            (
                vec![steps(vec![put("x", &[a, a]), put("y", &[a, b]), put("x", &[])])],
                (vec![true], vec!["x", "y"], vec![Some(1), Some(1)], 0, 3),
            ),
            (
                vec![steps(vec![put("x", &[a]), delete("x", false)]), steps(vec![put("y", &[b]), delete("y", true)])],
                (vec![true, true], vec![], vec![Some(0), None], 2, 4),
            ),
        ] {
            let shown = format!("{transactions:?}");
            let (happened, names, counts, freed, position) = batch(transactions, &[a, b]);
            let names = names.iter().map(String::as_str).collect();
            assert_eq!((happened, names, counts, freed, position), want, "{shown}");
        }
    }
}
