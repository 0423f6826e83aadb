use ids::{BucketName, ObjectKey};

use super::multipart::{part_number, upload_id};
use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::conditional::ReadConditions;
use crate::copy_source::CopySource;
use crate::object_headers::EncryptionHeaders;
use crate::range::ByteRange;
use crate::request::Request;
use crate::version_id::UploadId;

/// `PUT /bucket/key?partNumber=&uploadId=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPart {
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// The upload.
    pub upload_id: UploadId,
    /// 1 to 10000.
    pub part_number: u32,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// `Content-Length`: the bytes on the wire.
    pub content_length: Option<u64>,
    /// `x-amz-decoded-content-length`: the bytes of the part in an aws-chunked body.
    pub decoded_content_length: Option<u64>,
    /// Keys of customers, if any were sent.
    pub encryption: EncryptionHeaders,
}

impl UploadPart {
    pub(crate) fn parse(request: &Request<'_>, bucket: BucketName, key: ObjectKey) -> Result<Self, S3Error> {
        Ok(Self {
            bucket,
            key,
            upload_id: upload_id(request)?,
            part_number: part_number(request)?,
            checksums: BodyChecksums::parse(request)?,
            content_length: request.length("content-length")?,
            decoded_content_length: request.length("x-amz-decoded-content-length")?,
            encryption: EncryptionHeaders::parse(request)?,
        })
    }

    /// The size of the part, when the head says it.
    pub fn object_bytes(&self) -> Option<u64> {
        self.decoded_content_length.or(self.content_length)
    }
}

/// `PUT /bucket/key?partNumber=&uploadId=` with `x-amz-copy-source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPartCopy {
    /// The bucket that is written.
    pub bucket: BucketName,
    /// The key that is written.
    pub key: ObjectKey,
    /// The upload.
    pub upload_id: UploadId,
    /// 1 to 10000.
    pub part_number: u32,
    /// The object that is read.
    pub source: CopySource,
    /// `x-amz-copy-source-range`, first and last byte; it must lie inside the source.
    pub source_range: Option<(u64, u64)>,
    /// `x-amz-copy-source-if-*`.
    pub source_conditions: ReadConditions,
    /// Keys of customers, if any were sent.
    pub encryption: EncryptionHeaders,
}

impl UploadPartCopy {
    pub(crate) fn parse(request: &Request<'_>, bucket: BucketName, key: ObjectKey) -> Result<Self, S3Error> {
        Ok(Self {
            bucket,
            key,
            upload_id: upload_id(request)?,
            part_number: part_number(request)?,
            source: CopySource::from_request(request)?,
            source_range: source_range(request)?,
            source_conditions: ReadConditions::parse_copy_source(request)?,
            encryption: EncryptionHeaders::parse(request)?,
        })
    }
}

fn source_range(request: &Request<'_>) -> Result<Option<(u64, u64)>, S3Error> {
    const HEADER: &str = "x-amz-copy-source-range";
    let Some(text) = request.header(HEADER)? else { return Ok(None) };
    match ByteRange::parse(&text) {
        Some(ByteRange::FromTo(first, last)) => Ok(Some((first, last))),
        _ => Err(S3Error::invalid_argument(
            HEADER,
            &*text,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
        )),
    }
}
