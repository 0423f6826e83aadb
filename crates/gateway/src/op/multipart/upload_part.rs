//! UploadPart.

use access::Permit;
use filer::Entry;
use http::StatusCode;
use iam::Bucket;
use s3::op::UploadPart;
use s3::{S3Error, S3ErrorCode};

use super::{MultipartUpload, part_name};
use crate::body::ObjectBody;
use crate::object::attribute;
use crate::op::answer::{self, Answer};
use crate::op::new_entry::{Extended, checksum_attributes, require_writable};
use crate::op::upload::{self, Upload};
use crate::op::{Call, Run};

/// Stores one part of an upload; an earlier one of the same number is replaced when the upload is completed.
impl Run for UploadPart {
    async fn run(call: &Call<'_>, permit: Permit<Self>, body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let bucket = call.existing_bucket()?;
        require_writable(bucket)?;
        input.encryption.require_none()?;
        let upload = call.multipart_upload(&input.target.bucket, &input.target.key, &input.upload_id).await?;
        check_algorithm(&upload, input.checksums.wanted())?;
        let expected = body.expected_bytes().or(input.length.object_bytes());
        let mime = &upload.entry.attributes().mime;
        let target = call.write_target(&input.target.bucket, &input.target.key, Some(mime), expected);
        let stored = upload::store(call, &target, body).await?;
        let part = part_entry(call, bucket, input.part_number, &stored);
        call.put_part(&input.target.bucket, &input.target.key, &input.upload_id, &upload, part).await?;
        let mut response = answer::empty(StatusCode::OK)?;
        let headers = response.headers_mut();
        answer::set(headers, http::header::ETAG, &answer::quoted(&hex::encode(stored.written.md5)));
        if let Some(checksum) = &stored.checksum {
            answer::set_named(headers, checksum.algorithm().header(), &checksum.to_base64());
        }
        Ok(response)
    }
}

/// `InvalidRequest` for a checksum that the upload was not begun with: the parts' could not be combined.
fn check_algorithm(upload: &MultipartUpload, wanted: Option<s3::ChecksumAlgorithm>) -> Result<(), S3Error> {
    match (upload.checksum(), wanted) {
        (Some((begun_with, _)), Some(wanted)) if begun_with != wanted => Err(S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                begun_with.as_str().to_ascii_lowercase(),
                wanted.as_str().to_ascii_lowercase()
            ),
        )),
        _ => Ok(()),
    }
}

/// The file of a part.
pub(super) fn part_entry(call: &Call<'_>, bucket: &Bucket, number: u32, stored: &Upload) -> Entry {
    let written = &stored.written;
    let mut extended = Extended::from([
        (attribute::ETAG.to_owned(), hex::encode(written.md5).into_bytes()),
        (attribute::OWNER.to_owned(), call.object_owner(bucket).into_bytes()),
    ]);
    extended.extend(stored.checksum.iter().flat_map(checksum_attributes));
    Entry {
        name: part_name(number),
        chunks: written.chunks.clone(),
        attributes: Some(call.file_attributes("", written.bytes, &written.md5)),
        extended,
        ..Entry::default()
    }
}
