//! Removes data files that nothing names: freed ones after a while, those of writes that failed at once, and at the start
//! those that a crash left behind.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use redb::ReadableDatabase;

use super::Shared;
use super::chunk::ChunkId;
use super::commit::Job;
use super::tables::{AT_NEXT_OPEN, FREED, NAMED};

/// How often the list of freed chunks is looked at.
const ROUND: Duration = Duration::from_secs(1);
/// Chunks freed per round at most.
const AT_ONCE: usize = 4096;
/// When a chunk that has no name is given up: nobody assembles a body and then waits so long to store its entry.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// Something for the thread to do.
pub(super) enum Task {
    /// Files that no entry names or ever named.
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
    /// Works until it is told to stop.
    pub(super) fn run(self, swept_start: u64) {
        self.log(self.sweep(swept_start));
        let mut next_round = Instant::now();
        loop {
            match self.tasks.recv_timeout(next_round.saturating_duration_since(Instant::now())) {
                Ok(Task::Remove(ids)) => ids.into_iter().for_each(|id| self.unlink(id)),
                Ok(Task::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.log(self.free());
                    next_round = Instant::now() + ROUND;
                }
            }
        }
    }

    fn log(&self, result: Result<(), redb::Error>) {
        if let Err(error) = result {
            tracing::error!(%error, "data that nothing names could not be removed; the next start tries again");
        }
    }

    fn send(&self, job: Job) {
        // fails only when the filer is being closed, and then the next start does it
        let _ = self.jobs.send(job);
    }

    /// Removes what is due and not being read.
    fn free(&self) -> Result<(), redb::Error> {
        let forgotten = self.shared.chunks.forgotten(FORGOTTEN_AFTER);
        if !forgotten.is_empty() {
            self.send(Job::Free(forgotten));
        }
        let until = super::now_ns().min(AT_NEXT_OPEN - 1);
        let freed = self.shared.database.begin_read()?.open_table(FREED)?;
        let mut gone = Vec::new();
        for row in freed.range((0, 0)..=(until, u64::MAX))?.take(AT_ONCE) {
            let (due_ns, id) = row?.0.value();
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

    fn unlink(&self, id: ChunkId) {
        let path = self.shared.data_file(id);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(path = %path.display(), %error, "a data file that nothing names stays"),
        }
    }

    /// Removes files that an earlier start wrote and that no entry names. Files of this start are never looked at, so a
    /// write in flight is safe.
    fn sweep(&self, swept_start: u64) -> Result<(), redb::Error> {
        let earlier = self.shared.start - 1;
        if swept_start >= earlier {
            return Ok(());
        }
        let named = self.shared.database.begin_read()?.open_table(NAMED)?;
        let mut removed = 0_u64;
        for directory in 0..=u8::MAX {
            let Ok(files) = fs::read_dir(self.shared.data_directory(directory)) else { continue };
            for file in files.flatten() {
                if self.shared.is_closing() {
                    return Ok(());
                }
                let Some(id) = file.file_name().to_str().and_then(ChunkId::from_name) else { continue };
                let unfinished = id.start() > swept_start && id.start() <= earlier;
                if unfinished && named.get(id.0)?.is_none() {
                    self.unlink(id);
                    removed += 1;
                }
            }
        }
        if removed > 0 {
            tracing::info!(removed, "removed data files of writes that had not finished when the filer was stopped");
        }
        self.send(Job::Swept(earlier));
        Ok(())
    }
}
