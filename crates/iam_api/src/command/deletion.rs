//! Deletes entities on which commands on other gateways may begin to rely at the same time.
//!
//! A policy may be deleted while another command attaches it, a user while another command gives it an inline policy.
//! These are two documents and two gateways, but a compare-and-swap guards only one document. So a deletion is first
//! announced in the document itself. Its gateway waits until its own feed delivers the announcement, and with it
//! everything that was written before. Then it checks again whether anything relies on the document. A command that
//! begins to rely on the document checks it once more after its own write. If the document is gone, the write is
//! undone. If its deletion is announced, the command removes the announcement; the deletion's compare-and-swap then
//! fails, and it checks again.
//!
//! An announcement left behind by a crash therefore blocks no one: it is not a lock.

use super::Outcome;
use iam::{Change, RolePlace, Snapshot};

impl Outcome {
    /// What to write before the changes: an announcement in each stored user, group, role or managed policy that they
    /// delete.
    pub fn announcements(&self, state: &Snapshot, now_s: i64) -> Vec<Change> {
        self.changes.iter().filter_map(|change| announcement(change, state, now_s)).collect()
    }
}

fn announcement(change: &Change, state: &Snapshot, now_s: i64) -> Option<Change> {
    match change {
        Change::User(name, None) => {
            let mut record = (*state.user(name)?.record).clone();
            record.deleting_s = now_s;
            Some(Change::User(name.clone(), Some(Ok(record))))
        }
        Change::Group(name, None) => {
            let mut record = (*state.group(name)?.record).clone();
            record.deleting_s = now_s;
            Some(Change::Group(name.clone(), Some(Ok(record))))
        }
        Change::Role(name, RolePlace::Base, None) => {
            let mut record = (*state.role(name)?.record).clone();
            record.deleting_s = now_s;
            Some(Change::Role(name.clone(), RolePlace::Base, Some(Ok(record))))
        }
        Change::Policy(name, place, None) => {
            let mut policy = state.policy(name)?.places.get(place)?.as_ref().ok()?.clone();
            policy.deleting_s = now_s;
            Some(Change::Policy(name.clone(), *place, Some(Ok(policy))))
        }
        _ => None,
    }
}
