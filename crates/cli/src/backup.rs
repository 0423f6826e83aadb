//! `kelpgate backup` and `kelpgate restore`.

use filer::EmbeddedFiler;
use filer::embedded::OpenError;
use filer::embedded::backup::{self, Directory, Restored};

use crate::arguments::{Backup, Restore};

const MIB: u64 = 1 << 20;

/// Backs up a directory, whether a server has it open or not.
pub async fn create(arguments: Backup) -> Result<(), String> {
    let Backup { dir, to, keep } = arguments;
    if to.to_string_lossy().contains("://") {
        return Err(format!(
            "-to={} is a URL, which is not supported: back up to a directory, and copy that",
            to.display()
        ));
    }
    if !dir.is_dir() {
        return Err(format!("there is no directory `{}`", dir.display()));
    }
    // A running server hands out the content itself. Without one, this process opens the directory and does the same.
    let _filer = match EmbeddedFiler::open(&dir) {
        Ok(filer) => Some(filer),
        Err(OpenError::InUse(_)) => None,
        Err(error) => return Err(error.to_string()),
    };
    let created = tokio::task::block_in_place(|| backup::create(&dir, Directory::at(&to), keep))
        .map_err(|error| error.to_string())?;
    say!("backup {}", created.snapshot);
    say!("{} entries, {} data files of {} MiB", created.entries, created.data_files, created.data_bytes / MIB);
    say!("{} bytes were new; {} older backups were removed", created.new_bytes, created.removed);
    Ok(())
}

/// Restores or verifies a backup.
pub async fn restore(arguments: Restore) -> Result<(), String> {
    let Restore { from, snapshot, dir, .. } = arguments;
    let run = || match &dir {
        Some(dir) => backup::restore(Directory::at(&from), snapshot.as_deref(), dir),
        None => backup::verify(Directory::at(&from), snapshot.as_deref()),
    };
    let restored = tokio::task::block_in_place(run).map_err(|error| error.to_string())?;
    let Restored { snapshot, entries, data_files, data_bytes, .. } = restored;
    let done = if dir.is_some() { "restored" } else { "is whole" };
    say!("backup {snapshot} {done}: {entries} entries, {data_files} data files of {} MiB", data_bytes / MIB);
    Ok(())
}
