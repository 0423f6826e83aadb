use xml::XmlWriter;

use super::Owner;
use super::list_objects::{KEYS_MAX, encoding_type};
use super::multipart::upload_id;
use crate::EncodingType;
use crate::checksum::{Checksum, ChecksumAlgorithm, ChecksumType};
use crate::document;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Target};
use crate::version_id::UploadId;
use crate::{S3Error, time};

/// `GET /bucket/key?uploadId=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListParts {
    /// The object.
    pub target: Target,
    /// The upload.
    pub upload_id: UploadId,
    /// `max-parts`, 0..=1000, 1000 when absent.
    pub max_parts: u32,
    /// `part-number-marker`: list only parts with higher numbers; 0 when absent.
    pub part_number_marker: u32,
    /// `encoding-type=url`.
    pub encoding_type: Option<EncodingType>,
}

/// One part of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSummary {
    /// 1 to 10000.
    pub part_number: u32,
    /// Seconds since 1970.
    pub last_modified: i64,
    /// Without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// The checksum that it has, if any.
    pub checksum: Option<Checksum>,
}

/// The answer to ListParts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPartsOutput {
    /// The request.
    pub request: ListParts,
    /// In order of numbers.
    pub parts: Vec<PartSummary>,
    /// True when there is another page.
    pub is_truncated: bool,
    /// Who began the upload.
    pub initiator: Owner,
    /// Whose the object will be.
    pub owner: Owner,
    /// For example `STANDARD`.
    pub storage_class: String,
    /// The checksum with which the upload was begun.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

impl ListPartsOutput {
    /// The document of the answer.
    pub fn to_xml(&self) -> String {
        let request = &self.request;
        let mut xml = document::begin("ListPartsResult");
        xml.text("Bucket", request.target.bucket.as_str());
        xml.optional("EncodingType", request.encoding_type.map(EncodingType::as_str));
        xml.text("Key", &EncodingType::encode(request.encoding_type, request.target.key.as_str()));
        xml.text("UploadId", request.upload_id.as_str());
        self.initiator.write("Initiator", &mut xml);
        self.owner.write("Owner", &mut xml);
        xml.text("StorageClass", &self.storage_class);
        xml.value("PartNumberMarker", request.part_number_marker);
        if let Some(last) = self.parts.last() {
            xml.value("NextPartNumberMarker", last.part_number);
        }
        xml.value("MaxParts", request.max_parts);
        xml.value("IsTruncated", self.is_truncated);
        if let Some((algorithm, kind)) = self.checksum {
            xml.text("ChecksumAlgorithm", algorithm.as_str());
            xml.text("ChecksumType", kind.as_str());
        }
        for part in &self.parts {
            write_part(part, &mut xml);
        }
        xml.close("ListPartsResult");
        xml.finish()
    }
}

fn write_part(part: &PartSummary, xml: &mut XmlWriter) {
    xml.open("Part");
    xml.value("PartNumber", part.part_number);
    xml.text("LastModified", &time::iso8601(part.last_modified));
    xml.text("ETag", &document::quoted(&part.etag));
    xml.value("Size", part.size);
    if let Some(checksum) = &part.checksum {
        xml.text(checksum.algorithm.element(), &checksum.value);
    }
    xml.close("Part");
}

impl Routed for ListParts {
    type On = Target;
    const ROUTE: Route = Route::sub("GET", "uploadId");

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        Ok(Self {
            target,
            upload_id: upload_id(request)?,
            max_parts: request.number("max-parts")?.unwrap_or(KEYS_MAX).min(KEYS_MAX),
            part_number_marker: request.number("part-number-marker")?.unwrap_or(0),
            encoding_type: encoding_type(request)?,
        })
    }
}

impl S3Operation for ListParts {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![self.target.need("s3:ListMultipartUploadParts")]
    }
}
