use crate::checksum::{self, Checksum, ChecksumAlgorithm};
use crate::condition_keys::ConditionKeys;
use crate::conditional::{ReadConditions, WriteCondition};
use crate::copy_source::CopySource;
use crate::document;
use crate::object_headers::ObjectHeaders;
use crate::request::Request;
use crate::requirement::{ConditionalRequirement, Effect, Requirement, read_source, write_object};
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Target};
use crate::{S3Error, time};

/// `PUT /bucket/key` with `x-amz-copy-source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyObject {
    /// The object.
    pub target: Target,
    /// The object that is read.
    pub source: CopySource,
    /// `x-amz-copy-source-if-*`.
    pub source_conditions: ReadConditions,
    /// `x-amz-metadata-directive`.
    pub metadata_directive: MetadataDirective,
    /// `x-amz-tagging-directive`.
    pub tagging_directive: MetadataDirective,
    /// What the request says about the copy. Content headers and metadata count only with `REPLACE`.
    pub object: Box<ObjectHeaders>,
    /// `If-Match` and `If-None-Match` for the object that is written.
    pub condition: WriteCondition,
    /// `x-amz-checksum-algorithm`: the checksum of the copy.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
}

/// Whether a copy keeps what its source has, or uses what the request says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetadataDirective {
    /// `COPY`.
    #[default]
    Copy,
    /// `REPLACE`.
    Replace,
}

impl MetadataDirective {
    fn parse(request: &Request<'_>, header: &'static str) -> Result<Self, S3Error> {
        match request.header(header)?.as_deref() {
            None | Some("COPY") => Ok(Self::Copy),
            Some("REPLACE") => Ok(Self::Replace),
            Some(other) => Err(S3Error::invalid_argument(header, other, "The directive must be COPY or REPLACE")),
        }
    }
}

/// The answer to CopyObject and UploadPartCopy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyResult {
    /// The entity tag without quotes.
    pub etag: String,
    /// Seconds since 1970.
    pub last_modified: i64,
    /// The checksum of the copy, if it has one.
    pub checksum: Option<Checksum>,
}

impl CopyResult {
    /// The document `CopyObjectResult`.
    pub fn to_xml(&self) -> String {
        self.write("CopyObjectResult")
    }

    /// The document `CopyPartResult`.
    pub fn to_part_xml(&self) -> String {
        self.write("CopyPartResult")
    }

    fn write(&self, root: &str) -> String {
        let mut xml = document::begin(root);
        xml.text("LastModified", &time::iso8601(self.last_modified));
        xml.text("ETag", &document::quoted(&self.etag));
        if let Some(checksum) = &self.checksum {
            xml.text(checksum.algorithm.element(), &checksum.value);
        }
        xml.close(root);
        xml.finish()
    }
}

impl Routed for CopyObject {
    type On = Target;
    const ROUTE: Route = Route::new("PUT").copying();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        Ok(Self {
            target,
            source: CopySource::from_request(request)?,
            source_conditions: ReadConditions::parse_copy_source(request)?,
            metadata_directive: MetadataDirective::parse(request, "x-amz-metadata-directive")?,
            tagging_directive: MetadataDirective::parse(request, "x-amz-tagging-directive")?,
            object: Box::new(ObjectHeaders::parse(request)?),
            condition: WriteCondition::parse(request)?,
            checksum_algorithm: checksum::named(request, "x-amz-checksum-algorithm")?,
        })
    }
}

impl S3Operation for CopyObject {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        let mut all = vec![read_source(&self.source)];
        all.extend(write_object(&self.target, &self.object));
        all
    }

    fn conditional(&self) -> Vec<ConditionalRequirement> {
        let target = &self.target;
        let mut all = ConditionalRequirement::compare_tag(&self.condition, &target.bucket, &target.key);
        if self.tagging_directive == MetadataDirective::Copy {
            let source = &self.source;
            let version = source.version_id.as_ref();
            let read = if version.is_some() { "s3:GetObjectVersionTagging" } else { "s3:GetObjectTagging" };
            let read = Requirement::on_object(read, &source.bucket, &source.key, version);
            let effect = Effect::CopyTags;
            all.push(ConditionalRequirement { requirement: read, effect });
            all.push(ConditionalRequirement { requirement: target.need("s3:PutObjectTagging"), effect });
        }
        all
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.creates_object(true);
        keys.copied_object(&self.object, self.tagging_directive)?;
        keys.write_condition(&self.condition)?;
        keys.copy_source(&self.source);
        Ok(())
    }

    fn copy_source(&self) -> Option<&CopySource> {
        Some(&self.source)
    }

    fn makes_missing_bucket(&self) -> bool {
        true
    }
}
