//! UploadPart.

use access::Permit;
use bucket::uploads::MultipartUpload;
use http::StatusCode;
use s3::op::UploadPart;
use s3::{S3Error, S3ErrorCode};

use super::put_part;
use crate::body::ObjectBody;
use crate::op::answer::{self, Answer};
use crate::op::upload;
use crate::op::{Call, Run};

/// Stores one part of an upload. An earlier part with the same number is replaced when the upload is completed.
impl Run for UploadPart {
    async fn run(call: &Call<'_>, permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let writer = call.writer()?;
        input.encryption.require_none()?;
        let upload = call.own_upload(&input.target, &input.upload_id).await?;
        check_algorithm(&upload, input.checksums.wanted())?;
        // Otherwise the part would have to be read again for the checksum of the object.
        if let Some((algorithm, _)) = upload.checksum() {
            body.compute_checksum(algorithm);
        }
        let expected = body.expected_bytes().or(input.length.object_bytes());
        let mime = &upload.entry.attributes().mime;
        let target = writer.target(&input.target.key, Some(mime), expected);
        let stored = upload::store(call, &target, body).await?;
        let part = writer.stamp.part(input.part_number, &stored.written, stored.stored_checksum());
        put_part(&writer, &input.target, &input.upload_id, &upload, part).await?;
        let mut response = answer::empty(StatusCode::OK)?;
        let headers = response.headers_mut();
        answer::set(headers, http::header::ETAG, &answer::quoted(&hex::encode(stored.written.md5)));
        if let Some(checksum) = &stored.checksum {
            answer::set_named(headers, checksum.algorithm().header(), &checksum.to_base64());
        }
        Ok(response)
    }
}

/// Fails with `InvalidRequest` if the checksum is not the kind with which the upload was begun, because those of the
/// parts could not be combined.
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
