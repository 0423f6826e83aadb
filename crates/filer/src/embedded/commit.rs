//! Group commit: one thread takes whatever waits, applies it in one durable database transaction, then answers everyone.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::apply::{Batch, Failure};
use super::chunk::ChunkId;
use super::tables;
use super::{Shared, reap};
use crate::filer::{FilerError, Transaction};

/// Jobs taken into one batch at most: a bound for the time that the first of them waits.
const BATCH_JOBS: usize = 512;
/// How often an idle thread tells the feeds that it is there.
const IDLE: Duration = Duration::from_secs(1);

/// Something for the thread to do.
pub(super) enum Job {
    Transact(Box<Transaction>, Answer),
    /// Data that no entry names.
    Free(Vec<ChunkId>),
    /// Data of the list of freed chunks that is gone now: due time and chunk.
    Forget(Vec<(u64, ChunkId)>),
    /// Files of starts up to this one were looked through.
    Swept(u64),
    Stop,
}

/// Where the result of a transaction goes.
pub(super) type Answer = oneshot::Sender<Result<(), FilerError>>;

/// How far the change feed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Published {
    /// The last change.
    pub(super) position: u64,
    /// The filer's clock: no later change is before this, in ns since 1970.
    pub(super) ts_ns: i64,
}

/// What the thread owns.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: Receiver<Job>,
    pub(super) reaper: std::sync::mpsc::Sender<reap::Task>,
    pub(super) published: watch::Sender<Published>,
}

/// What there is to do once a batch is durable.
struct Committed {
    /// Chunks that have a name now.
    taken: HashSet<ChunkId>,
    /// Chunks that will never have one.
    dropped: Vec<ChunkId>,
    /// The last change; `None` if there was nothing to commit.
    position: Option<u64>,
}

/// A transaction's answer, held back until its batch is durable.
type Answers = Vec<(Answer, Result<(), FilerError>)>;

impl Committer {
    /// Works until it is told to stop.
    pub(super) fn run(self) {
        loop {
            let first = match self.jobs.recv_timeout(IDLE) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    self.publish(None);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut batch = vec![first];
            batch.extend(self.jobs.try_iter().take(BATCH_JOBS - 1));
            let stop = batch.iter().position(|job| matches!(job, Job::Stop));
            batch.truncate(stop.unwrap_or(batch.len()));
            self.commit(batch);
            if stop.is_some() {
                return;
            }
        }
    }

    fn publish(&self, position: Option<u64>) {
        let now_ns = super::now_ns() as i64;
        self.published.send_modify(|published| {
            published.position = position.unwrap_or(published.position);
            published.ts_ns = published.ts_ns.max(now_ns);
        });
    }

    fn commit(&self, batch: Vec<Job>) {
        let mut answers = Answers::new();
        match self.apply(batch, &mut answers) {
            Ok(committed) => self.settle(committed),
            Err(error) => {
                tracing::error!(%error, "the metadata database cannot be written");
                for (_, result) in &mut answers {
                    *result = Err(FilerError::Other(format!("the metadata database cannot be written: {error}")));
                }
            }
        }
        for (answer, result) in answers {
            // whoever asked may be gone; the transaction stands all the same
            let _ = answer.send(result);
        }
    }

    /// Applies a batch and makes it durable. Answers of refused transactions wait as well: what they saw may be the work of
    /// others of the batch.
    fn apply(&self, batch: Vec<Job>, answers: &mut Answers) -> Result<Committed, redb::Error> {
        let mut write = self.shared.database.begin_write()?;
        write.set_quick_repair(true);
        let published = *self.published.borrow();
        let since = (published.position, published.ts_ns);
        let mut tables = Batch::begin(&write, &self.shared.chunks, super::now_ns(), since)?;
        let swept = apply_jobs(&mut tables, batch, answers)?;
        let outcome = tables.end();
        if let Some(start) = swept {
            tables::set_swept(&write, start)?;
        }
        let committed = outcome.changed || swept.is_some();
        if committed {
            write.commit()?
        } else {
            write.abort()?
        }
        Ok(Committed {
            taken: outcome.taken,
            dropped: outcome.dropped,
            position: committed.then_some(outcome.position),
        })
    }

    fn settle(&self, committed: Committed) {
        for id in committed.taken {
            self.shared.chunks.remove(id);
        }
        if committed.position.is_some() {
            self.publish(committed.position);
        }
        let files: Vec<ChunkId> = committed.dropped.into_iter().filter(|id| !id.is_small()).collect();
        if !files.is_empty() {
            // the reaper ends after this thread
            let _ = self.reaper.send(reap::Task::Remove(files));
        }
    }
}

/// Does the jobs of a batch. Returns the start up to which files were looked through, if one of the jobs says so.
fn apply_jobs(tables: &mut Batch<'_>, batch: Vec<Job>, answers: &mut Answers) -> Result<Option<u64>, redb::Error> {
    let mut swept = None;
    let mut failure = None;
    for job in batch {
        let applied = match job {
            Job::Transact(transaction, answer) => {
                // once the database has failed nothing is tried any more, but everyone gets an answer
                let applied = if failure.is_none() { tables.transact(*transaction) } else { Ok(()) };
                let (result, applied) = match applied {
                    Err(Failure::Refused(error)) => (Err(error), Ok(())),
                    applied => (Ok(()), applied),
                };
                answers.push((answer, result));
                applied
            }
            _ if failure.is_some() => Ok(()),
            Job::Free(ids) => tables.free(ids),
            Job::Forget(rows) => tables.forget(rows),
            Job::Swept(start) => {
                swept = Some(start);
                Ok(())
            }
            Job::Stop => Ok(()),
        };
        if let Err(Failure::Storage(error)) = applied {
            failure = Some(error);
        }
    }
    failure.map_or(Ok(swept), Err)
}
