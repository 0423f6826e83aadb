//! Removes old snapshots, and what no other snapshot has in common with them.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use super::create::data_files;
use super::error::BackupError;
use super::frame::Kind;
use super::repository::{Repository, names_in};
use crate::embedded::chunk::ChunkId;

/// Keeps this many of the newest snapshots; 0 keeps all. Returns how many are removed.
///
/// The snapshots go first, so that a crash leaves none without its files. Files that a crash left are removed by
/// the next call that removes a snapshot.
pub(super) fn keep_newest(repository: &Repository, keep: usize) -> Result<u64, BackupError> {
    let names = repository.names()?;
    let surplus = if keep == 0 { 0 } else { names.len().saturating_sub(keep) };
    if surplus == 0 {
        return Ok(0);
    }
    let (old, kept) = names.split_at(surplus);
    // A kept snapshot that cannot be read stops this: what it needs is not known.
    let used = Used::by(repository, kept)?;
    old.iter().try_for_each(|name| repository.remove_snapshot(name))?;
    remove_others(&repository.segments(), &used.segments)?;
    remove_others(&repository.data(), &used.data)?;
    Ok(surplus as u64)
}

/// Names of files that snapshots need.
#[derive(Default)]
struct Used {
    segments: HashSet<String>,
    data: HashSet<String>,
}

impl Used {
    fn by(repository: &Repository, snapshots: &[String]) -> Result<Used, BackupError> {
        let mut used = Used::default();
        for name in snapshots {
            let (_, snapshot) = repository.snapshot(Some(name))?;
            for segment in &snapshot.segments {
                if !used.segments.insert(segment.sha256.clone()) {
                    continue;
                }
                repository.records(segment, |frame| {
                    if frame.kind == Kind::Entry {
                        let files = data_files(&frame, snapshot.facts.sums_from)?;
                        used.data.extend(files.into_keys().map(ChunkId::name));
                    }
                    Ok(())
                })?;
            }
        }
        Ok(used)
    }
}

/// Removes the files in the directories of a directory that are not used.
fn remove_others(parent: &Path, used: &HashSet<String>) -> Result<(), BackupError> {
    let directories: BTreeSet<String> = names_in(parent)?.into_iter().collect();
    for directory in directories {
        let directory = parent.join(directory);
        for name in names_in(&directory)?.into_iter().filter(|name| !used.contains(name)) {
            let path = directory.join(name);
            fs::remove_file(&path).map_err(BackupError::io(&path))?;
        }
    }
    Ok(())
}
