use ids::{BucketName, ObjectKey};

use crate::query::decode_form;
use crate::request::Request;
use crate::version_id::VersionId;
use crate::{S3Error, S3ErrorCode};

/// The object that a copy reads: `x-amz-copy-source`, decoded exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopySource {
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// `?versionId=`.
    pub version_id: Option<VersionId>,
}

impl CopySource {
    /// Reads `/bucket/key?versionId=id` or `bucket/key`; bucket and key are URL-encoded, and `+` is a space, as on AWS.
    /// Anything else is `InvalidArgument`.
    pub fn parse(header: &str) -> Result<Self, S3Error> {
        let invalid = |message: &'static str| S3Error::invalid_argument("x-amz-copy-source", header, message);
        // The last `?versionId=` is the separator: a key may contain a literal `?`.
        let (path, version) = match header.rsplit_once("?versionId=") {
            Some((path, version)) => (path, Some(version)),
            None => (header, None),
        };
        let decoded = decode_form(path).map_err(|_| invalid("Copy Source must be URL-encoded UTF-8"))?;
        let decoded = decoded.strip_prefix('/').unwrap_or(&decoded);
        if decoded.starts_with("arn:") {
            return Err(S3Error::not_implemented("A copy source that is an ARN"));
        }
        let (bucket, key) = decoded
            .split_once('/')
            .ok_or_else(|| invalid("Copy Source must mention the source bucket and key: sourcebucket/sourcekey"))?;
        Ok(Self {
            bucket: bucket.parse().map_err(|_| invalid("Invalid copy source bucket name"))?,
            key: key.parse().map_err(|_| invalid("Invalid copy source object key"))?,
            version_id: version.map(str::parse).transpose()?,
        })
    }

    pub(crate) fn from_request(request: &Request<'_>) -> Result<Self, S3Error> {
        let header = request.header("x-amz-copy-source")?.ok_or_else(|| {
            S3Error::with_message(S3ErrorCode::InvalidArgument, "A copy needs the header x-amz-copy-source")
        })?;
        Self::parse(&header)
    }
}
