use ids::BucketName;

use crate::S3Error;
use crate::operation::{Routed, S3Operation};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::Route;
use crate::target::Addressed;
use crate::xml::XmlWriter;

/// `GET /bucket?ownershipControls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBucketOwnershipControls {
    /// The bucket.
    pub bucket: BucketName,
}

impl Routed for GetBucketOwnershipControls {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "ownershipControls");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for GetBucketOwnershipControls {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:GetBucketOwnershipControls", &self.bucket)]
    }

    fn is_for_owners_account(&self) -> bool {
        true
    }
}

/// The answer to GetBucketOwnershipControls: `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
pub fn ownership_to_xml(object_ownership: &str) -> String {
    let mut xml = XmlWriter::document();
    xml.open_root("OwnershipControls");
    xml.open("Rule");
    xml.text("ObjectOwnership", object_ownership);
    xml.close("Rule");
    xml.close("OwnershipControls");
    xml.finish()
}
