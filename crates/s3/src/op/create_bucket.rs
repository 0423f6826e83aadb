use ids::{BucketName, Ownership};

use crate::condition_keys::ConditionKeys;
use crate::object_headers::AclHeaders;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::tagging::{BUCKET_TAGS_MAX, TagSet};
use crate::target::Addressed;
use crate::{S3Error, S3ErrorCode};

/// `PUT /bucket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateBucket {
    /// The bucket.
    pub bucket: BucketName,
    /// `x-amz-acl` and `x-amz-grant-*`.
    pub acl: AclHeaders,
    /// `x-amz-bucket-object-lock-enabled`.
    pub object_lock_enabled: bool,
    /// `x-amz-object-ownership`.
    pub object_ownership: Option<Ownership>,
    /// What the body says; empty until it is read.
    pub configuration: CreateBucketConfiguration,
}

impl CreateBucket {
    /// A request for a bucket without any options.
    pub fn plain(bucket: BucketName) -> Self {
        Self {
            bucket,
            acl: AclHeaders::default(),
            object_lock_enabled: false,
            object_ownership: None,
            configuration: CreateBucketConfiguration::default(),
        }
    }
}

/// The body of CreateBucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateBucketConfiguration {
    /// The region of the bucket.
    pub location_constraint: Option<String>,
    /// The tags of the new bucket.
    pub tags: TagSet,
}

impl CreateBucketConfiguration {
    /// Reads the body, which may be empty. Directory buckets (`Location`, `Bucket`) are `NotImplemented`.
    pub fn from_xml(body: &[u8]) -> Result<Self, S3Error> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let root = xml::parse(body, "CreateBucketConfiguration")?;
        root.only(&["LocationConstraint", "Location", "Bucket", "Tags"])?;
        if root.one("Location")?.is_some() || root.one("Bucket")?.is_some() {
            return Err(S3Error::not_implemented("A directory bucket (the elements Location and Bucket)"));
        }
        let location_constraint = root.child_text("LocationConstraint")?.map(str::trim).filter(|text| !text.is_empty());
        let tags = root.one("Tags")?.map(|tags| TagSet::from_element(tags, BUCKET_TAGS_MAX)).transpose()?;
        if location_constraint.is_some_and(|text| text.len() > 64 || !text.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(S3Error::new(S3ErrorCode::InvalidLocationConstraint));
        }
        Ok(Self { location_constraint: location_constraint.map(str::to_owned), tags: tags.unwrap_or_default() })
    }
}

fn ownership(word: String) -> Result<Ownership, S3Error> {
    let message = "The ownership must be BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter";
    Ownership::named(&word).ok_or_else(|| S3Error::invalid_argument("x-amz-object-ownership", word, message))
}

impl Routed for CreateBucket {
    type On = BucketName;
    const ROUTE: Route = Route::new("PUT");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self {
            bucket,
            acl: AclHeaders::parse(request)?,
            object_lock_enabled: request.flag("x-amz-bucket-object-lock-enabled")?,
            object_ownership: request.owned_header("x-amz-object-ownership")?.map(ownership).transpose()?,
            configuration: CreateBucketConfiguration::default(),
        })
    }
}

impl S3Operation for CreateBucket {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        let mut actions = vec!["s3:CreateBucket"];
        if self.acl.is_requested() {
            actions.push("s3:PutBucketAcl");
        }
        if self.object_lock_enabled {
            actions.extend(["s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"]);
        }
        if self.object_ownership.is_some() {
            actions.push("s3:PutBucketOwnershipControls");
        }
        if !self.configuration.tags.is_empty() {
            actions.push("s3:TagResource");
        }
        actions.into_iter().map(|action| Requirement::on_bucket(action, &self.bucket)).collect()
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.acl(&self.acl);
        keys.optional("s3:x-amz-object-ownership", self.object_ownership.map(Ownership::as_str));
        keys.optional("s3:LocationConstraint", self.configuration.location_constraint.as_deref());
        keys.resource_tags(&self.configuration.tags);
        Ok(())
    }

    fn body_limit(&self) -> Option<usize> {
        Some(64 << 10)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        self.configuration = CreateBucketConfiguration::from_xml(body)?;
        Ok(())
    }
}
