use ids::{BucketName, ObjectKey};

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::conditional::WriteCondition;
use crate::object_headers::ObjectHeaders;
use crate::request::Request;

/// `PUT /bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObject {
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// What the object is given besides its bytes.
    pub object: Box<ObjectHeaders>,
    /// `If-Match`, `If-None-Match`.
    pub condition: WriteCondition,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// `Content-Length`: the bytes on the wire, the chunk framing of aws-chunked included.
    pub content_length: Option<u64>,
    /// `x-amz-decoded-content-length`: the bytes of the object in an aws-chunked body.
    pub decoded_content_length: Option<u64>,
}

impl PutObject {
    pub(crate) fn parse(request: &Request<'_>, bucket: BucketName, key: ObjectKey) -> Result<Self, S3Error> {
        if request.has_header("x-amz-write-offset-bytes") {
            return Err(S3Error::not_implemented("Appending (the header x-amz-write-offset-bytes)"));
        }
        Ok(Self {
            bucket,
            key,
            object: Box::new(ObjectHeaders::parse(request)?),
            condition: WriteCondition::parse(request)?,
            checksums: BodyChecksums::parse(request)?,
            content_length: request.length("content-length")?,
            decoded_content_length: request.length("x-amz-decoded-content-length")?,
        })
    }

    /// The size of the object, when the head says it.
    pub fn object_bytes(&self) -> Option<u64> {
        self.decoded_content_length.or(self.content_length)
    }
}
