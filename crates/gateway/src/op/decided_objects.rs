use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bucket::rules::BucketError;
use bucket::versions::Version;
use s3::{S3Error, Target};

use crate::errors;

pub(super) type Found = Result<Option<Version>, BucketError>;

/// The objects on which the decisions of a request are based. The operation must use the same ones: an object that replaces one
/// in the meantime may have other tags and another ACL.
#[derive(Default)]
pub struct DecidedObjects(Mutex<Vec<DecidedObject>>);

struct DecidedObject {
    target: Target,
    found: Found,
    /// Whether the operation has used it.
    is_used: bool,
}

impl DecidedObjects {
    fn looks(&self) -> MutexGuard<'_, Vec<DecidedObject>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was found at a place.
    pub(super) fn get(&self, target: &Target) -> Option<Found> {
        self.looks().iter().find(|look| look.target == *target).map(|look| look.found.clone())
    }

    /// The same, for the operation that was decided. It works once: another attempt needs a new decision, and gets a conflict
    /// without one.
    pub(super) fn use_once(&self, target: &Target) -> Result<Option<Found>, S3Error> {
        let mut looks = self.looks();
        let Some(look) = looks.iter_mut().find(|look| look.target == *target) else { return Ok(None) };
        if mem::replace(&mut look.is_used, true) { Err(errors::conflict()) } else { Ok(Some(look.found.clone())) }
    }

    /// Keeps what was found. A filer that did not answer is asked again.
    pub(super) fn add(&self, target: &Target, found: &Found) {
        if matches!(found, Ok(_) | Err(BucketError::Refused(_))) {
            self.looks().push(DecidedObject { target: target.clone(), found: found.clone(), is_used: false });
        }
    }

    /// Forgets everything before the next decision.
    pub fn clear(&self) {
        self.looks().clear();
    }
}
