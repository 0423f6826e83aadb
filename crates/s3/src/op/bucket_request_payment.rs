use ids::BucketName;

use crate::document;
use crate::route::Route;

plain_operation! {
    /// `GET /bucket?requestPayment`.
    GetBucketRequestPayment { bucket: BucketName }
    route Route::sub("GET", "requestPayment");
    needs "s3:GetBucketRequestPayment";
}

/// The answer to GetBucketRequestPayment: the owner pays.
pub fn request_payment_to_xml() -> String {
    let mut xml = document::begin("RequestPaymentConfiguration");
    xml.text("Payer", "BucketOwner");
    xml.close("RequestPaymentConfiguration");
    xml.finish()
}
