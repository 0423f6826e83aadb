//! What the committing thread is asked to do.

use tokio::sync::oneshot;

use super::chunk::ChunkId;
use super::quota::Quotas;
use crate::filer::{FilerError, Transaction};

/// One of its jobs.
pub(super) enum Job {
    Transact(Box<Transaction>, Answer),
    /// Frees data that no entry names.
    Free(Vec<ChunkId>),
    /// Removes rows from the list of freed chunks, whose data is gone: due time and chunk.
    Forget(Vec<(u64, ChunkId)>),
    /// Records that the files of starts up to this one have been checked for leftovers.
    Swept(u64),
    /// Sets the quotas of buckets.
    Limit(Quotas, Answer),
    Stop,
}

/// Where the result of a transaction goes.
pub(super) type Answer = oneshot::Sender<Result<(), FilerError>>;
