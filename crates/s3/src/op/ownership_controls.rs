use ids::BucketName;

use crate::route::Route;
use crate::xml::XmlWriter;

plain_operation! {
    /// `GET /bucket?ownershipControls`.
    GetBucketOwnershipControls { bucket: BucketName }
    route Route::sub("GET", "ownershipControls");
    needs "s3:GetBucketOwnershipControls";
    is_for_owners_account true;
}

/// The answer to GetBucketOwnershipControls: `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
pub fn ownership_to_xml(object_ownership: &str) -> String {
    let mut xml = XmlWriter::document();
    xml.open_root("OwnershipControls");
    xml.open("Rule");
    xml.text("ObjectOwnership", object_ownership);
    xml.close("Rule");
    xml.close("OwnershipControls");
    xml.finish()
}
