//! Lookups and listings.

use std::ops::Bound;

use redb::{Database, ReadableDatabase};

use super::Shared;
use super::key::{self, ChildKind, Path};
use super::tables::ENTRIES;
use crate::entry::{Attributes, Entry};
use crate::filer::{Below, FilerError, ListOptions};

/// Go's `os.ModeDir | 0777`.
const DIRECTORY_MODE: u32 = 1 << 31 | 0o777;

/// The entry of a directory that exists only because there is something below it.
pub(super) fn implicit_directory(name: &str) -> Entry {
    let attributes = Attributes { file_mode: DIRECTORY_MODE, ..Attributes::default() };
    Entry { name: name.to_owned(), is_directory: true, attributes: Some(attributes), ..Entry::default() }
}

/// The file at a path, or else the directory.
pub(super) fn lookup(shared: &Shared, path: &str) -> Result<Option<Entry>, FilerError> {
    let path = Path::parse(path)?;
    Ok(match shared.store.read(|database| find(database, &path))? {
        Found::Nothing => None,
        Found::Stored(key, stored) => Some(super::decoded(&key, &stored)?),
        Found::Implicit => Some(implicit_directory(path.name())),
    })
}

/// What exists at a path.
enum Found {
    Nothing,
    /// A key and its value.
    Stored(Vec<u8>, Vec<u8>),
    /// A directory that exists only because something is below it.
    Implicit,
}

fn find(database: &Database, path: &Path) -> Result<Found, redb::Error> {
    let entries = database.begin_read()?.open_table(ENTRIES)?;
    if !path.names_directory() {
        let key = path.file_key();
        if let Some(stored) = entries.get(key.as_slice())? {
            let stored = stored.value().to_vec();
            return Ok(Found::Stored(key, stored));
        }
    }
    let key = path.directory_key();
    let first = entries.range::<&[u8]>(key.as_slice()..)?.next().transpose()?;
    Ok(match first {
        Some((at, stored)) if at.value() == key => Found::Stored(key, stored.value().to_vec()),
        Some((at, _)) if at.value().starts_with(&key) => Found::Implicit,
        // The root always exists.
        _ if key.len() == 1 => Found::Implicit,
        _ => Found::Nothing,
    })
}

/// A page of a directory. The time depends on how much it returns, not on what is below the directories in it.
pub(super) fn list(shared: &Shared, directory: &str, options: &ListOptions) -> Result<Vec<Entry>, FilerError> {
    let directory = Path::directory(directory)?;
    let listed = shared.store.read(|database| scan(database, &directory, options))?;
    listed.into_iter().map(|row| row.entry(options.omit_chunks)).collect()
}

/// How many entries are a sample of a directory that has too many.
pub(super) const SAMPLE: usize = 16;

/// What is below a directory. The time depends on `limit` keys at most, and on the entries that it returns.
pub(super) fn below(shared: &Shared, directory: &str, limit: usize) -> Result<Below, FilerError> {
    let directory = Path::directory(directory)?;
    let (rows, is_complete) = shared.store.read(|database| scan_below(database, &directory, limit))?;
    let entry = |(rest, stored): (Vec<u8>, Vec<u8>)| {
        let slash = if key::is_directory(&rest) { "/" } else { "" };
        Ok((format!("{}{slash}", key::unescaped(&rest)), super::decoded(&rest, &stored)?))
    };
    Ok(Below { entries: rows.into_iter().map(entry).collect::<Result<_, FilerError>>()?, is_complete })
}

/// The keys from the directory's own key on, with their values, and whether these are all.
type RowsBelow = (Vec<(Vec<u8>, Vec<u8>)>, bool);

fn scan_below(database: &Database, directory: &Path, limit: usize) -> Result<RowsBelow, redb::Error> {
    let entries = database.begin_read()?.open_table(ENTRIES)?;
    let base = directory.directory_key();
    let below = || -> Result<_, redb::Error> { Ok(entries.range::<&[u8]>(key_after(&base).as_slice()..)?) };
    let row = |at: &[u8], stored: &[u8]| (at.get(base.len()..).unwrap_or_default().to_vec(), stored.to_vec());
    // Count the keys first: beyond a sample, values are copied only if they are needed.
    let (mut count, mut rows) = (0, Vec::new());
    for found in below()? {
        let (at, stored) = found?;
        if count > limit || !at.value().starts_with(&base) {
            break;
        }
        count += 1;
        if rows.len() < SAMPLE {
            rows.push(row(at.value(), stored.value()));
        }
    }
    let is_complete = count <= limit;
    if is_complete {
        for found in below()?.skip(rows.len()).take(count - rows.len()) {
            let (at, stored) = found?;
            rows.push(row(at.value(), stored.value()));
        }
    }
    Ok((rows, is_complete))
}

/// The smallest key that can follow another one.
fn key_after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// A child of a directory.
struct Row {
    name: Vec<u8>,
    is_directory: bool,
    /// The entry, unless it is implicit.
    stored: Option<Vec<u8>>,
}

impl Row {
    fn entry(self, omit_chunks: bool) -> Result<Entry, FilerError> {
        let Some(stored) = self.stored else { return Ok(implicit_directory(&key::unescaped(&self.name))) };
        let mut entry = super::decoded(&self.name, &stored)?;
        if omit_chunks {
            entry.chunks = Vec::new();
        }
        Ok(entry)
    }
}

fn scan(database: &Database, directory: &Path, options: &ListOptions) -> Result<Vec<Row>, redb::Error> {
    let entries = database.begin_read()?.open_table(ENTRIES)?;
    let base = directory.directory_key();
    let wanted = [base.as_slice(), &key::escaped(&options.prefix)].concat();
    let mut from = Bound::Included(wanted.clone());
    if !options.start_from.is_empty() {
        let start = [base.as_slice(), &key::escaped(&options.start_from)].concat();
        let start = if options.inclusive { start } else { key::behind(start) };
        if start > wanted {
            from = Bound::Included(start);
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    'seek: loop {
        let from_key = match &from {
            Bound::Included(key) => Bound::Included(key.as_slice()),
            Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
            Bound::Unbounded => Bound::Unbounded,
        };
        for row in entries.range::<&[u8]>((from_key, Bound::Unbounded))? {
            let (at, stored) = row?;
            let Some(rest) = at.value().starts_with(&wanted).then(|| at.value().get(base.len()..)).flatten() else {
                return Ok(rows);
            };
            let Some(child) = key::child_of(rest) else { continue };
            let is_directory = child.kind != ChildKind::File;
            // A directory with the same name as a file is included even if the page is full, so that paging by name
            // misses neither.
            let beside = is_directory && rows.last().is_some_and(|last| !last.is_directory && last.name == child.name);
            if rows.len() >= options.limit && !beside {
                return Ok(rows);
            }
            let stored = (child.kind != ChildKind::Below).then(|| stored.value().to_vec());
            rows.push(Row { name: child.name.to_vec(), is_directory, stored });
            if is_directory {
                from = Bound::Included(key::behind([base.as_slice(), child.name].concat()));
                continue 'seek;
            }
        }
        return Ok(rows);
    }
}
