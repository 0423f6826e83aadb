//! Requests that write go on if their client goes away. Dropped between two steps, an operation would leave only one of them done: a
//! version removed and no other one current, data that no object has, keys deleted without a record.

use std::future;
use std::panic;

use crate::keep_alive::Work;

/// The work as a task of its own. A body that stays away fails there as it does elsewhere.
pub(crate) fn finished_in_any_case(work: Work) -> Work {
    let task = tokio::spawn(work);
    Box::pin(async {
        match task.await.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(response) => response,
            Err(Ok(panicked)) => panic::resume_unwind(panicked),
            // The process ends.
            Err(Err(_cancelled)) => future::pending().await,
        }
    })
}
