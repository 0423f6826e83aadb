use ids::BucketName;

use crate::xml::XmlWriter;

/// `HEAD /bucket`: whether the bucket is there and may be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadBucket {
    /// The bucket.
    pub bucket: BucketName,
}

/// `DELETE /bucket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteBucket {
    /// The bucket.
    pub bucket: BucketName,
}

/// `GET /bucket?location`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBucketLocation {
    /// The bucket.
    pub bucket: BucketName,
}

/// The answer to GetBucketLocation: empty for `us-east-1`, as S3 has it.
pub fn location_to_xml(region: &str) -> String {
    let region = if region == "us-east-1" { "" } else { region };
    let mut xml = XmlWriter::document();
    xml.open_root("LocationConstraint");
    xml.content(region);
    xml.close("LocationConstraint");
    xml.finish()
}
