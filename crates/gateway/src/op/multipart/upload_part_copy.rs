//! UploadPartCopy.

use std::ops::Range;

use access::Permit;
use s3::S3Error;
use s3::op::{CopyResult, UploadPartCopy};

use super::upload_part::part_entry;
use crate::op::Call;
use crate::op::answer::{self, Answer};
use crate::op::copied::{check_copy_bytes, protocol_checksum};
use crate::op::new_entry::require_writable;

/// Makes a part out of another object's bytes, or a range of them.
pub async fn upload_part_copy(call: &Call<'_>, permit: Permit<UploadPartCopy>) -> Answer {
    let input = permit.into_operation();
    let bucket = call.existing_bucket()?;
    require_writable(bucket)?;
    let upload = call.multipart_upload(&input.bucket, &input.key, &input.upload_id).await?;
    let source = call.copy_source(&input.source, &input.source_conditions, &input.encryption).await?;
    let range = source_range(input.source_range, source.content_bytes())?;
    check_copy_bytes(range.end - range.start)?;
    let mime = &upload.entry.attributes().mime;
    let target = call.write_target(&input.bucket, &input.key, Some(mime), Some(range.end - range.start));
    let algorithm = upload.checksum().map(|(algorithm, _)| algorithm);
    let stored = call.copy_bytes(&source, range, &target, algorithm).await?;
    let part = part_entry(call, bucket, input.part_number, &stored);
    call.put_part(&input.bucket, &input.key, &input.upload_id, &upload, part).await?;
    let result = CopyResult {
        etag: hex::encode(stored.written.md5),
        last_modified: call.now.as_second(),
        checksum: stored.checksum.as_ref().map(protocol_checksum),
    };
    answer::document(result.to_part_xml())
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
