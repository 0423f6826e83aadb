//! `kelpgate backup` and `kelpgate restore`.

mod bucket;

use std::path::Path;

use filer::EmbeddedFiler;
use filer::embedded::OpenError;
use filer::embedded::backup::{self, Directory, Place, Restored};

use crate::arguments::{Backup, BackupPlace, Restore};
use bucket::{Bucket, SCHEME};

const MIB: u64 = 1 << 20;

/// The directory or bucket that a flag names.
fn place(flag: &str, value: &str, at: &BackupPlace) -> Result<Box<dyn Place>, String> {
    if value.starts_with(SCHEME) {
        return Bucket::at(value, at.endpoint.as_deref());
    }
    if value.contains("://") {
        return Err(format!("{flag}={value}: backups are kept in a directory, or in a bucket, `s3://BUCKET/PREFIX`"));
    }
    match at.endpoint {
        Some(_) => Err(format!("-endpoint is for a bucket, and {flag}={value} is a directory: leave it out")),
        None => Ok(Directory::at(Path::new(value))),
    }
}

/// Refuses a backup inside what it backs up: they would be lost together.
fn outside(dir: &Path, to: &str) -> Result<(), String> {
    let itself = dir.canonicalize().map_err(|error| format!("`{}` cannot be read: {error}", dir.display()))?;
    let absolute = std::path::absolute(to).map_err(|error| format!("-to={to}: {error}"))?;
    let existing = absolute.ancestors().find_map(|path| path.canonicalize().ok());
    if existing.is_some_and(|path| path.starts_with(&itself)) {
        let dir = dir.display();
        return Err(format!(
            "-to={to} is inside `{dir}`, and would be lost with it: name a place outside, preferably on another disk"
        ));
    }
    Ok(())
}

/// Backs up a directory, whether a server has it open or not.
pub async fn create(arguments: Backup) -> Result<(), String> {
    let Backup { dir, to, at, keep } = arguments;
    let backups = place("-to", &to, &at)?;
    if !dir.is_dir() {
        return Err(format!("there is no directory `{}`", dir.display()));
    }
    if !to.starts_with(SCHEME) {
        outside(&dir, &to)?;
    }
    // A running server hands out the content itself. Without one, this process opens the directory and does the same.
    let _filer = match EmbeddedFiler::open_existing(&dir) {
        Ok(filer) => Some(filer),
        Err(OpenError::InUse(_)) => None,
        Err(error) => return Err(error.to_string()),
    };
    let created =
        tokio::task::block_in_place(|| backup::create(&dir, backups, keep)).map_err(|error| error.to_string())?;
    say!("backup {}", created.snapshot);
    say!("{} entries, {} data files of {} MiB", created.entries, created.data_files, created.data_bytes / MIB);
    say!("{} bytes were new; {} older backups were removed", created.new_bytes, created.removed);
    Ok(())
}

/// Restores or verifies a backup.
pub async fn restore(arguments: Restore) -> Result<(), String> {
    let Restore { from, at, snapshot, dir, verify } = arguments;
    if verify && dir.is_some() {
        return Err("-verify restores nothing, and -dir names where to restore: leave one of them out".to_owned());
    }
    let from = place("-from", &from, &at)?;
    let run = || match &dir {
        Some(dir) => backup::restore(from, snapshot.as_deref(), dir),
        None => backup::verify(from, snapshot.as_deref()),
    };
    let restored = tokio::task::block_in_place(run).map_err(|error| error.to_string())?;
    let Restored { snapshot, entries, data_files, data_bytes, .. } = restored;
    let done = if dir.is_some() { "restored" } else { "is whole" };
    say!("backup {snapshot} {done}: {entries} entries, {data_files} data files of {} MiB", data_bytes / MIB);
    Ok(())
}
