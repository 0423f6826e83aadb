//! UploadPartCopy.

use std::ops::Range;

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use s3::S3Error;
use s3::op::{CopyResult, UploadPartCopy};

use super::upload_part::part_entry;
use crate::op::answer::{self, Answer};
use crate::op::copied::{check_copy_bytes, protocol_checksum};
use crate::op::new_entry::require_writable;

/// Makes a part out of another object's bytes, or a range of them.
impl Run for UploadPartCopy {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let bucket = call.existing_bucket()?;
        require_writable(bucket)?;
        let upload = call.multipart_upload(&input.target.bucket, &input.target.key, &input.upload_id).await?;
        let source = call.copy_source(&input.source, &input.source_conditions, &input.encryption).await?;
        let range = source_range(input.source_range, source.content_bytes())?;
        check_copy_bytes(range.end - range.start)?;
        let mime = &upload.entry.attributes().mime;
        let target =
            call.write_target(&input.target.bucket, &input.target.key, Some(mime), Some(range.end - range.start));
        let algorithm = upload.checksum().map(|(algorithm, _)| algorithm);
        let stored = call.copy_bytes(&source, range, &target, algorithm).await?;
        let part = part_entry(call, bucket, input.part_number, &stored);
        call.put_part(&input.target.bucket, &input.target.key, &input.upload_id, &upload, part).await?;
        let result = CopyResult {
            etag: hex::encode(stored.written.md5),
            last_modified: call.now.as_second(),
            checksum: stored.checksum.as_ref().map(protocol_checksum),
        };
        answer::document(result.to_part_xml())
    }
}

/// The bytes that are copied, all of them unless a range is given, which must lie inside the source.
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
