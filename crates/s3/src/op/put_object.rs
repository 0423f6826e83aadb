use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::condition_keys::ConditionKeys;
use crate::conditional::WriteCondition;
use crate::object_headers::ObjectHeaders;
use crate::request::Request;
use crate::requirement::{ConditionalRequirement, Requirement, write_object};
use crate::routed::{Route, Routed};
use crate::s3_operation::{S3Operation, UploadLength};
use crate::target::{Addressed, Target};

/// `PUT /bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObject {
    /// The object.
    pub target: Target,
    /// What the object gets in addition to its bytes.
    pub object: Box<ObjectHeaders>,
    /// `If-Match`, `If-None-Match`.
    pub condition: WriteCondition,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// The lengths in the head.
    pub length: UploadLength,
}

impl Routed for PutObject {
    type On = Target;
    const ROUTE: Route = Route::new("PUT");

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        if request.has_header("x-amz-write-offset-bytes") {
            return Err(S3Error::not_implemented("Appending (the header x-amz-write-offset-bytes)"));
        }
        Ok(Self {
            target,
            object: Box::new(ObjectHeaders::parse(request)?),
            condition: WriteCondition::parse(request)?,
            checksums: BodyChecksums::parse(request)?,
            length: UploadLength::parse(request)?,
        })
    }
}

impl S3Operation for PutObject {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        write_object(&self.target, &self.object)
    }

    fn conditional(&self) -> Vec<ConditionalRequirement> {
        ConditionalRequirement::compare_tag(&self.condition, &self.target.bucket, &self.target.key)
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.creates_object(true);
        keys.object(&self.object);
        keys.write_condition(&self.condition)
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }

    fn upload(&self) -> Option<UploadLength> {
        Some(self.length)
    }

    fn makes_missing_bucket(&self) -> bool {
        true
    }
}
