use ids::{BucketName, ObjectKey};

use crate::query::decode;
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
    /// Reads `/bucket/key?versionId=id` or `bucket/key`; bucket and key are percent-encoded. `InvalidArgument` when it is none.
    pub fn parse(header: &str) -> Result<Self, S3Error> {
        let invalid = |message: &'static str| S3Error::invalid_argument("x-amz-copy-source", header, message);
        // The last `?versionId=` separates, as a key may contain a literal `?`.
        let (path, version) = match header.rfind("?versionId=") {
            Some(position) => {
                let (path, rest) = header.split_at_checked(position).unwrap_or((header, ""));
                (path, rest.strip_prefix("?versionId="))
            }
            None => (header, None),
        };
        // Some clients encode the whole header, its first slashes included.
        let path = path.strip_prefix('/').or_else(|| path.strip_prefix("%2F")).or_else(|| path.strip_prefix("%2f"));
        let path =
            path.unwrap_or_else(|| header.get(..header.rfind("?versionId=").unwrap_or(header.len())).unwrap_or(header));
        let decoded = decode(path).map_err(|_| invalid("Copy Source must be URL-encoded UTF-8"))?;
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
