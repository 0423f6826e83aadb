use ids::BucketName;

use crate::S3Error;
use crate::operation::{Routed, S3Operation};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::Route;
use crate::target::Addressed;
use crate::xml::XmlWriter;

/// `GET /bucket?versioning`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBucketVersioning {
    /// The bucket.
    pub bucket: BucketName,
}

impl Routed for GetBucketVersioning {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "versioning");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for GetBucketVersioning {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:GetBucketVersioning", &self.bucket)]
    }
}

/// The answer to GetBucketVersioning: `Enabled` or `Suspended`; no status for a bucket that never had versions.
pub fn versioning_to_xml(status: Option<&str>) -> String {
    let mut xml = XmlWriter::document();
    xml.open_root("VersioningConfiguration");
    xml.optional("Status", status);
    xml.close("VersioningConfiguration");
    xml.finish()
}
