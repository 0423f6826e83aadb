//! ListParts.

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use filer::Entry;
use s3::Checksum;
use s3::S3Error;
use s3::op::{ListParts, ListPartsOutput, PartSummary};

use crate::errors;
use crate::object;
use crate::op::answer::{self, Answer};

/// The parts that an upload has so far, each number once.
impl Run for ListParts {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        call.existing_bucket()?;
        let upload = call.multipart_upload(&input.target.bucket, &input.target.key, &input.upload_id).await?;
        let page = usize::try_from(input.max_parts).unwrap_or(usize::MAX);
        let mut after = call.parts(&upload, false).await?.split_off(&input.part_number_marker.saturating_add(1));
        let is_truncated = after.len() > page;
        let mut parts = Vec::with_capacity(after.len().min(page));
        while parts.len() < page {
            let Some((number, files)) = after.pop_first() else { break };
            if let Some(newest) = files.into_iter().next_back() {
                parts.push(summary(call, &upload.path, number, newest).await?);
            }
        }
        let output = ListPartsOutput {
            parts,
            is_truncated,
            initiator: upload.owner(),
            owner: upload.owner(),
            storage_class: object::storage_class(&upload.entry).to_owned(),
            checksum: upload.checksum(),
            request: input,
        };
        answer::document(output.to_xml())
    }
}

/// The entry comes from a listing without chunks: where only they tell the ETag, it is looked up again.
async fn summary(call: &Call<'_>, directory: &str, part_number: u32, listed: Entry) -> Result<PartSummary, S3Error> {
    let entry = if object::etag_needs_no_chunks(&listed) {
        listed
    } else {
        let path = format!("{directory}/{}", listed.name);
        call.filer().lookup(&path).await.map_err(errors::from_filer)?.unwrap_or(listed)
    };
    let checksum = answer::stored_checksum(&entry);
    Ok(PartSummary {
        part_number,
        last_modified: entry.attributes().mtime,
        etag: entry.etag(),
        size: entry.content_bytes(),
        checksum: checksum.map(|(algorithm, value)| Checksum { algorithm, value: value.to_owned() }),
    })
}
