//! The limits of uploads in progress: `-concurrentFileUploadLimit` and `-concurrentUploadLimitMB`.

use std::sync::Arc;

use s3::{S3Error, S3ErrorCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts the uploads in progress and their bytes.
#[derive(Debug, Clone, Default)]
pub struct UploadLimits {
    files: Option<Arc<Semaphore>>,
    megabytes: Option<(Arc<Semaphore>, u32)>,
}

/// A place among the uploads in progress.
#[derive(Debug)]
pub struct UploadPlace {
    _file: Option<OwnedSemaphorePermit>,
    _megabytes: Option<OwnedSemaphorePermit>,
}

impl UploadLimits {
    /// Limits to `files` uploads and `megabytes` of announced bodies at the same time; 0 means no limit.
    pub fn new(files: u64, megabytes: u64) -> Self {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let megabytes = u32::try_from(megabytes).unwrap_or(u32::MAX);
        Self {
            files: (files > 0).then(|| Arc::new(Semaphore::new(count(files)))),
            megabytes: (megabytes > 0).then(|| (Arc::new(Semaphore::new(count(megabytes.into()))), megabytes)),
        }
    }

    /// A place for an upload of `bytes`, or `SlowDown` if there is none. An upload larger than the limit takes all of
    /// it.
    pub fn enter(&self, bytes: Option<u64>) -> Result<UploadPlace, S3Error> {
        let full = |what: &str| {
            S3Error::with_message(S3ErrorCode::SlowDown, format!("Too many {what} are in progress. Try again later."))
                .header("retry-after", "1")
        };
        let file = match &self.files {
            Some(files) => Some(Arc::clone(files).try_acquire_owned().map_err(|_| full("uploads"))?),
            None => None,
        };
        let megabytes = match &self.megabytes {
            Some((semaphore, limit)) => {
                let wanted = bytes.unwrap_or(0).div_ceil(1 << 20).clamp(1, (*limit).into());
                let wanted = u32::try_from(wanted).unwrap_or(*limit);
                let place = Arc::clone(semaphore).try_acquire_many_owned(wanted);
                Some(place.map_err(|_| full("uploaded bytes"))?)
            }
            None => None,
        };
        Ok(UploadPlace { _file: file, _megabytes: megabytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_run_out_and_are_released() {
        let limits = UploadLimits::new(2, 10);
        let (first, second) = (limits.enter(Some(1)).unwrap(), limits.enter(None).unwrap());
        assert_eq!(limits.enter(None).unwrap_err().code, S3ErrorCode::SlowDown);
        drop(first);
        assert_eq!(limits.enter(Some(10 << 20)).unwrap_err().code, S3ErrorCode::SlowDown);
        drop(second);
        drop(limits.enter(Some(u64::MAX)).unwrap());
        drop(UploadLimits::default().enter(Some(u64::MAX)).unwrap());
    }
}
