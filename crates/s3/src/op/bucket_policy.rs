use ids::BucketName;

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::document;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::Addressed;

plain_operation! {
    /// `GET /bucket?policy`: the policy document as it was put.
    GetBucketPolicy { bucket: BucketName }
    route Route::sub("GET", "policy");
    needs "s3:GetBucketPolicy";
    is_for_owners_account true;
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

plain_operation! {
    /// `DELETE /bucket?policy`.
    DeleteBucketPolicy { bucket: BucketName }
    route Route::sub("DELETE", "policy");
    needs "s3:DeleteBucketPolicy";
    is_for_owners_account true;
}

plain_operation! {
    /// `GET /bucket?policyStatus`: whether the policy makes the bucket public.
    GetBucketPolicyStatus { bucket: BucketName }
    route Route::sub("GET", "policyStatus");
    needs "s3:GetBucketPolicyStatus";
}

/// The answer to GetBucketPolicyStatus.
pub fn policy_status_to_xml(is_public: bool) -> String {
    let mut xml = document::begin("PolicyStatus");
    xml.value("IsPublic", is_public);
    xml.close("PolicyStatus");
    xml.finish()
}

impl Routed for PutBucketPolicy {
    type On = BucketName;
    const ROUTE: Route = Route::sub("PUT", "policy");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self {
            bucket,
            confirm_remove_self_bucket_access: request.flag("x-amz-confirm-remove-self-bucket-access")?,
            checksums: BodyChecksums::parse(request)?,
        })
    }
}

impl S3Operation for PutBucketPolicy {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:PutBucketPolicy", &self.bucket)]
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }

    fn is_for_owners_account(&self) -> bool {
        true
    }
}
