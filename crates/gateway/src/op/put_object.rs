//! PutObject.

use access::Permit;
use http::{HeaderMap, StatusCode};
use s3::S3Error;
use s3::op::PutObject;
use sigv4::checksum::Checksum;

use super::answer::{self, Answer};
use super::new_entry::{described, require_supported, require_writable};
use super::upload;
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::object;

/// Stores an object in one piece.
impl Run for PutObject {
    async fn run(call: &Call<'_>, permit: Permit<Self>, body: ObjectBody) -> Answer {
        let stored = put(call, permit.into_operation(), body).await?;
        let mut response = answer::empty(StatusCode::OK)?;
        stored.set_headers(response.headers_mut());
        Ok(response)
    }
}

/// What the answer tells of a new object or part.
pub(super) struct Stored {
    /// Without quotes.
    pub(super) etag: String,
    /// The checksum that was asked for.
    pub(super) checksum: Option<Checksum>,
}

impl Stored {
    /// `ETag` and the checksum of all bytes.
    pub(super) fn set_headers(&self, headers: &mut HeaderMap) {
        answer::set(headers, http::header::ETAG, &answer::quoted(&self.etag));
        if let Some(checksum) = &self.checksum {
            answer::set_named(headers, checksum.algorithm().header(), &checksum.to_base64());
            answer::set_named(headers, "x-amz-checksum-type", "FULL_OBJECT");
        }
    }
}

/// The same for the POST form.
pub(super) async fn put(call: &Call<'_>, input: PutObject, mut body: ObjectBody) -> Result<Stored, S3Error> {
    let bucket = call.existing_bucket()?;
    require_writable(bucket)?;
    require_supported(&input.object)?;
    call.look_ahead(&input.target.bucket, &input.target.key, &input.condition).await?;
    let mime = input.object.content.content_type.as_deref();
    let extended = described(&input.object);
    let (entry, checksum) = if input.target.key.is_directory_marker() {
        call.require_no_file_at(&input.target.bucket, &input.target.key).await?;
        let content = Call::read_marker_body(&mut body).await?;
        (call.marker_entry(bucket, &input.target.key, mime, extended, &content), body.checksum().cloned())
    } else {
        let expected = body.expected_bytes().or(input.length.object_bytes());
        let target = call.write_target(&input.target.bucket, &input.target.key, mime, expected);
        let stored = upload::store(call, &target, body).await?;
        (call.file_entry(bucket, &input.target.key, mime, extended, &stored), stored.checksum)
    };
    let etag = entry.etag();
    call.put_entry(&input.target.bucket, &input.target.key, entry, &input.condition).await?;
    Ok(Stored { etag, checksum })
}

impl Call<'_> {
    /// Where one entry stands for both, the marker `a/` must not replace the object `a`: `ExistingObjectIsFile`.
    pub(super) async fn require_no_file_at(
        &self,
        bucket: &ids::BucketName,
        key: &ids::ObjectKey,
    ) -> Result<(), S3Error> {
        if self.gateway.filer_configuration.files_beside_directories {
            return Ok(());
        }
        let found = self.filer().lookup(&self.object_path(bucket, key)).await.map_err(crate::errors::from_filer)?;
        match found {
            Some(entry) if !entry.is_directory || object::is_prefix_object(&entry) => {
                Err(s3::S3ErrorCode::ExistingObjectIsFile.into())
            }
            _ => Ok(()),
        }
    }
}
