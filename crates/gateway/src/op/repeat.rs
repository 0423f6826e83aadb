//! Changes of an object that start again if it changes in the meantime.

use access::Permit;
use bucket::rules::BucketError;
use filer::FilerError;
use s3::{Needs, S3Error};

use super::Call;
use crate::errors;

/// How often a change starts.
const ATTEMPTS: usize = 8;

/// How often a change of an object has started again.
#[derive(Default)]
pub struct Attempts(usize);

impl Attempts {
    /// A permit for another attempt: the object is no longer the one on which the last one was decided. Fails after several attempts.
    pub async fn decide_again<Op: Needs>(
        &mut self,
        call: &Call<'_>,
        permit: Permit<Op>,
    ) -> Result<Permit<Op>, S3Error> {
        self.0 += 1;
        if self.0 >= ATTEMPTS {
            return Err(errors::conflict());
        }
        call.authorize_again(permit).await
    }
}

/// True if a write was done, false if the object is no longer the one that was seen.
pub fn is_done(written: Result<(), impl Into<BucketError>>) -> Result<bool, S3Error> {
    match written.map_err(Into::into) {
        Ok(()) => Ok(true),
        Err(BucketError::Filer(FilerError::PreconditionFailed)) => Ok(false),
        Err(error) => Err(errors::from_bucket(error)),
    }
}
