use ids::BucketName;

use crate::routed::Route;

plain_operation! {
    /// `GET /bucket?website`; the answer is [`to_xml`](crate::website::WebsiteConfiguration::to_xml).
    GetBucketWebsite { bucket: BucketName }
    route Route::sub("GET", "website");
    needs "s3:GetBucketWebsite";
}

plain_operation! {
    /// `PUT /bucket?website`; the body is read by [`from_xml`](crate::website::WebsiteConfiguration::from_xml).
    PutBucketWebsite { bucket: BucketName, checksums }
    route Route::sub("PUT", "website");
    needs "s3:PutBucketWebsite";
}

plain_operation! {
    /// `DELETE /bucket?website`.
    DeleteBucketWebsite { bucket: BucketName }
    route Route::sub("DELETE", "website");
    needs "s3:DeleteBucketWebsite";
}
