//! UploadPartCopy.

use std::ops::Range;

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use s3::S3Error;
use s3::op::{CopyResult, UploadPartCopy};

use super::put_part;
use crate::op::answer::{self, Answer};
use crate::op::copy_object::set_versions;
use crate::op::copy_source::{check_copy_bytes, protocol_checksum};

/// Makes a part from the bytes of another object, or from a range of them.
impl Run for UploadPartCopy {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let writer = call.writer()?;
        let upload = call.own_upload(&input.target, &input.upload_id).await?;
        let source = call.copy_source(&input.source, &input.source_conditions, &input.encryption).await?;
        let range = source_range(input.source_range, source.content_bytes())?;
        check_copy_bytes(range.end - range.start)?;
        call.allow_early_response();
        let mime = &upload.entry.attributes().mime;
        let target = writer.target(&input.target.key, Some(mime), Some(range.end - range.start));
        let algorithm = upload.checksum().map(|(algorithm, _)| algorithm);
        let stored = call.copy_bytes(&source, range, &target, algorithm).await?;
        let part = writer.stamp.part(input.part_number, &stored.written, stored.stored_checksum());
        put_part(&writer, &input.target, &input.upload_id, &upload, part).await?;
        let result = CopyResult {
            etag: hex::encode(stored.written.md5),
            last_modified: call.now.as_second(),
            checksum: stored.checksum.as_ref().map(protocol_checksum),
        };
        let mut response = answer::document(result.to_part_xml())?;
        set_versions(call, &input.source, &source, None, response.headers_mut());
        Ok(response)
    }
}

/// The range of bytes to copy: all of them, or the given range, which must be inside the source.
fn source_range(range: Option<(u64, u64)>, size: u64) -> Result<Range<u64>, S3Error> {
    match range {
        None => Ok(0..size),
        Some((first, last)) if first <= last && last < size => Ok(first..last + 1),
        Some((first, last)) => Err(S3Error::invalid_argument(
            "x-amz-copy-source-range",
            format!("bytes={first}-{last}"),
            format!("Range specified is not valid for source object of size: {size}"),
        )),
    }
}
