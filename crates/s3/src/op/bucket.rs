use ids::BucketName;

use crate::document;
use crate::routed::Route;

plain_operation! {
    /// `HEAD /bucket`: whether the bucket exists and may be listed.
    HeadBucket { bucket: BucketName }
    route Route::new("HEAD");
    needs "s3:ListBucket";
}

plain_operation! {
    /// `DELETE /bucket`.
    DeleteBucket { bucket: BucketName }
    route Route::new("DELETE");
    needs "s3:DeleteBucket";
}

plain_operation! {
    /// `GET /bucket?location`.
    GetBucketLocation { bucket: BucketName }
    route Route::sub("GET", "location");
    needs "s3:GetBucketLocation";
}

/// The answer to GetBucketLocation: empty for `us-east-1`, as on S3.
pub fn location_to_xml(region: &str) -> String {
    let region = if region == "us-east-1" { "" } else { region };
    let mut xml = document::begin("LocationConstraint");
    xml.content(region);
    xml.close("LocationConstraint");
    xml.finish()
}
