use ids::BucketName;

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::condition_keys::ConditionKeys;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::tagging::{BUCKET_TAGS_MAX, TAGGING_BYTES_MAX, TagSet};
use crate::target::Addressed;

plain_operation! {
    /// `GET /bucket?tagging`; the answer is [`TagSet::to_xml`](crate::TagSet::to_xml).
    GetBucketTagging { bucket: BucketName }
    route Route::sub("GET", "tagging");
    needs "s3:GetBucketTagging";
}

/// `PUT /bucket?tagging`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBucketTagging {
    /// The bucket.
    pub bucket: BucketName,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// The tags that replace the bucket's; empty until the body is read.
    pub tags: TagSet,
}

plain_operation! {
    /// `DELETE /bucket?tagging`.
    DeleteBucketTagging { bucket: BucketName }
    route Route::sub("DELETE", "tagging");
    // Deleting tags needs the permission to put them: there is no s3:DeleteBucketTagging.
    needs "s3:PutBucketTagging";
}

impl Routed for PutBucketTagging {
    type On = BucketName;
    const ROUTE: Route = Route::sub("PUT", "tagging");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket, checksums: BodyChecksums::parse(request)?, tags: TagSet::default() })
    }
}

impl S3Operation for PutBucketTagging {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:PutBucketTagging", &self.bucket)]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.resource_tags(&self.tags);
        Ok(())
    }

    fn body_limit(&self) -> Option<usize> {
        Some(TAGGING_BYTES_MAX)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        self.tags = TagSet::from_xml(body, BUCKET_TAGS_MAX)?;
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}
