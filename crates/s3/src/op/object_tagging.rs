use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::condition_keys::ConditionKeys;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::tagging::{OBJECT_TAGS_MAX, TAGGING_BYTES_MAX, TagSet};
use crate::target::{Addressed, Target};

plain_operation! {
    /// `GET /bucket/key?tagging`; the answer is [`TagSet::to_xml`](crate::TagSet::to_xml).
    GetObjectTagging { target: Target }
    route Route::sub("GET", "tagging").of_version();
    needs "s3:GetObjectTagging", "s3:GetObjectVersionTagging";
}

/// `PUT /bucket/key?tagging`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObjectTagging {
    /// The object.
    pub target: Target,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// The tags that replace the object's; empty until the body is read.
    pub tags: TagSet,
}

plain_operation! {
    /// `DELETE /bucket/key?tagging`.
    DeleteObjectTagging { target: Target }
    route Route::sub("DELETE", "tagging").of_version();
    needs "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging";
}

impl Routed for PutObjectTagging {
    type On = Target;
    const ROUTE: Route = Route::sub("PUT", "tagging").of_version();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        Ok(Self { target, checksums: BodyChecksums::parse(request)?, tags: TagSet::default() })
    }
}

impl S3Operation for PutObjectTagging {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![self.target.need_of_version("s3:PutObjectTagging", "s3:PutObjectVersionTagging")]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.object_tags(&self.tags);
        Ok(())
    }

    fn body_limit(&self) -> Option<usize> {
        Some(TAGGING_BYTES_MAX)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        self.tags = TagSet::from_xml(body, OBJECT_TAGS_MAX)?;
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}
