use ids::{BucketName, ObjectKey};

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::request::Request;
use crate::version_id::VersionId;

/// `GET /bucket/key?tagging`; the answer is [`TagSet::to_xml`](crate::TagSet::to_xml).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetObjectTagging {
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// The version, the current one when absent.
    pub version_id: Option<VersionId>,
}

/// `PUT /bucket/key?tagging`; the body is read by [`TagSet::from_xml`](crate::TagSet::from_xml).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObjectTagging {
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// The version, the current one when absent.
    pub version_id: Option<VersionId>,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
}

impl PutObjectTagging {
    pub(crate) fn parse(
        request: &Request<'_>,
        bucket: BucketName,
        key: ObjectKey,
        version_id: Option<VersionId>,
    ) -> Result<Self, S3Error> {
        Ok(Self { bucket, key, version_id, checksums: BodyChecksums::parse(request)? })
    }
}

/// `DELETE /bucket/key?tagging`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteObjectTagging {
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// The version, the current one when absent.
    pub version_id: Option<VersionId>,
}
