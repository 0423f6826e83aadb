use ids::BucketName;

use crate::routed::Route;

plain_operation! {
    /// `GET /bucket?lifecycle`; the answer is the stored document.
    GetBucketLifecycleConfiguration { bucket: BucketName }
    route Route::sub("GET", "lifecycle");
    needs "s3:GetLifecycleConfiguration";
}
