//! `kelpgate compact`: gives the room of deleted records back to the disk.

use crate::arguments::Compact;
use crate::place;

const MIB: u64 = 1 << 20;

/// Compacts the database of a directory.
pub async fn run(compact: Compact) -> Result<(), String> {
    let filer = place::open_directory(&compact.dir)?;
    let (before, after) = tokio::task::block_in_place(|| filer.compact()).map_err(|error| error.to_string())?;
    say!("the metadata database had {} MiB and has {} MiB now", before / MIB, after / MIB);
    Ok(())
}
