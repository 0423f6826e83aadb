//! Changes of what protects a version.

use std::collections::BTreeMap;

use filer::{Condition, Entry, FilerError, Mutation, Transaction};
use ids::{ObjectKey, Retention};

use crate::attributes;
use crate::locks::Lock;
use crate::put::Step;
use crate::rules::BucketError;
use crate::version_writes::Guard;
use crate::writer::Writer;

impl Writer<'_> {
    /// Holds a version that was seen, or ends its legal hold. Fails with `PreconditionFailed` if it is gone.
    pub async fn set_legal_hold(&self, key: &ObjectKey, seen: &Entry, is_held: bool) -> Result<(), BucketError> {
        let Step { path, directory, name, .. } = self.step_of_entry(key, seen);
        let hold = if is_held { "ON" } else { "OFF" };
        let set = BTreeMap::from([(attributes::LEGAL_HOLD.to_owned(), hold.into())]);
        let mutations = vec![Mutation::Patch { directory, name, set, remove: Vec::new(), content: None }];
        let (conditions, condition_key) = (vec![Condition::Exists], Some(path.clone()));
        let lock_key = self.objects.path(key);
        let hold = Transaction { lock_key, conditions, condition_key, mutations, ..Transaction::default() };
        Ok(self.transact(&path, hold).await?)
    }

    /// Replaces the retention of a version that was seen, if its lock allows that, or removes it. Fails with
    /// `PreconditionFailed` if something about the key has changed meanwhile: look again.
    pub async fn set_retention(
        &self,
        key: &ObjectKey,
        seen: &Entry,
        retention: Option<Retention>,
        bypasses_governance: bool,
    ) -> Result<(), BucketError> {
        let Step { path, directory, name, .. } = self.step_of_entry(key, seen);
        // Read the mark before the lock. A change of the lock after that also changes the mark, and this write fails.
        let versions = self.directory_with_mark(key).await?;
        let found = self.filer().lookup(&path).await?.ok_or(FilerError::PreconditionFailed)?;
        let known = Lock::of(&found);
        known.may_retain(retention, self.stamp.seconds, bypasses_governance)?;
        let attributes = [attributes::LOCK_MODE, attributes::RETAIN_UNTIL].map(str::to_owned);
        let (set, remove) = match retention {
            Some(Retention { mode, until_s }) => {
                let values = [mode.as_str().into(), until_s.to_string().into_bytes()];
                (attributes.into_iter().zip(values).collect(), Vec::new())
            }
            None => (BTreeMap::new(), attributes.into()),
        };
        let patch = Mutation::Patch { directory, name, set, remove, content: None };
        // Each change of a retention changes the mark, and so does each removal of a version. Of two at the same time the
        // second looks again: it must neither undo a stricter retention nor retain what is gone.
        let Guard { conditions, condition_key } = self.guard_of_directory(key, Some(&versions));
        let retain = Transaction {
            lock_key: self.objects.path(key),
            conditions,
            condition_key,
            mutations: vec![patch, self.new_mark_step(key)],
            ..Transaction::default()
        };
        Ok(self.transact(&path, retain).await?)
    }

    /// The directory of a key's versions. A filer cannot compare an attribute of the object itself, so an object that is
    /// its only version gets a directory for the mark.
    async fn directory_with_mark(&self, key: &ObjectKey) -> Result<Entry, FilerError> {
        if let Some(directory) = self.objects.versions_directory_to_write(key).await? {
            return Ok(directory);
        }
        self.make_directory_of_null(key).await?;
        self.objects.versions_directory(key).await?.ok_or(FilerError::PreconditionFailed)
    }
}
