//! What the head of an operation promises about its body.

use s3::{BodyChecksums, Operation, S3Error};
use sigv4::checksum;

use crate::body::Promises;

/// The checksums that an operation names, if it has a body that is checked.
pub(crate) fn body_checksums(operation: &Operation) -> Option<&BodyChecksums> {
    match operation {
        Operation::PutObject(op) => Some(&op.checksums),
        Operation::UploadPart(op) => Some(&op.checksums),
        Operation::PutObjectTagging(op) => Some(&op.checksums),
        Operation::PutBucketTagging(op) => Some(&op.checksums),
        Operation::PutBucketPolicy(op) => Some(&op.checksums),
        Operation::DeleteObjects(op) => Some(&op.checksums),
        Operation::Other(op) => Some(&op.checksums),
        _ => None,
    }
}

/// The number of plain bytes that the head promises. `plain` says that the body has no aws-chunked framing.
pub(crate) fn promised_bytes(operation: &Operation, plain: bool) -> Option<u64> {
    let (on_the_wire, decoded) = match operation {
        Operation::PutObject(op) => (op.content_length, op.decoded_content_length),
        Operation::UploadPart(op) => (op.content_length, op.decoded_content_length),
        _ => return None,
    };
    if plain { on_the_wire } else { decoded }
}

impl Promises {
    /// Of the headers, or the fields of a form, that are about the bytes themselves.
    pub(crate) fn of(checksums: &BodyChecksums) -> Result<Self, S3Error> {
        let expected = checksums.value.as_ref();
        let parsed = expected.map(|value| checksum::Checksum::parse(value.algorithm, &value.value));
        Ok(Self {
            checksum: checksums.wanted(),
            expected_checksum: parsed.transpose().map_err(access::from_signature)?,
            content_md5: checksums.content_md5,
            ..Self::default()
        })
    }
}
