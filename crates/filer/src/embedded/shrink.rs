//! Gives the room of deleted records back to the disk while the filer runs, where that takes about a second at most.

use redb::{Database, ReadableDatabase, ReadableTableMetadata};

use super::tables::{ENTRIES, FREED, SMALL};

/// Smaller files are left alone, in bytes.
pub(super) const WORTHWHILE_BYTES: u64 = 64 << 20;
/// The most records of a database that is compacted while it is in use.
const ROWS_MAX: u64 = 100_000;
/// The most bytes of such a database that are not free. Compacting moves them, and nobody can use the database meanwhile.
const LIVE_BYTES_MAX: u64 = 64 << 20;

/// Whether at least half of the database's file would be given back soon.
pub(super) fn is_worthwhile(database: &Database, file_bytes: u64) -> Result<bool, redb::Error> {
    // The numbers of records are known. What they take is only counted if they are few.
    let read = database.begin_read()?;
    let rows = read.open_table(ENTRIES)?.len()? + read.open_table(SMALL)?.len()? + read.open_table(FREED)?.len()?;
    drop(read);
    if rows > ROWS_MAX {
        return Ok(false);
    }
    let write = database.begin_write()?;
    let stats = write.stats()?;
    let live_bytes = stats.allocated_pages() * stats.page_size() as u64;
    write.abort()?;
    Ok(live_bytes <= LIVE_BYTES_MAX && live_bytes.saturating_mul(2) <= file_bytes)
}
