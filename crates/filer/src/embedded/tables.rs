//! The metadata database: its tables, how it is opened, and the formats that this version understands.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::chunk::ChunkId;
use super::database::{Store, Trouble};
use super::database_file::{self, Opener};
use super::layout::{DATABASE_FILE, FORMAT};
use super::open_error::OpenError;
use super::pages::Pages;
use super::space::Space;
use super::upgrade;

/// Entry by key (see `key.rs`), a `filer_pb.Entry`.
pub(super) const ENTRIES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("entries");
/// The content of small chunks, by chunk id.
pub(super) const SMALL: TableDefinition<u64, &[u8]> = TableDefinition::new("small");
/// How many times entries name a chunk. 0 means that no entry does any more, but removing the last name kept the data.
pub(super) const NAMED: TableDefinition<u64, u32> = TableDefinition::new("named");
/// Chunks to be freed: (due time in ns since 1970, chunk id). The due time is [`AT_NEXT_OPEN`] for those with a 0 in
/// [`NAMED`].
pub(super) const FREED: TableDefinition<(u64, u64), ()> = TableDefinition::new("freed");
/// Change feed by position, a `change::StoredChange`.
pub(super) const CHANGES: TableDefinition<u64, &[u8]> = TableDefinition::new("changes");
/// Facts about the store.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

/// The due time of data that no entry names although it was to be kept.
pub(super) const AT_NEXT_OPEN: u64 = u64::MAX;

/// An open database and facts about it.
pub(super) struct Opened {
    pub(super) store: Store,
    /// How many times the store has been opened, including this time.
    pub(super) start: u64,
    /// Files of starts up to this one have been checked for leftovers.
    pub(super) swept_start: u64,
    /// The last position of the change feed.
    pub(super) last_change: u64,
    /// The time of the last change, in ns since 1970.
    pub(super) last_change_ns: i64,
    /// Data files of starts from this one on have checksums.
    pub(super) sums_from: u64,
    /// Distinguishes this store from others.
    pub(super) signature: i32,
}

/// Opens the database of a directory. A server makes one if there has never been one. A new one gets this
/// `signature`.
pub(super) fn open(directory: &Path, opener: Opener, signature: i32, space: &Arc<Space>) -> Result<Opened, OpenError> {
    let path = directory.join(DATABASE_FILE);
    if let Some(file) = database_file::find(directory, opener)? {
        return open_file(file, path, signature, space);
    }
    let opened = open_file(database_file::begin(directory)?, path, signature, space)?;
    database_file::finish(directory)?;
    Ok(opened)
}

fn open_file(mut file: File, path: PathBuf, signature: i32, space: &Arc<Space>) -> Result<Opened, OpenError> {
    let mut begin = [0; 16];
    let begun = file.read_at(&mut begin, 0).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let broken = |why: String| OpenError::Database { path: path.clone(), why };
    if upgrade::is_needed(&begin) {
        file = upgrade::run(file, &path, space).map_err(|error| broken(error.to_string()))?;
    } else if begun > 0 && !Pages::is_begun_by(&begin) {
        return Err(broken("it is not a database of Kelpgate".to_owned()));
    }
    let pages = Pages::open(file, Arc::clone(space)).map_err(|error| broken(error.to_string()))?;
    let store = Store::open(pages).map_err(|error| broken(error.to_string()))?;
    let unusable = |trouble: Trouble| broken(crate::filer::FilerError::from(trouble).to_string());
    let found = store.attempt(stored_format).map_err(unusable)?;
    if found > FORMAT {
        return Err(OpenError::NewerFormat { path, found });
    }
    let facts = store.attempt(|database| start(database, signature)).map_err(unusable)?;
    Ok(Opened {
        store,
        start: facts.start,
        swept_start: facts.swept_start,
        last_change: facts.last_change,
        last_change_ns: facts.last_change_ns,
        sums_from: facts.sums_from,
        signature: facts.signature,
    })
}

