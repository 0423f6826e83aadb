use ids::{BucketName, ObjectKey};

use crate::checksum::{self, Checksum, ChecksumAlgorithm};
use crate::conditional::{ReadConditions, WriteCondition};
use crate::copy_source::CopySource;
use crate::object_headers::ObjectHeaders;
use crate::request::Request;
use crate::xml::XmlWriter;
use crate::{S3Error, time};

/// `PUT /bucket/key` with `x-amz-copy-source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyObject {
    /// The bucket that is written.
    pub bucket: BucketName,
    /// The key that is written.
    pub key: ObjectKey,
    /// The object that is read.
    pub source: CopySource,
    /// `x-amz-copy-source-if-*`.
    pub source_conditions: ReadConditions,
    /// `x-amz-metadata-directive`.
    pub metadata_directive: MetadataDirective,
    /// `x-amz-tagging-directive`.
    pub tagging_directive: MetadataDirective,
    /// What the copy is given; content headers and metadata count with `REPLACE` only.
    pub object: Box<ObjectHeaders>,
    /// `If-Match`, `If-None-Match` on what is written.
    pub condition: WriteCondition,
    /// `x-amz-checksum-algorithm`: the checksum of the copy.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
}

impl CopyObject {
    pub(crate) fn parse(request: &Request<'_>, bucket: BucketName, key: ObjectKey) -> Result<Self, S3Error> {
        Ok(Self {
            bucket,
            key,
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

/// Whether a copy keeps what its source has, or takes what the request says.
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
        let mut xml = XmlWriter::document();
        xml.open_root(root);
        xml.text("LastModified", &time::iso8601(self.last_modified));
        xml.etag(&self.etag);
        if let Some(checksum) = &self.checksum {
            xml.text(checksum.algorithm.element(), &checksum.value);
        }
        xml.close(root);
        xml.finish()
    }
}
