use ids::BucketName;

use crate::object_headers::AclHeaders;
use crate::request::Request;
use crate::tagging::{MAX_BUCKET_TAGS, TagSet};
use crate::xml::parse;
use crate::{S3Error, S3ErrorCode};

/// `PUT /bucket`; the body, if any, is read by [`CreateBucketConfiguration::from_xml`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateBucket {
    /// The bucket.
    pub bucket: BucketName,
    /// `x-amz-acl` and `x-amz-grant-*`.
    pub acl: AclHeaders,
    /// `x-amz-bucket-object-lock-enabled`.
    pub object_lock_enabled: bool,
    /// `x-amz-object-ownership`: `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
    pub object_ownership: Option<String>,
}

impl CreateBucket {
    pub(crate) fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        let object_ownership = request.owned_header("x-amz-object-ownership")?;
        if let Some(other) = object_ownership
            .as_deref()
            .filter(|ownership| !matches!(*ownership, "BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter"))
        {
            let message = "The ownership must be BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter";
            return Err(S3Error::invalid_argument("x-amz-object-ownership", other, message));
        }
        Ok(Self {
            bucket,
            acl: AclHeaders::parse(request)?,
            object_lock_enabled: request.flag("x-amz-bucket-object-lock-enabled")?,
            object_ownership,
        })
    }
}

/// The body of CreateBucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateBucketConfiguration {
    /// The region that the bucket shall be in.
    pub location_constraint: Option<String>,
    /// The tags of the new bucket.
    pub tags: TagSet,
}

impl CreateBucketConfiguration {
    /// Reads the body. An empty one says nothing; directory buckets (`Location`, `Bucket`) are `NotImplemented`.
    pub fn from_xml(body: &[u8]) -> Result<Self, S3Error> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let root = parse(body, "CreateBucketConfiguration")?;
        root.only(&["LocationConstraint", "Location", "Bucket", "Tags"])?;
        if root.one("Location")?.is_some() || root.one("Bucket")?.is_some() {
            return Err(S3Error::not_implemented("A directory bucket (the elements Location and Bucket)"));
        }
        let location_constraint = root.child_text("LocationConstraint")?.map(str::trim).filter(|text| !text.is_empty());
        let tags = root.one("Tags")?.map(|tags| TagSet::from_element(tags, MAX_BUCKET_TAGS)).transpose()?;
        if location_constraint.is_some_and(|text| text.len() > 64 || !text.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(S3Error::new(S3ErrorCode::InvalidLocationConstraint));
        }
        Ok(Self { location_constraint: location_constraint.map(str::to_owned), tags: tags.unwrap_or_default() })
    }
}
