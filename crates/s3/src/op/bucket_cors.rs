use ids::BucketName;

use crate::routed::Route;

plain_operation! {
    /// `GET /bucket?cors`; the answer is [`CorsConfiguration::to_xml`](crate::cors::CorsConfiguration::to_xml).
    GetBucketCors { bucket: BucketName }
    route Route::sub("GET", "cors");
    needs "s3:GetBucketCORS";
}

plain_operation! {
    /// `PUT /bucket?cors`; the body is read by [`CorsConfiguration::from_xml`](crate::cors::CorsConfiguration::from_xml).
    PutBucketCors { bucket: BucketName, checksums }
    route Route::sub("PUT", "cors");
    needs "s3:PutBucketCORS";
}

plain_operation! {
    /// `DELETE /bucket?cors`.
    DeleteBucketCors { bucket: BucketName }
    route Route::sub("DELETE", "cors");
    // There is no s3:DeleteBucketCORS.
    needs "s3:PutBucketCORS";
}
