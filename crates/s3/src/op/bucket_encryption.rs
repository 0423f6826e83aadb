use ids::BucketName;

use crate::S3Error;
use crate::operation::{Routed, S3Operation};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::Route;
use crate::target::Addressed;
use crate::xml::XmlWriter;

/// `GET /bucket?encryption`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBucketEncryption {
    /// The bucket.
    pub bucket: BucketName,
}

impl Routed for GetBucketEncryption {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "encryption");

    fn parse(_request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket })
    }
}

impl S3Operation for GetBucketEncryption {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:GetEncryptionConfiguration", &self.bucket)]
    }
}

/// The answer to GetBucketEncryption. An empty `kms_key_id` is not shown.
pub fn encryption_to_xml(sse_algorithm: &str, kms_key_id: &str, bucket_key_enabled: bool) -> String {
    let mut xml = XmlWriter::document();
    xml.open_root("ServerSideEncryptionConfiguration");
    xml.open("Rule");
    xml.open("ApplyServerSideEncryptionByDefault");
    xml.text("SSEAlgorithm", sse_algorithm);
    xml.optional("KMSMasterKeyID", Some(kms_key_id).filter(|id| !id.is_empty()));
    xml.close("ApplyServerSideEncryptionByDefault");
    xml.value("BucketKeyEnabled", bucket_key_enabled);
    xml.close("Rule");
    xml.close("ServerSideEncryptionConfiguration");
    xml.finish()
}
