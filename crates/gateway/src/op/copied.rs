//! The source of a copy: who may be one, and its bytes on their way from the filer back into it.

use std::ops::Range;

use filer::{BodyError, BytesIn, BytesOut, Entry, FilerError, WriteTarget, Written};
use futures_util::StreamExt;
use s3::{CopySource, EncryptionHeaders, ReadConditions, Requirement, S3Error, S3ErrorCode};
use sigv4::checksum::{Checksum, ChecksumAlgorithm, Hasher};

use super::Call;
use super::answer;
use super::find::no_such_key;
use super::upload::Upload;
use crate::errors;

/// The most bytes that one copy takes: 5 GiB.
const COPY_BYTES_MAX: u64 = 5 << 30;

/// A checksum in the words of the protocol.
pub fn protocol_checksum(checksum: &Checksum) -> s3::Checksum {
    s3::Checksum { algorithm: checksum.algorithm(), value: checksum.to_base64() }
}

/// `InvalidRequest` for more bytes than one copy takes.
pub fn check_copy_bytes(bytes: u64) -> Result<(), S3Error> {
    if bytes > COPY_BYTES_MAX {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
        ));
    }
    Ok(())
}

impl Call<'_> {
    /// The object that a copy reads, if its conditions hold. Permission to read it was decided at the door.
    pub async fn copy_source(
        &self,
        source: &CopySource,
        conditions: &ReadConditions,
        encryption: &EncryptionHeaders,
    ) -> Result<Entry, S3Error> {
        encryption.require_none()?;
        let Some(bucket) = self.snapshot.bucket(source.bucket.as_str()) else {
            return Err(S3Error::new(S3ErrorCode::NoSuchBucket).field("BucketName", source.bucket.as_str()));
        };
        answer::refuse_version(source.version_id.as_ref(), bucket.keeps_versions())?;
        let entry = self.object_if_any(&source.bucket, &source.key).await?;
        let entry = entry.ok_or_else(|| {
            // Who may not list the bucket is not told which keys it lacks.
            let list = Requirement::on_bucket("s3:ListBucket", &source.bucket);
            self.may(&list).err().unwrap_or_else(|| no_such_key(&source.key))
        })?;
        answer::refuse_encrypted(&entry)?;
        conditions.check_copy_source(&entry.etag(), entry.attributes().mtime)?;
        Ok(entry)
    }

    /// Stores a range of an object's bytes a second time.
    pub async fn copy_bytes(
        &self,
        source: &Entry,
        range: Range<u64>,
        target: &WriteTarget,
        checksum: Option<ChecksumAlgorithm>,
    ) -> Result<Upload, S3Error> {
        let length = range.end.saturating_sub(range.start);
        if length == 0 {
            let nothing: BytesOut = Box::pin(futures_util::stream::empty());
            return self.store_copy(nothing, 0, target, checksum).await;
        }
        let bytes = self.filer().read(source, range.start, length).await.map_err(errors::from_filer)?;
        let copy = self.store_copy(bytes, length, target, checksum).await?;
        let whole = length == source.content_bytes();
        let md5 = &source.attributes().md5;
        if whole && md5.len() == copy.written.md5.len() && md5.as_slice() != copy.written.md5 {
            self.filer().delete_chunks(copy.written.chunks).await;
            tracing::error!(name = source.name, "the source of a copy does not have the MD5 it was stored with");
            return Err(S3ErrorCode::InternalError.into());
        }
        Ok(copy)
    }

    async fn store_copy(
        &self,
        bytes: BytesOut,
        length: u64,
        target: &WriteTarget,
        checksum: Option<ChecksumAlgorithm>,
    ) -> Result<Upload, S3Error> {
        let mut passing = Passing { bytes, hasher: checksum.map(Hasher::new), failure: None, received_bytes: 0 };
        let written: Written = match self.filer().write(target, passing.stream()).await {
            Ok(written) => written,
            Err(error) => return Err(errors::from_filer(passing.failure.take().unwrap_or(error))),
        };
        if passing.received_bytes != length {
            self.filer().delete_chunks(written.chunks).await;
            tracing::error!(
                path = target.path,
                length,
                got = passing.received_bytes,
                "the source of a copy ended early"
            );
            return Err(S3ErrorCode::InternalError.into());
        }
        Ok(Upload { written, checksum: passing.hasher.map(Hasher::finish) })
    }
}

/// Bytes on their way from one object to another.
struct Passing {
    bytes: BytesOut,
    hasher: Option<Hasher>,
    failure: Option<FilerError>,
    received_bytes: u64,
}

impl Passing {
    fn stream(&mut self) -> BytesIn<'_> {
        Box::pin(futures_util::stream::unfold(self, |passing| async move {
            let piece = match passing.bytes.next().await? {
                Ok(piece) => {
                    passing.received_bytes += piece.len() as u64;
                    if let Some(hasher) = &mut passing.hasher {
                        hasher.update(&piece);
                    }
                    Ok(piece)
                }
                Err(error) => {
                    let text = format!("the source of the copy: {error}");
                    passing.failure = Some(error);
                    Err(BodyError(text))
                }
            };
            Some((piece, passing))
        }))
    }
}
