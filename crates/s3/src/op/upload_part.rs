use super::multipart::{part_number, upload_id};
use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::condition_keys::ConditionKeys;
use crate::conditional::ReadConditions;
use crate::copy_source::CopySource;
use crate::object_headers::EncryptionHeaders;
use crate::range::ByteRange;
use crate::request::Request;
use crate::requirement::{Requirement, read_source};
use crate::routed::{Route, Routed};
use crate::s3_operation::{S3Operation, UploadLength};
use crate::target::{Addressed, Target};
use crate::version_id::UploadId;

/// `PUT /bucket/key?partNumber=&uploadId=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPart {
    /// The object.
    pub target: Target,
    /// The upload.
    pub upload_id: UploadId,
    /// 1 to 10000.
    pub part_number: u32,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// The lengths in the head.
    pub length: UploadLength,
    /// The SSE-C headers, if any were sent.
    pub encryption: EncryptionHeaders,
}

/// `PUT /bucket/key?partNumber=&uploadId=` with `x-amz-copy-source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPartCopy {
    /// The object.
    pub target: Target,
    /// The upload.
    pub upload_id: UploadId,
    /// 1 to 10000.
    pub part_number: u32,
    /// The object that is read.
    pub source: CopySource,
    /// `x-amz-copy-source-range`: first and last byte. It must be inside the source.
    pub source_range: Option<(u64, u64)>,
    /// `x-amz-copy-source-if-*`.
    pub source_conditions: ReadConditions,
    /// The SSE-C headers, if any were sent.
    pub encryption: EncryptionHeaders,
}

fn source_range(request: &Request<'_>) -> Result<Option<(u64, u64)>, S3Error> {
    const HEADER: &str = "x-amz-copy-source-range";
    let Some(text) = request.header(HEADER)? else { return Ok(None) };
    match ByteRange::parse(&text) {
        Some(ByteRange::FromTo(first, last)) => Ok(Some((first, last))),
        _ => Err(S3Error::invalid_argument(
            HEADER,
            &*text,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
        )),
    }
}

impl Routed for UploadPart {
    type On = Target;
    const ROUTE: Route = Route::sub("PUT", "uploadId").of_part();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        Ok(Self {
            target,
            upload_id: upload_id(request)?,
            part_number: part_number(request)?,
            checksums: BodyChecksums::parse(request)?,
            length: UploadLength::parse(request)?,
            encryption: EncryptionHeaders::parse(request)?,
        })
    }
}

impl S3Operation for UploadPart {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![self.target.need("s3:PutObject")]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.creates_object(false);
        keys.encryption(&self.encryption);
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }

    fn upload(&self) -> Option<UploadLength> {
        Some(self.length)
    }
}

impl Routed for UploadPartCopy {
    type On = Target;
    const ROUTE: Route = Route::sub("PUT", "uploadId").of_part().copying();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        Ok(Self {
            target,
            upload_id: upload_id(request)?,
            part_number: part_number(request)?,
            source: CopySource::from_request(request)?,
            source_range: source_range(request)?,
            source_conditions: ReadConditions::parse_copy_source(request)?,
            encryption: EncryptionHeaders::parse(request)?,
        })
    }
}

impl S3Operation for UploadPartCopy {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![read_source(&self.source), self.target.need("s3:PutObject")]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.creates_object(false);
        keys.encryption(&self.encryption);
        keys.copy_source(&self.source);
        Ok(())
    }

    fn copy_source(&self) -> Option<&CopySource> {
        Some(&self.source)
    }
}
