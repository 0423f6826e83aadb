use ids::BucketName;

use crate::S3Error;
use crate::operation::{Routed, S3Operation};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::Route;
use crate::target::Addressed;

/// `GET /bucket?lifecycle`; the answer is the stored document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBucketLifecycleConfiguration {
    /// The bucket.
    pub bucket: BucketName,
}

impl Routed for GetBucketLifecycleConfiguration {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "lifecycle");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for GetBucketLifecycleConfiguration {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:GetLifecycleConfiguration", &self.bucket)]
    }
}
