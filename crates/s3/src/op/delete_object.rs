use ids::{BucketName, ObjectKey};

use crate::S3Error;
use crate::conditional::WriteCondition;
use crate::request::Request;
use crate::version_id::VersionId;

/// `DELETE /bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteObject {
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// The version to remove for good; without it the current version is hidden or, without versioning, removed.
    pub version_id: Option<VersionId>,
    /// `If-Match`.
    pub condition: WriteCondition,
    /// `x-amz-bypass-governance-retention: true`.
    pub bypass_governance_retention: bool,
    /// `x-amz-mfa`.
    pub mfa: Option<String>,
}

impl DeleteObject {
    pub(crate) fn parse(
        request: &Request<'_>,
        bucket: BucketName,
        key: ObjectKey,
        version_id: Option<VersionId>,
    ) -> Result<Self, S3Error> {
        for header in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] {
            if request.has_header(header) {
                return Err(S3Error::not_implemented(format_args!("The header {header}")));
            }
        }
        let condition = WriteCondition::parse(request)?;
        if condition == WriteCondition::IfAbsent {
            return Err(S3Error::not_implemented("If-None-Match on a delete"));
        }
        Ok(Self {
            bucket,
            key,
            version_id,
            condition,
            bypass_governance_retention: request.flag("x-amz-bypass-governance-retention")?,
            mfa: request.owned_header("x-amz-mfa")?,
        })
    }
}
