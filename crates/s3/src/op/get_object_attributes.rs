use xml::XmlWriter;

use super::list_objects::KEYS_MAX;
use crate::checksum::{Checksum, ChecksumType};
use crate::document;
use crate::object_headers::EncryptionHeaders;
use crate::request::Request;
use crate::requirement::{ConditionalRequirement, Requirement};
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Target};
use crate::{S3Error, S3ErrorCode};

/// `GET /bucket/key?attributes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetObjectAttributes {
    /// The object.
    pub target: Target,
    /// The requested attributes, at least one.
    pub attributes: Vec<ObjectAttribute>,
    /// `x-amz-max-parts`, 0..=1000, 1000 when absent.
    pub max_parts: u32,
    /// `x-amz-part-number-marker`, 0 when absent.
    pub part_number_marker: u32,
    /// The SSE-C headers, if any were sent.
    pub encryption: EncryptionHeaders,
}

/// The attributes that GetObjectAttributes can return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectAttribute {
    /// The entity tag.
    ETag,
    /// The checksum.
    Checksum,
    /// The parts of which it was made.
    ObjectParts,
    /// The storage class.
    StorageClass,
    /// The size in bytes.
    ObjectSize,
}

impl GetObjectAttributes {
    /// True if this attribute is requested.
    pub fn wants(&self, attribute: ObjectAttribute) -> bool {
        self.attributes.contains(&attribute)
    }
}

/// The answer to GetObjectAttributes: the requested attributes that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetObjectAttributesOutput {
    /// Without quotes.
    pub etag: Option<String>,
    /// The checksum and what it covers.
    pub checksum: Option<(Checksum, ChecksumType)>,
    /// For an object made of parts.
    pub parts: Option<ObjectAttributesParts>,
    /// For example `STANDARD`.
    pub storage_class: Option<String>,
    /// Bytes.
    pub object_size: Option<u64>,
}

/// The parts of which an object was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectAttributesParts {
    /// How many there are.
    pub total_parts: u32,
    /// As it was asked for.
    pub part_number_marker: u32,
    /// As it was asked for.
    pub max_parts: u32,
    /// True when there is another page.
    pub is_truncated: bool,
    /// The parts on this page. S3 lists parts only for objects with checksums.
    pub parts: Vec<ObjectAttributesPart>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectAttributesPart {
    /// 1 to 10000.
    pub part_number: u32,
    /// Bytes.
    pub size: u64,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

impl GetObjectAttributesOutput {
    /// The document of the answer. Here the tag has no quotes, unlike everywhere else in S3.
    pub fn to_xml(&self) -> String {
        let mut xml = document::begin("GetObjectAttributesResponse");
        xml.optional("ETag", self.etag.as_deref().map(|etag| etag.trim_matches('"')));
        if let Some((checksum, kind)) = &self.checksum {
            xml.open("Checksum");
            xml.text(checksum.algorithm.element(), &checksum.value);
            xml.text("ChecksumType", kind.as_str());
            xml.close("Checksum");
        }
        if let Some(parts) = &self.parts {
            write_parts(parts, &mut xml);
        }
        xml.optional("StorageClass", self.storage_class.as_deref());
        if let Some(size) = self.object_size {
            xml.value("ObjectSize", size);
        }
        xml.close("GetObjectAttributesResponse");
        xml.finish()
    }
}

fn write_parts(parts: &ObjectAttributesParts, xml: &mut XmlWriter) {
    xml.open("ObjectParts");
    xml.value("IsTruncated", parts.is_truncated);
    xml.value("MaxParts", parts.max_parts);
    xml.value("NextPartNumberMarker", parts.parts.last().map_or(0, |part| part.part_number));
    xml.value("PartNumberMarker", parts.part_number_marker);
    for part in &parts.parts {
        xml.open("Part");
        xml.value("PartNumber", part.part_number);
        xml.value("Size", part.size);
        if let Some(checksum) = &part.checksum {
            xml.text(checksum.algorithm.element(), &checksum.value);
        }
        xml.close("Part");
    }
    // S3 calls the number of parts `PartsCount` in this document and `TotalPartsCount` in its SDKs.
    xml.value("PartsCount", parts.total_parts);
    xml.close("ObjectParts");
}

impl Routed for GetObjectAttributes {
    type On = Target;
    const ROUTE: Route = Route::sub("GET", "attributes").of_version();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        let header = request.joined_header("x-amz-object-attributes")?.unwrap_or_default();
        let mut attributes = Vec::new();
        for name in header.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            attributes.push(match name {
                "ETag" => ObjectAttribute::ETag,
                "Checksum" => ObjectAttribute::Checksum,
                "ObjectParts" => ObjectAttribute::ObjectParts,
                "StorageClass" => ObjectAttribute::StorageClass,
                "ObjectSize" => ObjectAttribute::ObjectSize,
                other => {
                    let message = "Invalid attribute name specified.";
                    return Err(S3Error::invalid_argument("x-amz-object-attributes", other, message));
                }
            });
        }
        if attributes.is_empty() {
            let message = "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let count = |name: &'static str, default: u64| Ok::<u64, S3Error>(request.count(name)?.unwrap_or(default));
        Ok(Self {
            target,
            attributes,
            max_parts: count("x-amz-max-parts", KEYS_MAX.into())?.min(KEYS_MAX.into()) as u32,
            part_number_marker: u32::try_from(count("x-amz-part-number-marker", 0)?).unwrap_or(u32::MAX),
            encryption: EncryptionHeaders::parse(request)?,
        })
    }
}

impl S3Operation for GetObjectAttributes {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![
            self.target.need_of_version("s3:GetObject", "s3:GetObjectVersion"),
            self.target.need_of_version("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"),
        ]
    }

    fn conditional(&self) -> Vec<ConditionalRequirement> {
        ConditionalRequirement::tell_missing_key(&self.target)
    }
}
