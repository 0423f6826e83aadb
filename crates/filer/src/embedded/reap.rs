//! Removes data files that no entry names: freed files after a while, files of failed writes at once, and files that a
//! crash left behind at the next start.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase};

use super::chunk::ChunkId;
use super::job::Job;
use super::tables::{AT_NEXT_OPEN, FREED, NAMED};
use super::{DiskSpace, Shared, shrink};
use crate::filer::FilerError;

/// How often the list of freed chunks is checked.
const ROUND: Duration = Duration::from_secs(1);
/// The most chunks freed per round.
const AT_ONCE: usize = 4096;
/// When a chunk without a name is given up: no writer waits this long between storing a body and its entry.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// How often it is checked whether the database should return space to the disk.
const SHRINK_EVERY: Duration = Duration::from_secs(5);
/// How long it rests after it was compacted.
const SHRUNK_FOR: Duration = Duration::from_secs(600);

/// Something for the thread to do.
pub(super) enum Task {
    /// Files that no entry names or has ever named.
    Remove(Vec<ChunkId>),
    Stop,
}

/// What the thread owns.
pub(super) struct Reaper {
    pub(super) shared: Arc<Shared>,
    pub(super) tasks: Receiver<Task>,
    pub(super) jobs: Sender<Job>,
}

impl Reaper {
    /// Runs until it is told to stop. Sweeps first if it is told which starts were swept.
    pub(super) fn run(self, swept_start: Option<u64>) {
        if let Some(swept_start) = swept_start {
            self.log(self.sweep(swept_start));
        }
        let mut next_round = Instant::now();
        let mut next_shrink = Instant::now() + SHRINK_EVERY;
        loop {
            match self.tasks.recv_timeout(next_round.saturating_duration_since(Instant::now())) {
                Ok(Task::Remove(ids)) => ids.into_iter().for_each(|id| self.unlink(id)),
                Ok(Task::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.shared.store.recover();
                    self.shared.space.restore();
                    self.log(self.free());
                    if next_shrink <= Instant::now() {
                        next_shrink = Instant::now() + self.shrink();
                    }
                    next_round = Instant::now() + ROUND;
                }
            }
        }
    }

    fn log(&self, result: Result<(), FilerError>) {
        if let Err(error) = result {
            tracing::error!(%error, "data that no entry names could not be removed; the next start tries again");
        }
    }

    fn send(&self, job: Job) {
        // This fails only while the filer is being closed, and then the next start does it.
        let _ = self.jobs.send(job);
    }

    /// Removes the data that is due and not being read.
    fn free(&self) -> Result<(), FilerError> {
        let forgotten = self.shared.chunks.forgotten(FORGOTTEN_AFTER);
        if !forgotten.is_empty() {
            self.send(Job::Free(forgotten));
        }
        if !self.shared.holds.may_free(self.shared.space.room().0 != DiskSpace::Enough) {
            return Ok(());
        }
        let until = super::now_ns().min(AT_NEXT_OPEN - 1);
        let mut gone = Vec::new();
        for (due_ns, id) in self.shared.store.read(|database| due(database, until))? {
            let id = ChunkId(id);
            if self.shared.chunks.is_held(id) {
                continue;
            }
            if !id.is_small() {
                self.unlink(id);
            }
            gone.push((due_ns, id));
        }
        if !gone.is_empty() {
            self.send(Job::Forget(gone));
        }
        Ok(())
    }

    /// Lets the database return space to the disk, if it is much and takes little time. Returns when to check again.
    fn shrink(&self) -> Duration {
        let bytes = self.shared.database_bytes();
        let is_free = self.shared.space.room().0 != DiskSpace::ReadOnly && self.shared.holds.may_free(false);
        if bytes < shrink::WORTHWHILE_BYTES || !is_free {
            return SHRINK_EVERY;
        }
        let begun = Instant::now();
        let shrunk = match self.shared.store.read(|database| shrink::is_worthwhile(database, bytes)) {
            Ok(false) => return SHRINK_EVERY,
            Ok(true) => self.shared.compact(),
            Err(error) => Err(error),
        };
        match shrunk {
            Ok((before, after)) => {
                let (before_mib, after_mib, ms) = (before >> 20, after >> 20, begun.elapsed().as_millis());
                tracing::info!(before_mib, after_mib, ms, "the metadata database has returned space to the disk");
            }
            Err(error) => tracing::warn!(%error, "the metadata database could not return space to the disk"),
        }
        SHRUNK_FOR
    }

    fn unlink(&self, id: ChunkId) {
        let path = self.shared.data_file(id);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a data file that no entry names cannot be removed")
            }
        }
    }

    /// Removes files that an earlier start wrote and that no entry names. It never considers files of this start, so
    /// writes in progress are safe.
    fn sweep(&self, swept_start: u64) -> Result<(), FilerError> {
        let earlier = self.shared.start - 1;
        if swept_start >= earlier {
            return Ok(());
        }
        let mut removed = 0_u64;
        for directory in 0..=u8::MAX {
            let Ok(files) = fs::read_dir(self.shared.data_directory(directory)) else { continue };
            for file in files.flatten() {
                if self.shared.is_closing() {
                    return Ok(());
                }
                let Some(id) = file.file_name().to_str().and_then(ChunkId::from_name) else { continue };
                let unfinished = id.start() > swept_start && id.start() <= earlier;
                if unfinished && !self.shared.store.read(|database| is_named(database, id))? {
                    self.unlink(id);
                    removed += 1;
                }
            }
        }
        if removed > 0 {
            tracing::info!(removed, "removed data files of writes that were unfinished when the filer stopped");
        }
        self.send(Job::Swept(earlier));
        Ok(())
    }
}

/// The first of the freed chunks that are due: due time and chunk.
fn due(database: &Database, until_ns: u64) -> Result<Vec<(u64, u64)>, redb::Error> {
    let freed = database.begin_read()?.open_table(FREED)?;
    let rows = freed.range((0, 0)..=(until_ns, u64::MAX))?.take(AT_ONCE);
    rows.map(|row| Ok(row?.0.value())).collect()
}

fn is_named(database: &Database, id: ChunkId) -> Result<bool, redb::Error> {
    Ok(database.begin_read()?.open_table(NAMED)?.get(id.0)?.is_some())
}
