use std::sync::{Mutex, PoisonError};

use bucket::rules::BucketError;
use bucket::versions::Version;
use s3::Target;

pub(super) type Found = Result<Option<Version>, BucketError>;

/// What the decisions of a request looked at. What is done is done with the same: an object that replaces it in the meantime
/// may have other tags and another ACL.
#[derive(Default)]
pub struct LookedAt(Mutex<Vec<(Target, Found)>>);

impl LookedAt {
    /// What was found at a place.
    pub(super) fn get(&self, target: &Target) -> Option<Found> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(of, _)| of == target).map(|(_, found)| found.clone())
    }

    /// The same, once: what comes later looks again.
    pub(super) fn take(&self, target: &Target) -> Option<Found> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known.iter().position(|(of, _)| of == target)?;
        Some(known.swap_remove(place).1)
    }

    /// Keeps what was found. A filer that did not answer is asked again.
    pub(super) fn add(&self, target: &Target, found: &Found) {
        if matches!(found, Ok(_) | Err(BucketError::Refused(_))) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((target.clone(), found.clone()));
        }
    }

    /// Forgets everything before the next decision.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
