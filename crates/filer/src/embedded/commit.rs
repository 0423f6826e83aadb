//! Group commit: one thread takes all waiting jobs, applies them in one durable database transaction, then answers
//! them.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use redb::{Database, ReadableDatabase};
use tokio::sync::watch;

use super::apply::{Batch, Failure};
use super::change::Published;
use super::chunk::ChunkId;
use super::database::Trouble;
use super::job::Job;
use super::quota::{Added, Quotas};
use super::tables;
use super::{DiskSpace, Shared, reap};
use crate::filer::{FilerError, Transaction};

/// The most jobs in one batch. This limits how long the first of them waits.
const BATCH_JOBS: usize = 512;
/// How often an idle thread sends the feeds a sign of life.
const IDLE: Duration = Duration::from_secs(1);

/// What the thread owns.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: Receiver<Job>,
    pub(super) reaper: std::sync::mpsc::Sender<reap::Task>,
    pub(super) published: watch::Sender<Published>,
    /// Whether more may be stored than is published.
    pub(super) is_behind: Cell<bool>,
}

/// A batch that was applied and may be durable.
#[derive(Default)]
struct Applied {
    /// The results of its jobs, in order. Refused ones are answered only when the batch is durable too: the
    /// reason may be a change by another transaction of the batch.
    results: Vec<Result<(), FilerError>>,
    /// Chunks that now have a name.
    taken: HashSet<ChunkId>,
    /// Chunks that will never have a name.
    dropped: Vec<ChunkId>,
    /// What it adds to buckets with a quota.
    added: Added,
    /// The position of the last change; `None` if there was nothing to commit.
    position: Option<u64>,
}

