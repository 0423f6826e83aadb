//! Removing the object of a key, and never anything below it: `a` leaves `a/b`, and `a/` leaves both.

use filer::{Condition, Entry, FilerError, Mutation, Transaction};
use ids::ObjectKey;

use crate::object::still;
use crate::put::Step;
use crate::rules::{self, BucketError};
use crate::writer::Writer;
use crate::{locks, object};

impl Writer<'_> {
    /// Removes what was seen at a key. Fails with `PreconditionFailed` if it is no longer the same.
    pub async fn delete(&self, key: &ObjectKey, seen: &Entry) -> Result<(), BucketError> {
        rules::may_change(seen)?;
        Ok(self.remove(key, seen).await?)
    }

    async fn remove(&self, key: &ObjectKey, seen: &Entry) -> Result<(), FilerError> {
        let Step { path, directory, name, condition_key } = self.step(key);
        let transaction = |step: Mutation| Transaction {
            lock_key: path.clone(),
            conditions: unchanged_and_unlocked(seen),
            condition_key: condition_key.clone(),
            mutations: vec![step],
            ..Transaction::default()
        };
        let delete = Mutation::Delete { directory: directory.clone(), name, delete_data: true, recursive: false };
        if !seen.is_directory {
            return self.filer().transact(transaction(delete)).await;
        }
        let cleared = Mutation::Put { directory, entry: Box::new(self.stamp.plain_directory(seen)) };
        if object::is_prefix_object(seen) {
            // The filer frees the object's data when it is replaced. It is not known whether it does so when a
            // directory is removed.
            self.transact(&path, transaction(cleared)).await?;
            let delete = Transaction { conditions: Vec::new(), ..transaction(delete) };
            return ignore_not_empty(self.filer().transact(delete).await);
        }
        match self.filer().transact(transaction(delete)).await {
            Err(FilerError::NotEmpty(_)) => self.transact(&path, transaction(cleared)).await,
            done => done,
        }
    }
}

/// An object that has a condition at all is removed only if it was not locked since either. One that another program wrote is
/// removed without a condition.
fn unchanged_and_unlocked(seen: &Entry) -> Vec<Condition> {
    still(seen).into_iter().flat_map(|same| [same].into_iter().chain(locks::conditions_of_removal(false))).collect()
}

fn ignore_not_empty(done: Result<(), FilerError>) -> Result<(), FilerError> {
    match done {
        Err(FilerError::NotEmpty(_)) => Ok(()),
        done => done,
    }
}
