//! Removes old snapshots, and what no other snapshot has in common with them.

use std::collections::HashSet;

use super::create::data_files;
use super::error::BackupError;
use super::frame::Kind;
use super::repository::{DATA, Repository, SEGMENTS, data_file, segment_file};

/// Keeps this many of the newest snapshots; 0 keeps all. Returns how many are removed.
///
/// The snapshots go first, so that a crash leaves none without its files. Files that a crash left are removed by
/// the next call that removes a snapshot.
pub(super) fn keep_newest(repository: &mut Repository, keep: usize) -> Result<u64, BackupError> {
    let names = repository.names()?;
    let surplus = if keep == 0 { 0 } else { names.len().saturating_sub(keep) };
    if surplus == 0 {
        return Ok(0);
    }
    let (old, kept) = names.split_at(surplus);
    // A kept snapshot that cannot be read stops this: what it needs is not known.
    let used = Used::by(repository, kept)?;
    repository.remove_snapshots(old)?;
    for directory in [SEGMENTS, DATA] {
        let names = repository.names_in(directory)?;
        repository.remove(names.into_iter().filter(|name| !used.0.contains(name)))?;
    }
    Ok(surplus as u64)
}

/// Names of files that snapshots need.
#[derive(Default)]
struct Used(HashSet<String>);

impl Used {
    fn by(repository: &Repository, snapshots: &[String]) -> Result<Used, BackupError> {
        let mut used = Used::default();
        for name in snapshots {
            let (_, snapshot) = repository.snapshot(Some(name))?;
            for segment in &snapshot.segments {
                if !used.0.insert(segment_file(&segment.sha256)) {
                    continue;
                }
                repository.records(segment, |frame| {
                    if frame.kind == Kind::Entry {
                        let files = data_files(&frame, snapshot.facts.sums_from)?;
                        used.0.extend(files.into_keys().map(data_file));
                    }
                    Ok(())
                })?;
            }
        }
        Ok(used)
    }
}
