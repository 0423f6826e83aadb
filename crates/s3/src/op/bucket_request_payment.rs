use ids::BucketName;
use xml::parse;

use crate::S3Error;
use crate::document;
use crate::routed::Route;

plain_operation! {
    /// `GET /bucket?requestPayment`.
    GetBucketRequestPayment { bucket: BucketName }
    route Route::sub("GET", "requestPayment");
    needs "s3:GetBucketRequestPayment";
}

plain_operation! {
    /// `PUT /bucket?requestPayment`; the body is read by [`requester_pays_from_xml`].
    PutBucketRequestPayment { bucket: BucketName, checksums }
    route Route::sub("PUT", "requestPayment");
    needs "s3:PutBucketRequestPayment";
}

/// Reads a `RequestPaymentConfiguration` document: whether the requester pays.
pub fn requester_pays_from_xml(body: &[u8]) -> Result<bool, S3Error> {
    let root = parse(body, "RequestPaymentConfiguration")?;
    root.only(&["Payer"])?;
    match root.required("Payer")?.trim() {
        "BucketOwner" => Ok(false),
        "Requester" => Ok(true),
        _ => Err(S3Error::malformed_xml("`Payer` must be `BucketOwner` or `Requester`")),
    }
}

/// The answer to GetBucketRequestPayment.
pub fn request_payment_to_xml(requester_pays: bool) -> String {
    let mut xml = document::begin("RequestPaymentConfiguration");
    xml.text("Payer", if requester_pays { "Requester" } else { "BucketOwner" });
    xml.close("RequestPaymentConfiguration");
    xml.finish()
}
