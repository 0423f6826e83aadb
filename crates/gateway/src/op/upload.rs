//! Stores a body, for PutObject, UploadPart and the POST form.

use std::task::Poll;

use bucket::new_entry::StoredChecksum;
use filer::{WriteTarget, Written};
use futures_util::{StreamExt, future, stream};
use s3::S3Error;
use sigv4::checksum::Checksum;
use tokio::sync::oneshot;

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
pub async fn store(call: &Call<'_>, target: &WriteTarget, body: ObjectBody) -> Result<Upload, S3Error> {
    store_while(call, target, body, future::ready(())).await.map(|(upload, ())| upload)
}

/// The same. What is done `meanwhile` begins once the whole body has arrived, while the last bytes are being stored.
pub async fn store_while<T>(
    call: &Call<'_>,
    target: &WriteTarget,
    mut body: ObjectBody,
    meanwhile: impl Future<Output = T> + Send,
) -> Result<(Upload, T), S3Error> {
    let (arrived, arrival) = oneshot::channel();
    let mut arrived = Some(arrived);
    let end = stream::poll_fn(move |_| {
        // No one waits for it if the body could not be stored.
        let _ = arrived.take().map(|arrived| arrived.send(()));
        Poll::Ready(None)
    });
    let meanwhile = async {
        let _ = arrival.await;
        Ok(meanwhile.await)
    };
    let written = call.filer().write(target, Box::pin(body.stream().chain(end)));
    let result = future::try_join(written, meanwhile).await;
    call.gateway.metrics.bytes_in.inc_by(body.received_bytes());
    let (written, done) = result.map_err(|error| body.explain(error))?;
    let promised = body.content_md5().map_or(Ok(()), |expected| check_md5(expected, written.md5));
    let checked = match promised {
        Ok(()) => call.require_still_allowed().await,
        broken => broken,
    };
    if let Err(error) = checked {
        call.filer().delete_chunks(written.chunks).await;
        return Err(error);
    }
    Ok((Upload { written, checksum: body.checksum().cloned() }, done))
}
