//! Storing a body: what PutObject, UploadPart and the POST form share.

use filer::{WriteTarget, Written};
use s3::S3Error;
use sigv4::checksum::Checksum;

use super::Call;
use crate::body::{ObjectBody, check_md5};

/// Data that is stored and has kept every promise made about it. It is named by no entry yet: put it into one, or give its
/// chunks back with [`filer::Filer::delete_chunks`].
pub struct Upload {
    /// Chunks, size and MD5.
    pub written: Written,
    /// The checksum that was asked for.
    pub checksum: Option<Checksum>,
}

/// Stores a body. Nothing stays behind when a promise is broken.
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
