use ids::BucketName;

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::operation::{Routed, S3Operation};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::Route;
use crate::target::Addressed;
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

impl Routed for GetBucketPolicy {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "policy");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for GetBucketPolicy {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:GetBucketPolicy", &self.bucket)]
    }

    fn is_for_owners_account(&self) -> bool {
        true
    }
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

impl Routed for DeleteBucketPolicy {
    type On = BucketName;
    const ROUTE: Route = Route::sub("DELETE", "policy");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for DeleteBucketPolicy {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:DeleteBucketPolicy", &self.bucket)]
    }

    fn is_for_owners_account(&self) -> bool {
        true
    }
}

impl Routed for GetBucketPolicyStatus {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "policyStatus");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for GetBucketPolicyStatus {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:GetBucketPolicyStatus", &self.bucket)]
    }
}
