//! Stores a body, for PutObject, UploadPart and the POST form.

use bucket::new_entry::StoredChecksum;
use filer::{WriteTarget, Written};
use s3::S3Error;
use sigv4::checksum::Checksum;

use super::Call;
use crate::body::{ObjectBody, check_md5};

/// Stored data that keeps every promise made about it. No entry names it yet: put it into one, or free its chunks with
/// [`filer::Filer::delete_chunks`].
pub struct Upload {
    /// Chunks, size and MD5.
    pub written: Written,
    /// The requested checksum.
    pub checksum: Option<Checksum>,
}

impl Upload {
    /// The checksum as an entry holds it.
    pub fn stored_checksum(&self) -> Option<StoredChecksum> {
        let stored = |checksum: &Checksum| StoredChecksum {
            algorithm: checksum.algorithm(),
            value: checksum.to_base64(),
            kind: None,
        };
        self.checksum.as_ref().map(stored)
    }
}

/// Stores a body. Leaves nothing behind if a promise is broken.
pub async fn store(call: &Call<'_>, target: &WriteTarget, mut body: ObjectBody) -> Result<Upload, S3Error> {
    let result = call.filer().write(target, body.stream()).await;
    call.gateway.metrics.bytes_in.inc_by(body.received_bytes());
    let written = result.map_err(|error| body.explain(error))?;
    if let Some(expected) = body.content_md5()
        && let Err(error) = check_md5(expected, written.md5)
    {
        call.filer().delete_chunks(written.chunks).await;
        return Err(error);
    }
    Ok(Upload { written, checksum: body.checksum().cloned() })
}
