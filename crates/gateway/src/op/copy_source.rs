//! The source of a copy: what may be one, and how its bytes are read from the filer and stored again.

use std::ops::Range;

use bucket::rules;
use bucket::versions::Version;
use filer::{BodyError, BytesIn, BytesOut, Entry, FilerError, WriteTarget, Written};
use futures_util::StreamExt;
use s3::{CopySource, EncryptionHeaders, ReadConditions, Requirement, S3Error, S3ErrorCode, Target};
use sigv4::checksum::{Checksum, ChecksumAlgorithm, Hasher};

use super::Call;
use super::lookup::no_such_key;
use super::upload::Upload;
use crate::errors;

/// The largest source of one copy, in bytes: 5 GiB.
const COPY_BYTES_MAX: u64 = 5 << 30;

/// A checksum in the form of the protocol.
pub fn protocol_checksum(checksum: &Checksum) -> s3::Checksum {
    s3::Checksum { algorithm: checksum.algorithm(), value: checksum.to_base64() }
}

/// Fails with `InvalidRequest` if there are too many bytes for one copy.
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
    /// The object that a copy reads, if its conditions hold. The permission to read it has already been decided.
    pub async fn copy_source(
        &self,
        source: &CopySource,
        conditions: &ReadConditions,
        encryption: &EncryptionHeaders,
    ) -> Result<Entry, S3Error> {
        encryption.require_none()?;
        if self.snapshot.bucket(source.bucket.as_str()).is_none() {
            return Err(S3Error::new(S3ErrorCode::NoSuchBucket).field("BucketName", source.bucket.as_str()));
        }
        let version_id = source.version_id.clone();
        let target = Target { bucket: source.bucket.clone(), key: source.key.clone(), version_id: version_id.clone() };
        let found = self.look_at(&target).await.map_err(errors::from_bucket)?;
        let entry = match found {
            Some(Version::Object(entry)) => *entry,
            Some(Version::DeleteMarker(_)) if version_id.is_some() => {
                let message =
                    "The source of a copy request may not specifically refer to a delete marker by version id.";
                return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
            }
            Some(Version::DeleteMarker(_)) | None => {
                let learn = Requirement::to_learn_whether_key_exists(&source.bucket, &source.key);
                return Err(self.require(&learn).err().unwrap_or_else(|| no_such_key(&source.key)));
            }
        };
        rules::may_read(&entry).map_err(errors::refused)?;
        conditions.check_copy_source(&entry.etag(), entry.attributes().mtime)?;
        Ok(entry)
    }

    /// Stores a range of an object's bytes again.
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
            tracing::error!(name = source.name, "the source of a copy does not have the MD5 with which it was stored");
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

/// The bytes that are copied from one object to another.
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
