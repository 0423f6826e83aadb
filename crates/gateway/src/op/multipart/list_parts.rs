//! ListParts.

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use filer::Entry;
use s3::Checksum;
use s3::op::{ListParts, ListPartsOutput, PartSummary};

use super::{initiator_of, owner_of};
use crate::errors;
use crate::op::answer::{self, Answer};
use bucket::object;

/// The parts uploaded so far, each number once.
impl Run for ListParts {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        call.existing_bucket()?;
        let upload = call.multipart_upload(&input.target, &input.upload_id).await?;
        let max_parts = usize::try_from(input.max_parts).unwrap_or(usize::MAX);
        let objects = call.objects(&input.target.bucket);
        let listed = objects.list_parts(&upload, input.part_number_marker, max_parts).await;
        let (parts, is_truncated) = listed.map_err(errors::from_filer)?;
        let output = ListPartsOutput {
            parts: parts.iter().map(|(number, part)| summary(*number, part)).collect(),
            is_truncated,
            initiator: initiator_of(call, &upload),
            owner: owner_of(call, &upload),
            storage_class: object::storage_class(&upload.entry).to_owned(),
            checksum: upload.checksum(),
            request: input,
        };
        answer::document(output.to_xml())
    }
}

fn summary(part_number: u32, part: &Entry) -> PartSummary {
    let checksum = object::checksum(part);
    PartSummary {
        part_number,
        last_modified: part.attributes().mtime,
        etag: part.etag(),
        size: part.content_bytes(),
        checksum: checksum.map(|(algorithm, value)| Checksum { algorithm, value: value.to_owned() }),
    }
}
