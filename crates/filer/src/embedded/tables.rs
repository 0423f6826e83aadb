//! The metadata database: its tables, how it is opened, which formats are understood.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};

/// Entry by key (see `key.rs`), a `filer_pb.Entry`.
pub(super) const ENTRIES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("entries");
/// Content of small chunks by chunk id.
pub(super) const SMALL: TableDefinition<u64, &[u8]> = TableDefinition::new("small");
/// How many times entries name a chunk. 0: none does any more, but whoever removed the last name kept the data.
pub(super) const NAMED: TableDefinition<u64, u32> = TableDefinition::new("named");
/// Chunks to be freed: (due, in ns since 1970; chunk id). [`AT_NEXT_OPEN`] for those of [`NAMED`] with a 0.
pub(super) const FREED: TableDefinition<(u64, u64), ()> = TableDefinition::new("freed");
/// Change feed by position, a `feed::StoredChange`.
pub(super) const CHANGES: TableDefinition<u64, &[u8]> = TableDefinition::new("changes");
/// Facts about the store.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

/// Due time of data that nothing names although it was to be kept.
pub(super) const AT_NEXT_OPEN: u64 = u64::MAX;

/// The format this version writes. Raise it with every change that an older version would misread.
const FORMAT: u64 = 1;
/// Memory for cached pages. The operating system caches the file as well, so a miss is seldom a disk read.
const CACHE_BYTES: usize = 64 << 20;

/// Why a directory could not be opened as a filer.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("`{0}` is in use by another process; stop that one first, or choose another directory")]
    InUse(PathBuf),
    /// It was written by a newer version.
    #[error("`{path}` has store format {found}; this version knows formats up to {FORMAT}: use a newer version")]
    NewerFormat {
        /// The database file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The file system refused.
    #[error("`{path}` cannot be used as the filer's directory: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The database cannot be read.
    #[error("the metadata database `{path}` cannot be opened: {source}; restore it from a backup")]
    Database {
        /// The database file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<redb::Error>,
    },
}

/// An open database and what is known about it.
pub(super) struct Opened {
    pub(super) database: Database,
    /// How many times the store was opened, this time included.
    pub(super) start: u64,
    /// Files of starts up to this one were looked through for remains.
    pub(super) swept_start: u64,
    /// The last position of the change feed.
    pub(super) last_change: u64,
    /// Its time, ns since 1970.
    pub(super) last_change_ns: i64,
    /// Tells this store from others.
    pub(super) signature: i32,
}

/// Opens or creates the database of a directory. `signature` is used if it is new.
pub(super) fn open(directory: &Path, signature: i32) -> Result<Opened, OpenError> {
    let path = directory.join("meta.redb");
    // made here and not by redb: entries hold secret keys, so nobody else may read the file
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let database = Builder::new().set_cache_size(CACHE_BYTES).create(&path).map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(directory.to_owned()),
        other => OpenError::Database { path: path.clone(), source: Box::new(other.into()) },
    })?;
    let broken = |source: redb::Error| OpenError::Database { path: path.clone(), source: Box::new(source) };
    let found = stored_format(&database).map_err(broken)?;
    if found > FORMAT {
        return Err(OpenError::NewerFormat { path, found });
    }
    start(database, signature).map_err(broken)
}

fn stored_format(database: &Database) -> Result<u64, redb::Error> {
    match database.begin_read()?.open_table(META) {
        Ok(meta) => Ok(meta.get("format")?.map_or(FORMAT, |format| format.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(FORMAT),
        Err(error) => Err(error.into()),
    }
}

/// Counts the start, makes the tables, and marks data that was kept without a name as due.
fn start(database: Database, new_signature: i32) -> Result<Opened, redb::Error> {
    let mut write = database.begin_write()?;
    write.set_quick_repair(true);
    let (start, swept_start, signature, last_change, last_change_ns);
    {
        let mut meta = write.open_table(META)?;
        meta.insert("format", FORMAT)?;
        start = meta.get("start")?.map_or(0, |start| start.value()) + 1;
        meta.insert("start", start)?;
        swept_start = meta.get("swept")?.map_or(0, |swept| swept.value());
        let stored = meta.get("signature")?.map(|stored| stored.value());
        signature = stored.map_or(new_signature, |stored| stored as u32 as i32);
        meta.insert("signature", u64::from(signature as u32))?;
        write.open_table(ENTRIES)?;
        write.open_table(SMALL)?;
        let changes = write.open_table(CHANGES)?;
        (last_change, last_change_ns) = match changes.last()? {
            Some((position, change)) => (position.value(), super::feed::change_ns(change.value())),
            None => (0, 0),
        };
        let mut freed = write.open_table(FREED)?;
        let mut named = write.open_table(NAMED)?;
        let kept = freed.range((AT_NEXT_OPEN, 0)..)?.map(|row| row.map(|(key, _)| key.value().1));
        for id in kept.collect::<Result<Vec<u64>, _>>()? {
            freed.remove((AT_NEXT_OPEN, id))?;
            freed.insert((0, id), ())?;
            named.remove(id)?;
        }
    }
    write.commit()?;
    Ok(Opened { database, start, swept_start, last_change, last_change_ns, signature })
}

/// Notes that files of starts up to `start` were looked through.
pub(super) fn set_swept(write: &redb::WriteTransaction, start: u64) -> Result<(), redb::Error> {
    write.open_table(META)?.insert("swept", start)?;
    Ok(())
}

/// Makes a directory that only this user can enter, if it is missing.
pub(super) fn private_directory(path: &Path) -> Result<(), OpenError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_formats_and_strangers_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let opened = open(directory.path(), 5).unwrap();
        assert_eq!((opened.start, opened.signature), (1, 5));
        assert!(matches!(open(directory.path(), 6), Err(OpenError::InUse(_))));
        drop(opened);
        let opened = open(directory.path(), 6).unwrap();
        assert_eq!((opened.start, opened.signature), (2, 5));
        let write = opened.database.begin_write().unwrap();
        write.open_table(META).unwrap().insert("format", FORMAT + 1).unwrap();
        write.commit().unwrap();
        drop(opened);
        let error = open(directory.path(), 5).err().unwrap();
        assert!(matches!(error, OpenError::NewerFormat { found: 2, .. }), "{error}");
        std::fs::write(directory.path().join("meta.redb"), "no database").unwrap();
        assert!(matches!(open(directory.path(), 5), Err(OpenError::Database { .. })));
    }
}
