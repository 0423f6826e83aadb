use ids::{BucketName, ObjectKey};
use xml::Element;

use super::multipart::{PART_NUMBER_MAX, upload_id};
use crate::checksum::{self, BodyChecksums, Checksum, ChecksumAlgorithm, ChecksumType};
use crate::condition_keys::ConditionKeys;
use crate::conditional::WriteCondition;
use crate::document;
use crate::object_headers::EncryptionHeaders;
use crate::request::Request;
use crate::requirement::{ConditionalRequirement, Requirement};
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Target};
use crate::version_id::UploadId;
use crate::{S3Error, S3ErrorCode};

/// `POST /bucket/key?uploadId=`. [`CompletedPart::list_from_xml`] reads the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompleteMultipartUpload {
    /// The object.
    pub target: Target,
    /// The upload.
    pub upload_id: UploadId,
    /// `If-Match`, `If-None-Match`.
    pub condition: WriteCondition,
    /// `x-amz-checksum-*`: the checksum that the whole object must have, in base 64, possibly followed by `-` and a
    /// number.
    pub checksum: Option<Checksum>,
    /// `x-amz-checksum-type`: must be the type with which the upload was begun.
    pub checksum_type: Option<ChecksumType>,
    /// `x-amz-mp-object-size`: the size that the object must have.
    pub object_size: Option<u64>,
    /// `x-amz-trailer` and `Content-MD5`: what the body itself is checked against.
    pub body: BodyChecksums,
    /// The SSE-C headers, if any were sent.
    pub encryption: EncryptionHeaders,
}

/// The checksum of the object, not of the body. It may be composite.
fn object_checksum(request: &Request<'_>) -> Result<Option<Checksum>, S3Error> {
    let mut found = None;
    for algorithm in ChecksumAlgorithm::ALL {
        let Some(value) = request.owned_header(algorithm.header())? else { continue };
        let digest = value.split_once('-').map_or(value.as_str(), |(digest, _)| digest);
        if found.is_some() || !checksum::is_valid(algorithm, digest) {
            let message = format!("Value for {} header is invalid, or there are several.", algorithm.header());
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        found = Some(Checksum { algorithm, value });
    }
    Ok(found)
}

/// One part of the list that completes an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedPart {
    /// 1 to 10000.
    pub part_number: u32,
    /// Without quotes.
    pub etag: String,
    /// The checksum that the part must have, if one is given.
    pub checksum: Option<Checksum>,
}

impl CompletedPart {
    /// Reads the body. Fails with `InvalidPartOrder` if the parts are not in ascending order, with `MalformedXML` if
    /// there are none.
    pub fn list_from_xml(body: &[u8]) -> Result<Vec<Self>, S3Error> {
        let root = xml::parse(body, "CompleteMultipartUpload")?;
        root.only(&["Part"])?;
        let parts: Vec<Self> = root.all("Part").map(Self::from_element).collect::<Result<_, _>>()?;
        if parts.is_empty() {
            return Err(S3Error::malformed_xml("You must specify at least one part"));
        }
        if parts.len() > PART_NUMBER_MAX as usize {
            return Err(S3Error::malformed_xml("an upload can have at most 10000 parts"));
        }
        let mut ascending: Vec<Self> = Vec::with_capacity(parts.len());
        for part in parts {
            match ascending.last_mut() {
                Some(last) if last.part_number > part.part_number => {
                    return Err(S3Error::new(S3ErrorCode::InvalidPartOrder));
                }
                // A client that repeated an upload may name both. The later one counts, as in SeaweedFS.
                Some(last) if last.part_number == part.part_number => *last = part,
                _ => ascending.push(part),
            }
        }
        Ok(ascending)
    }

    fn from_element(part: &Element) -> Result<Self, S3Error> {
        let number = part.required("PartNumber")?.trim();
        let part_number =
            number.parse().ok().filter(|number| (1..=PART_NUMBER_MAX).contains(number)).ok_or_else(|| {
                let message = "PartNumber must be an integer between 1 and 10000, inclusive";
                S3Error::invalid_argument("PartNumber", number, message)
            })?;
        let mut checksum = None;
        for algorithm in ChecksumAlgorithm::ALL {
            let Some(value) = part.child_text(algorithm.element())? else { continue };
            if checksum.is_some() || !checksum::is_valid(algorithm, value.trim()) {
                return Err(S3Error::malformed_xml(format_args!("part {part_number}: the checksum is not valid")));
            }
            checksum = Some(Checksum { algorithm, value: value.trim().to_owned() });
        }
        Ok(Self { part_number, etag: part.required("ETag")?.trim().trim_matches('"').to_owned(), checksum })
    }
}

/// The answer to CompleteMultipartUpload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompleteMultipartUploadOutput {
    /// Where the object is, an absolute URL.
    pub location: String,
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// Without quotes.
    pub etag: String,
    /// The checksum of the object, if it has one, and what it covers.
    pub checksum: Option<(Checksum, ChecksumType)>,
}

impl CompleteMultipartUploadOutput {
    /// The document of the answer.
    pub fn to_xml(&self) -> String {
        let mut xml = document::begin("CompleteMultipartUploadResult");
        xml.text("Location", &self.location);
        xml.text("Bucket", self.bucket.as_str());
        xml.text("Key", self.key.as_str());
        xml.text("ETag", &document::quoted(&self.etag));
        if let Some((checksum, kind)) = &self.checksum {
            xml.text(checksum.algorithm.element(), &checksum.value);
            xml.text("ChecksumType", kind.as_str());
        }
        xml.close("CompleteMultipartUploadResult");
        xml.finish()
    }
}

impl Routed for CompleteMultipartUpload {
    type On = Target;
    const ROUTE: Route = Route::sub("POST", "uploadId");

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        Ok(Self {
            target,
            upload_id: upload_id(request)?,
            condition: WriteCondition::parse(request)?,
            checksum: object_checksum(request)?,
            checksum_type: checksum::checksum_type(request)?,
            object_size: request.length("x-amz-mp-object-size")?,
            body: BodyChecksums::parse_without_value(request)?,
            encryption: EncryptionHeaders::parse(request)?,
        })
    }
}

impl S3Operation for CompleteMultipartUpload {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![self.target.need("s3:PutObject")]
    }

    fn conditional(&self) -> Vec<ConditionalRequirement> {
        ConditionalRequirement::compare_tag(&self.condition, &self.target.bucket, &self.target.key)
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.creates_object(true);
        keys.write_condition(&self.condition)
    }
}
