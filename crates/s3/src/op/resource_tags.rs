use xml::XmlWriter;

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::condition_keys::ConditionKeys;
use crate::query::TAG_KEYS;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::tagging::{BUCKET_TAGS_MAX, TAGGING_BYTES_MAX, TagSet, write_tags};
use crate::target::{Addressed, TaggedBucket};

pub(super) const CONTROL_NAMESPACE: &str = "http://awss3control.amazonaws.com/doc/2018-08-20/";

plain_operation! {
    /// S3 Control's `GET /v20180820/tags/ARN`; the answer is [`resource_tags_to_xml`].
    ListTagsForResource { bucket: TaggedBucket }
    route Route::new("GET");
    needs "s3:ListTagsForResource";
}

/// S3 Control's `POST /v20180820/tags/ARN`: adds tags to those of the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagResource {
    /// The bucket.
    pub bucket: TaggedBucket,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// The tags that are added; empty until the body is read.
    pub tags: TagSet,
}

impl Routed for TagResource {
    type On = TaggedBucket;
    const ROUTE: Route = Route::new("POST");

    fn parse(request: &Request<'_>, bucket: TaggedBucket) -> Result<Self, S3Error> {
        Ok(Self { bucket, checksums: BodyChecksums::parse(request)?, tags: TagSet::default() })
    }
}

impl S3Operation for TagResource {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:TagResource", &self.bucket.name)]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.resource_tags(&self.tags);
        Ok(())
    }

    fn body_limit(&self) -> Option<usize> {
        Some(TAGGING_BYTES_MAX)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        let root = xml::parse(body, "TagResourceRequest")?;
        root.only(&["Tags"])?;
        let tags = root.one("Tags")?.ok_or_else(|| S3Error::malformed_xml("`TagResourceRequest` needs `Tags`"))?;
        self.tags = TagSet::from_element(tags, BUCKET_TAGS_MAX)?;
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}

/// S3 Control's `DELETE /v20180820/tags/ARN?tagKeys=a&tagKeys=b`: removes some of the bucket's tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntagResource {
    /// The bucket.
    pub bucket: TaggedBucket,
    /// The keys of the tags that are removed, at least one.
    pub keys: Vec<String>,
}

impl Routed for UntagResource {
    type On = TaggedBucket;
    const ROUTE: Route = Route::new("DELETE");

    fn parse(request: &Request<'_>, bucket: TaggedBucket) -> Result<Self, S3Error> {
        let keys: Vec<String> = request.query.all(TAG_KEYS).map(str::to_owned).collect();
        match keys.len() {
            1..=BUCKET_TAGS_MAX => Ok(Self { bucket, keys }),
            _ => Err(S3Error::invalid_argument(TAG_KEYS, "", "Name 1 to 50 tags, each as a parameter of its own")),
        }
    }
}

impl S3Operation for UntagResource {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:UntagResource", &self.bucket.name)]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.tag_keys(self.keys.iter().map(String::as_str));
        Ok(())
    }
}

/// The answer to ListTagsForResource.
pub fn resource_tags_to_xml<'t>(tags: impl Iterator<Item = (&'t str, &'t str)>) -> String {
    let mut xml = XmlWriter::document();
    xml.open_with("ListTagsForResourceResult", &[("xmlns", CONTROL_NAMESPACE)]);
    write_tags(&mut xml, "Tags", tags);
    xml.close("ListTagsForResourceResult");
    xml.finish()
}
