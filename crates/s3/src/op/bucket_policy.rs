use ids::BucketName;

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::request::Request;
use crate::xml::XmlWriter;

/// `GET /bucket?policy`: the policy document as it was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBucketPolicy {
    /// The bucket.
    pub bucket: BucketName,
}

/// `PUT /bucket?policy` with the document as body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBucketPolicy {
    /// The bucket.
    pub bucket: BucketName,
    /// `x-amz-confirm-remove-self-bucket-access`.
    pub confirm_remove_self_bucket_access: bool,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
}

impl PutBucketPolicy {
    pub(crate) fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self {
            bucket,
            confirm_remove_self_bucket_access: request.flag("x-amz-confirm-remove-self-bucket-access")?,
            checksums: BodyChecksums::parse(request)?,
        })
    }
}

/// `DELETE /bucket?policy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteBucketPolicy {
    /// The bucket.
    pub bucket: BucketName,
}

/// `GET /bucket?policyStatus`: whether the policy makes the bucket public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBucketPolicyStatus {
    /// The bucket.
    pub bucket: BucketName,
}

/// The answer to GetBucketPolicyStatus.
pub fn policy_status_to_xml(is_public: bool) -> String {
    let mut xml = XmlWriter::document();
    xml.open_root("PolicyStatus");
    xml.value("IsPublic", is_public);
    xml.close("PolicyStatus");
    xml.finish()
}
