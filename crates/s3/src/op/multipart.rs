use crate::S3Error;
use crate::request::Request;
use crate::version_id::UploadId;

/// The highest number of a part.
pub(crate) const PART_NUMBER_MAX: u32 = 10_000;

pub(crate) fn upload_id(request: &Request<'_>) -> Result<UploadId, S3Error> {
    request.param("uploadId").unwrap_or_default().parse()
}

/// `partNumber`, 1 to 10000, if present.
pub(crate) fn optional_part_number(request: &Request<'_>) -> Result<Option<u32>, S3Error> {
    let Some(text) = request.param("partNumber") else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (1..=PART_NUMBER_MAX).contains(number));
    number.map(Some).ok_or_else(|| {
        S3Error::invalid_argument("partNumber", text, "Part number must be an integer between 1 and 10000, inclusive")
    })
}

/// `partNumber`, which is required.
pub(crate) fn part_number(request: &Request<'_>) -> Result<u32, S3Error> {
    optional_part_number(request)?
        .ok_or_else(|| S3Error::invalid_argument("partNumber", "", "This operation needs the parameter partNumber"))
}
