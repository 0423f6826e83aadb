//! Deleting what others may begin to rely on at the same moment, on other gateways.
//!
//! A policy is deleted while somebody attaches it, a user while somebody gives it an inline policy: two documents, two gateways, and a
//! compare-and-swap guards one document. So a deletion is announced first, in the document itself. Then its gateway waits until its
//! own feed has brought the announcement, and with it everything that was written before, and looks again whether anything
//! relies on the document. Whoever begins to rely on it looks at it once more after its own write: if it is gone, the write is taken
//! back; if its deletion is announced, the announcement is taken away, and the deletion, which compares, fails and looks again.
//!
//! An announcement that a crash left behind therefore stops nobody: it is no lock.

use super::Outcome;
use crate::change::{Change, PolicyText, RolePlace};
use crate::snapshot::Snapshot;

impl Outcome {
    /// What to write before the changes: an announcement for each stored user, group, role or managed policy that they delete.
    pub fn announcements(&self, state: &Snapshot, now_s: i64) -> Vec<Change> {
        self.changes.iter().filter_map(|change| announcement(change, state, now_s)).collect()
    }
}

fn announcement(change: &Change, state: &Snapshot, now_s: i64) -> Option<Change> {
    match change {
        Change::User(name, None) => {
            let mut document = (*state.user(name)?.document).clone();
            document.facts.deleting_s = now_s;
            Some(Change::User(name.clone(), Some(Ok(document))))
        }
        Change::Group(name, None) => {
            let mut document = (*state.group(name)?.document).clone();
            document.facts.deleting_s = now_s;
            Some(Change::Group(name.clone(), Some(Ok(document))))
        }
        Change::Role(name, RolePlace::Base, None) => {
            let mut document = (*state.role(name)?.document).clone();
            document.facts.deleting_s = now_s;
            Some(Change::Role(name.clone(), RolePlace::Base, Some(Ok(document))))
        }
        Change::Policy(name, place, None) => {
            let PolicyText { text, mut facts } = state.policy(name)?.places.get(place)?.as_ref().ok()?.clone();
            facts.deleting_s = now_s;
            Some(Change::Policy(name.clone(), *place, Some(Ok(PolicyText { text, facts }))))
        }
        _ => None,
    }
}
