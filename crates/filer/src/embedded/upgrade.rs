//! Turns a database file of format 1, which has no checksums of its own, into one of the present format.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use redb::StorageBackend;

use super::database;
use super::layout::NEW_DATABASE_FILE;
use super::pages::{Backend, PAGE_BYTES, Pages};
use super::space::Space;

/// How every redb file begins.
const REDB_MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// Pages that are copied at once.
const PAGES_AT_ONCE: u64 = 256;

/// Whether a file that begins like this is of format 1.
pub(super) fn is_needed(begin: &[u8]) -> bool {
    begin.starts_with(REDB_MAGIC)
}

/// Replaces the file at `path`, which is open and locked as `old`, by one with checksums. Everything in it is verified
/// first. A crash leaves the old file or the new one. Returns the new file, locked.
pub(super) fn run(old: File, path: &Path, space: &Arc<Space>) -> Result<File, redb::Error> {
    let old = Arc::new(old);
    tracing::info!(path = %path.display(), "the metadata database gets checksums; this happens once");
    drop(database::open(Plain(Arc::clone(&old)), true)?);
    let copy_path = path.with_file_name(NEW_DATABASE_FILE);
    let copy = OpenOptions::new().create(true).truncate(true).read(true).write(true).mode(0o600).open(&copy_path)?;
    copy.try_lock().map_err(io::Error::from)?;
    let pages = Arc::new(Pages::open(copy.try_clone()?, Arc::clone(space))?);
    copy_pages(&old, &Backend::new(pages))?;
    fs::rename(&copy_path, path)?;
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(copy)
}

fn copy_pages(old: &File, new: &Backend) -> io::Result<()> {
    let bytes = old.metadata()?.len();
    new.set_len(bytes)?;
    let mut at = 0;
    while at < bytes {
        let mut piece = vec![0; (bytes - at).min(PAGES_AT_ONCE * PAGE_BYTES) as usize];
        old.read_exact_at(&mut piece, at)?;
        new.write(at, &piece)?;
        at += piece.len() as u64;
    }
    new.close()
}

/// A file as redb lays it out.
#[derive(Debug)]
struct Plain(Arc<File>);

impl StorageBackend for Plain {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}