impl Committer {
    /// Runs until it is told to stop.
    pub(super) fn run(self) {
        loop {
            let first = match self.jobs.recv_timeout(IDLE) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    // A sign of life says that there is nothing else to report.
                    if self.catch_up() {
                        self.publish(None);
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let (batch, last) = self.batch(first);
            self.commit(batch);
            match last {
                Some(Job::Stop) => return,
                Some(Job::Limit(quotas, answer)) => drop(answer.send(self.limit(quotas))),
                _ => {}
            }
        }
    }

    /// The jobs that are waiting, up to one that is done by itself after them.
    fn batch(&self, first: Job) -> (Vec<Job>, Option<Job>) {
        let mut batch = Vec::new();
        for job in std::iter::once(first).chain(self.jobs.try_iter()) {
            if matches!(job, Job::Stop | Job::Limit(..)) {
                return (batch, Some(job));
            }
            batch.push(job);
            if batch.len() == BATCH_JOBS {
                break;
            }
        }
        (batch, None)
    }

    fn limit(&self, quotas: Quotas) -> Result<(), FilerError> {
        let counted = self.shared.store.attempt(|database| self.shared.quotas.set(quotas.clone(), database));
        counted.map_err(FilerError::from)
    }

    fn publish(&self, position: Option<u64>) {
        let now_ns = super::now_ns() as i64;
        self.published.send_modify(|published| {
            published.position = position.unwrap_or(published.position);
            published.ts_ns = published.ts_ns.max(now_ns);
        });
    }

    fn commit(&self, batch: Vec<Job>) {
        let mut applied = Applied::default();
        match self.attempt(&batch, &mut applied) {
            Err(trouble) => self.give_up(batch, trouble),
            Ok(()) => {
                let results = std::mem::take(&mut applied.results);
                self.settle(applied);
                answer(batch, results);
            }
        }
    }

    fn attempt(&self, batch: &[Job], applied: &mut Applied) -> Result<(), Trouble> {
        if self.shared.space.room().0 == DiskSpace::ReadOnly {
            // Not even tried: the error would close the database for readers too.
            return Err(Trouble::Full("the disk is read-only".to_owned()));
        }
        let mut is_first = true;
        loop {
            let attempt = self.shared.store.attempt(|database| self.apply(database, batch, applied));
            let Err(trouble) = attempt else { return Ok(()) };
            if self.is_stored(applied)? {
                return Ok(());
            }
            // Only the refusal that follows somebody else's error: the database is open again by now.
            if !(is_first && matches!(trouble, Trouble::Stale)) {
                return Err(trouble);
            }
            is_first = false;
        }
    }

    /// Whether a batch is stored although its commit ended with an error.
    fn is_stored(&self, applied: &Applied) -> Result<bool, Trouble> {
        let before = self.published.borrow().position;
        let Some(position) = applied.position.filter(|position| *position > before) else { return Ok(false) };
        let stored = self.shared.store.attempt(stored_position).map_err(|_| {
            self.is_behind.set(true);
            Trouble::Unknown
        })?;
        Ok(stored == position)
    }

    /// Publishes changes of which it was not known whether they are stored. False if that is still not known.
    fn catch_up(&self) -> bool {
        if self.is_behind.get()
            && let Ok(position) = self.shared.store.attempt(stored_position)
        {
            self.is_behind.set(false);
            // What a batch of which that was not known has added is counted again.
            if let Some(usage) = self.shared.quotas.usage()
                && let Err(error) = self.limit(usage.quotas().clone())
            {
                tracing::error!(%error, "the bytes of buckets with a quota could not be counted again");
            }
            self.publish(Some(position));
        }
        !self.is_behind.get()
    }

    /// Tries the jobs of a batch one by one if one of them may be to blame. Otherwise reports the error.
    fn give_up(&self, batch: Vec<Job>, trouble: Trouble) {
        if batch.len() > 1 && matches!(trouble, Trouble::Damaged(_) | Trouble::Stale) {
            batch.into_iter().for_each(|job| self.commit(vec![job]));
            return;
        }
        let results = batch.iter().map(|_| Err(trouble.clone().into())).collect();
        answer(batch, results);
    }

    /// Applies a batch and makes it durable.
    fn apply(&self, database: &Database, batch: &[Job], applied: &mut Applied) -> Result<(), redb::Error> {
        *applied = Applied::default();
        let mut write = database.begin_write()?;
        write.set_quick_repair(true);
        let not_before_ns = self.published.borrow().ts_ns;
        let mut tables =
            Batch::begin(&write, &self.shared.chunks, self.shared.quotas.usage(), super::now_ns(), not_before_ns)?;
        let mut swept = None;
        for job in batch {
            match apply_job(&mut tables, job, &mut swept) {
                Err(Failure::Storage(error)) => return Err(error),
                Err(Failure::Refused(error)) => applied.results.push(Err(error)),
                Ok(()) => applied.results.push(Ok(())),
            }
        }
        let outcome = tables.end();
        if let Some(start) = swept {
            tables::set_swept(&write, start)?;
        }
        let is_changed = outcome.changed || swept.is_some();
        applied.position = is_changed.then_some(outcome.position);
        (applied.taken, applied.dropped, applied.added) = (outcome.taken, outcome.dropped, outcome.added);
        if is_changed {
            write.commit()?
        } else {
            write.abort()?
        }
        Ok(())
    }

    fn settle(&self, committed: Applied) {
        for id in committed.taken {
            self.shared.chunks.remove(id);
        }
        if let Some(usage) = self.shared.quotas.usage() {
            usage.add(&committed.added);
        }
        if committed.position.is_some() {
            self.publish(committed.position);
        }
        let files: Vec<ChunkId> = committed.dropped.into_iter().filter(|id| !id.is_small()).collect();
        if !files.is_empty() {
            // The reaper ends after this thread.
            let _ = self.reaper.send(reap::Task::Remove(files));
        }
    }
}

/// Answers the transactions of a batch. There is one result for each job.
fn answer(batch: Vec<Job>, results: Vec<Result<(), FilerError>>) {
    for (job, result) in batch.into_iter().zip(results) {
        if let Job::Transact(_, answer) = job {
            // The caller may be gone; the transaction counts all the same.
            let _ = answer.send(result);
        }
    }
}

fn stored_position(database: &Database) -> Result<u64, redb::Error> {
    Ok(tables::last_change(&database.begin_read()?.open_table(tables::CHANGES)?)?.0)
}

/// Runs a job. `swept` becomes the start up to which files have been checked for leftovers, if the job says so.
fn apply_job(tables: &mut Batch<'_>, job: &Job, swept: &mut Option<u64>) -> Result<(), Failure> {
    match job {
        Job::Transact(transaction, _) => tables.transact(Transaction::clone(transaction)),
        Job::Free(ids) => tables.free(ids),
        Job::Forget(rows) => tables.forget(rows),
        Job::Swept(start) => {
            *swept = Some(*start);
            Ok(())
        }
        Job::Limit(..) | Job::Stop => Ok(()),
    }
}
