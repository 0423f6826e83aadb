use ids::BucketName;

use crate::S3Error;
use crate::operation::{Routed, S3Operation};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::Route;
use crate::target::Addressed;
use crate::xml::XmlWriter;

/// `GET /bucket?requestPayment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBucketRequestPayment {
    /// The bucket.
    pub bucket: BucketName,
}

impl Routed for GetBucketRequestPayment {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "requestPayment");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for GetBucketRequestPayment {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:GetBucketRequestPayment", &self.bucket)]
    }
}

/// The answer to GetBucketRequestPayment: the owner pays.
pub fn request_payment_to_xml() -> String {
    let mut xml = XmlWriter::document();
    xml.open_root("RequestPaymentConfiguration");
    xml.text("Payer", "BucketOwner");
    xml.close("RequestPaymentConfiguration");
    xml.finish()
}
