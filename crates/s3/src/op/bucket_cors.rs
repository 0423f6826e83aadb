use ids::BucketName;

use crate::route::Route;

plain_operation! {
    /// `GET /bucket?cors`; the answer is [`CorsConfiguration::to_xml`](crate::cors::CorsConfiguration::to_xml).
    GetBucketCors { bucket: BucketName }
    route Route::sub("GET", "cors");
    needs "s3:GetBucketCORS";
}
