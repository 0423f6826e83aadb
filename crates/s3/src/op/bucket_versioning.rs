use ids::BucketName;

use crate::route::Route;
use crate::xml::XmlWriter;

plain_operation! {
    /// `GET /bucket?versioning`.
    GetBucketVersioning { bucket: BucketName }
    route Route::sub("GET", "versioning");
    needs "s3:GetBucketVersioning";
}

/// The answer to GetBucketVersioning: `Enabled` or `Suspended`; no status for a bucket that never had versions.
pub fn versioning_to_xml(status: Option<&str>) -> String {
    let mut xml = XmlWriter::document();
    xml.open_root("VersioningConfiguration");
    xml.optional("Status", status);
    xml.close("VersioningConfiguration");
    xml.finish()
}
