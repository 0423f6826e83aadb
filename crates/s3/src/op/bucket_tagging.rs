use ids::BucketName;

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::request::Request;

/// `GET /bucket?tagging`; the answer is [`TagSet::to_xml`](crate::TagSet::to_xml).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBucketTagging {
    /// The bucket.
    pub bucket: BucketName,
}

/// `PUT /bucket?tagging`; the body is read by [`TagSet::from_xml`](crate::TagSet::from_xml).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBucketTagging {
    /// The bucket.
    pub bucket: BucketName,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
}

impl PutBucketTagging {
    pub(crate) fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket, checksums: BodyChecksums::parse(request)? })
    }
}

/// `DELETE /bucket?tagging`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteBucketTagging {
    /// The bucket.
    pub bucket: BucketName,
}
