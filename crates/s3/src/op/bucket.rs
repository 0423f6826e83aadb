use ids::BucketName;

use crate::S3Error;
use crate::operation::{Routed, S3Operation};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::Route;
use crate::target::Addressed;
use crate::xml::XmlWriter;

/// `HEAD /bucket`: whether the bucket is there and may be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadBucket {
    /// The bucket.
    pub bucket: BucketName,
}

/// `DELETE /bucket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteBucket {
    /// The bucket.
    pub bucket: BucketName,
}

/// `GET /bucket?location`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBucketLocation {
    /// The bucket.
    pub bucket: BucketName,
}

/// The answer to GetBucketLocation: empty for `us-east-1`, as S3 has it.
pub fn location_to_xml(region: &str) -> String {
    let region = if region == "us-east-1" { "" } else { region };
    let mut xml = XmlWriter::document();
    xml.open_root("LocationConstraint");
    xml.content(region);
    xml.close("LocationConstraint");
    xml.finish()
}

impl Routed for HeadBucket {
    type On = BucketName;
    const ROUTE: Route = Route::new("HEAD");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for HeadBucket {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:ListBucket", &self.bucket)]
    }
}

impl Routed for DeleteBucket {
    type On = BucketName;
    const ROUTE: Route = Route::new("DELETE");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for DeleteBucket {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:DeleteBucket", &self.bucket)]
    }
}

impl Routed for GetBucketLocation {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "location");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for GetBucketLocation {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:GetBucketLocation", &self.bucket)]
    }
}
