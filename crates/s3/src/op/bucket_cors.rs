use ids::BucketName;

use crate::S3Error;
use crate::operation::{Routed, S3Operation};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::Route;
use crate::target::Addressed;

/// `GET /bucket?cors`; the answer is [`CorsConfiguration::to_xml`](crate::cors::CorsConfiguration::to_xml).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBucketCors {
    /// The bucket.
    pub bucket: BucketName,
}

impl Routed for GetBucketCors {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "cors");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for GetBucketCors {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:GetBucketCORS", &self.bucket)]
    }
}