fn stored_format(database: &Database) -> Result<u64, redb::Error> {
    match database.begin_read()?.open_table(META) {
        Ok(meta) => Ok(meta.get("format")?.map_or(FORMAT, |format| format.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(FORMAT),
        Err(error) => Err(error.into()),
    }
}

/// What the store says at its start.
struct Facts {
    start: u64,
    swept_start: u64,
    last_change: u64,
    last_change_ns: i64,
    sums_from: u64,
    signature: i32,
}

/// Counts the start, creates the tables, and marks data that was kept without a name as due.
fn start(database: &Database, new_signature: i32) -> Result<Facts, redb::Error> {
    let mut write = database.begin_write()?;
    write.set_quick_repair(true);
    let facts = {
        let mut meta = write.open_table(META)?;
        meta.insert("format", FORMAT)?;
        let number =
            |name: &str| -> Result<Option<u64>, redb::Error> { Ok(meta.get(name)?.map(|stored| stored.value())) };
        let start = number("start")?.unwrap_or(0) + 1;
        let sums_from = number("sums_from")?.unwrap_or(start);
        let signature = number("signature")?.map_or(new_signature, |stored| stored as u32 as i32);
        let swept_start = number("swept")?.unwrap_or(0);
        meta.insert("start", start)?;
        meta.insert("sums_from", sums_from)?;
        meta.insert("signature", u64::from(signature as u32))?;
        let (last_change, last_change_ns) = last_change(&write.open_table(CHANGES)?)?;
        Facts { start, swept_start, last_change, last_change_ns, sums_from, signature }
    };
    write.open_table(ENTRIES)?;
    write.open_table(SMALL)?;
    due_kept_data(&write)?;
    write.commit()?;
    Ok(facts)
}

/// The position and time of the last change.
pub(super) fn last_change(changes: &impl ReadableTable<u64, &'static [u8]>) -> Result<(u64, i64), redb::Error> {
    let last = changes.last()?;
    Ok(last.map_or((0, 0), |(position, change)| (position.value(), super::change::change_ns(change.value()))))
}

fn due_kept_data(write: &redb::WriteTransaction) -> Result<(), redb::Error> {
    let mut freed = write.open_table(FREED)?;
    let mut named = write.open_table(NAMED)?;
    let kept = freed.range((AT_NEXT_OPEN, 0)..)?.map(|row| row.map(|(key, _)| key.value().1));
    for id in kept.collect::<Result<Vec<u64>, _>>()? {
        freed.remove((AT_NEXT_OPEN, id))?;
        freed.insert((0, id), ())?;
        named.remove(id)?;
    }
    Ok(())
}

/// Gives a restored database its facts. Everything else is in its tables by then.
pub(super) fn finish_restored(
    database: &Database,
    start: u64,
    sums_from: u64,
    named: &BTreeMap<ChunkId, u32>,
) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let mut counts = write.open_table(NAMED)?;
        for (id, count) in named {
            counts.insert(id.0, count)?;
        }
        // Without a signature: what is written from now on differs from the store that was backed up.
        let mut meta = write.open_table(META)?;
        for (name, number) in [("format", FORMAT), ("start", start), ("sums_from", sums_from), ("swept", start)] {
            meta.insert(name, number)?;
        }
    }
    Ok(write.commit()?)
}

/// Records that the files of starts up to `start` have been checked for leftovers.
pub(super) fn set_swept(write: &redb::WriteTransaction, start: u64) -> Result<(), redb::Error> {
    write.open_table(META)?.insert("swept", start)?;
    Ok(())
}

/// Creates a directory that only this user can enter, if it is missing.
pub(super) fn private_directory(path: &Path) -> Result<(), OpenError> {
    let made = if path.exists() && !path.is_dir() {
        Err(std::io::Error::new(
            std::io::ErrorKind::NotADirectory,
            "it is a file, and a directory is needed: name another path",
        ))
    } else {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
    };
    made.map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_at(directory: &Path, signature: i32) -> Result<Opened, OpenError> {
        open(directory, Opener::Server, signature, &Arc::new(Space::of(directory)))
    }

    #[test]
    fn newer_formats_and_foreign_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let opened = open_at(directory.path(), 5).unwrap();
        assert_eq!((opened.start, opened.signature), (1, 5));
        assert!(matches!(open_at(directory.path(), 6), Err(OpenError::InUse(_))));
        drop(opened);
        let opened = open_at(directory.path(), 6).unwrap();
        assert_eq!((opened.start, opened.signature), (2, 5));
        let newer = |database: &Database| {
            let write = database.begin_write()?;
            write.open_table(META)?.insert("format", FORMAT + 1)?;
            Ok(write.commit()?)
        };
        opened.store.attempt(newer).unwrap();
        drop(opened);
        let error = open_at(directory.path(), 5).err().unwrap();
        assert!(matches!(error, OpenError::NewerFormat { found: 3, .. }), "{error}");
        std::fs::write(directory.path().join("meta.redb"), "no database").unwrap();
        assert!(matches!(open_at(directory.path(), 5), Err(OpenError::Database { .. })));
    }
}
