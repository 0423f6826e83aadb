//! Names that differ only in case, and equal aliases of two accounts, that are created at the same time on two
//! gateways.
//!
//! These are two documents, so neither compare-and-swap sees the other. Their writers therefore take turns at one
//! filer, and each checks again once its own feed has delivered its write, and with it everything written before. The
//! later one finds the other, and is undone.

use std::sync::Arc;

use super::Outcome;
use iam::{Change, DocumentKey, Snapshot};

impl Outcome {
    /// Whether something that the changes created, because it did not exist `before`, is not unique `now`.
    pub fn collides(&self, before: &Snapshot, now: &Snapshot) -> bool {
        let spelled_twice =
            |key: fn(Arc<str>) -> DocumentKey, name: &Arc<str>| now.count_ignoring_case(&key(name.clone())) > 1;
        self.changes.iter().any(|change| match change {
            Change::User(name, Some(Ok(_))) => before.user(name).is_none() && spelled_twice(DocumentKey::User, name),
            Change::Group(name, Some(Ok(_))) => before.group(name).is_none() && spelled_twice(DocumentKey::Group, name),
            Change::Role(name, _, Some(Ok(_))) => before.role(name).is_none() && spelled_twice(DocumentKey::Role, name),
            Change::Policy(name, _, Some(Ok(_))) => {
                before.policy(name).is_none() && spelled_twice(DocumentKey::Policy, name)
            }
            Change::InstanceProfile(name, Some(Ok(_))) => {
                before.instance_profile(name).is_none() && spelled_twice(DocumentKey::InstanceProfile, name)
            }
            Change::AccountAlias(account, Some(Ok(document))) => {
                let mut others = now.account_aliases().filter(|other| *other.account != **account);
                others.any(|other| other.alias == document.alias)
            }
            _ => false,
        })
    }
}
