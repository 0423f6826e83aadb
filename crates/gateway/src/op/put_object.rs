//! PutObject.

use access::Permit;
use bucket::writer::SeenVersions;
use http::{HeaderMap, StatusCode};
use s3::S3Error;
use s3::op::PutObject;
use sigv4::checksum::Checksum;

use super::answer::{self, Answer};
use super::new_entry::{described, require_supported};
use super::upload;
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::errors;

/// Stores an object in one piece.
impl Run for PutObject {
    async fn run(call: &Call<'_>, permit: Permit<Self>, body: ObjectBody) -> Answer {
        let stored = put(call, permit.into_operation(), body).await?;
        let mut response = answer::empty(StatusCode::OK)?;
        stored.set_headers(response.headers_mut());
        Ok(response)
    }
}

/// What the answer says about a new object or part.
pub(super) struct Stored {
    /// Without quotes.
    pub(super) etag: String,
    /// The requested checksum.
    pub(super) checksum: Option<Checksum>,
    /// The version of the object, if the bucket keeps versions.
    pub(super) version_id: Option<String>,
}

impl Stored {
    /// `ETag` and the checksum of all bytes.
    pub(super) fn set_headers(&self, headers: &mut HeaderMap) {
        answer::set(headers, http::header::ETAG, &answer::quoted(&self.etag));
        if let Some(checksum) = &self.checksum {
            answer::set_named(headers, checksum.algorithm().header(), &checksum.to_base64());
            answer::set_named(headers, "x-amz-checksum-type", "FULL_OBJECT");
        }
        if let Some(version_id) = &self.version_id {
            answer::set_named(headers, "x-amz-version-id", version_id);
        }
    }
}

/// The same for the POST form.
pub(super) async fn put(call: &Call<'_>, input: PutObject, mut body: ObjectBody) -> Result<Stored, S3Error> {
    let writer = call.writer_of_new(&input.object)?;
    require_supported(&input.object)?;
    call.check_condition_early(&input.target.bucket, &input.target.key, &input.condition).await?;
    let mime = input.object.content.content_type.as_deref();
    let mut description = described(&input.object);
    description.set_lock(&call.new_lock(&input.target, &input.object.lock)?);
    let (entry, checksum, seen) = if input.target.key.is_directory_marker() {
        writer.require_no_file_at(&input.target.key).await.map_err(errors::from_filer)?;
        let content = Call::read_marker_body(&mut body).await?;
        call.require_still_allowed().await?;
        (
            writer.stamp.marker(&input.target.key, description, &content),
            body.checksum().cloned(),
            SeenVersions::NotLooked,
        )
    } else {
        let expected = body.expected_bytes().or(input.length.object_bytes());
        let target = writer.target(&input.target.key, mime, expected);
        let looking = writer.see_versions(&input.target.key);
        let (stored, seen) = upload::store_while(call, &target, body, looking).await?;
        (
            writer.stamp.object(&input.target.key, description, &stored.written, stored.stored_checksum()),
            stored.checksum,
            seen,
        )
    };
    let etag = entry.etag();
    let version_id = call.put_entry(&writer, &input.target, entry, &input.condition, seen).await?;
    Ok(Stored { etag, checksum, version_id })
}
