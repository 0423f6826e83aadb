use ids::{BucketName, Ownership};
use xml::parse;

use crate::S3Error;
use crate::document;
use crate::routed::Route;

plain_operation! {
    /// `GET /bucket?ownershipControls`.
    GetBucketOwnershipControls { bucket: BucketName }
    route Route::sub("GET", "ownershipControls");
    needs "s3:GetBucketOwnershipControls";
    is_for_owners_account true;
}

plain_operation! {
    /// `PUT /bucket?ownershipControls`; the body is read by [`ownership_from_xml`].
    PutBucketOwnershipControls { bucket: BucketName, checksums }
    route Route::sub("PUT", "ownershipControls");
    needs "s3:PutBucketOwnershipControls";
    is_for_owners_account true;
}

plain_operation! {
    /// `DELETE /bucket?ownershipControls`.
    DeleteBucketOwnershipControls { bucket: BucketName }
    route Route::sub("DELETE", "ownershipControls");
    // There is no s3:DeleteBucketOwnershipControls.
    needs "s3:PutBucketOwnershipControls";
    is_for_owners_account true;
}

/// Reads an `OwnershipControls` document, which has one rule.
pub fn ownership_from_xml(body: &[u8]) -> Result<Ownership, S3Error> {
    let root = parse(body, "OwnershipControls")?;
    root.only(&["Rule"])?;
    let rule = root.one("Rule")?.ok_or_else(|| S3Error::malformed_xml("`OwnershipControls` needs a `Rule`"))?;
    rule.only(&["ObjectOwnership"])?;
    let word = rule.required("ObjectOwnership")?.trim();
    let unknown = "`ObjectOwnership` must be BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter";
    Ownership::named(word).ok_or_else(|| S3Error::malformed_xml(unknown))
}

/// The answer to GetBucketOwnershipControls.
pub fn ownership_to_xml(ownership: Ownership) -> String {
    let mut xml = document::begin("OwnershipControls");
    xml.open("Rule");
    xml.text("ObjectOwnership", ownership.as_str());
    xml.close("Rule");
    xml.close("OwnershipControls");
    xml.finish()
}
