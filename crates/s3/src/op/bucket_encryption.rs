use ids::BucketName;

use crate::document;
use crate::routed::Route;

plain_operation! {
    /// `GET /bucket?encryption`.
    GetBucketEncryption { bucket: BucketName }
    route Route::sub("GET", "encryption");
    needs "s3:GetEncryptionConfiguration";
}

/// The answer to GetBucketEncryption. An empty `kms_key_id` is not shown.
pub fn encryption_to_xml(sse_algorithm: &str, kms_key_id: &str, bucket_key_enabled: bool) -> String {
    let mut xml = document::begin("ServerSideEncryptionConfiguration");
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
