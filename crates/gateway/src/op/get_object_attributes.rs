//! GetObjectAttributes.

use access::Permit;
use filer::Entry;
use http::header;
use s3::op::{
    GetObjectAttributes, GetObjectAttributesOutput, ObjectAttribute, ObjectAttributesPart, ObjectAttributesParts,
};
use s3::{Checksum, ChecksumType};

use super::answer::{self, Answer};
use super::part_boundaries::part_boundaries;
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::object;

/// Tells what is known of an object without its bytes.
impl Run for GetObjectAttributes {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let bucket = call.existing_bucket()?;
        input.encryption.require_none()?;
        answer::refuse_version(input.target.version_id.as_ref(), bucket.keeps_versions())?;
        let entry = call.object(&input.target.bucket, &input.target.key).await?;
        let known = |attribute| input.wants(attribute).then_some(&entry);
        let output = GetObjectAttributesOutput {
            etag: known(ObjectAttribute::ETag).map(Entry::etag),
            checksum: known(ObjectAttribute::Checksum).and_then(checksum),
            parts: known(ObjectAttribute::ObjectParts).and_then(|entry| parts(entry, &input)),
            storage_class: known(ObjectAttribute::StorageClass).map(|entry| object::storage_class(entry).to_owned()),
            object_size: known(ObjectAttribute::ObjectSize).map(Entry::content_bytes),
        };
        let mut response = answer::document(output.to_xml())?;
        let modified = s3::http_date(entry.attributes().mtime);
        answer::set(response.headers_mut(), header::LAST_MODIFIED, &modified);
        Ok(response)
    }
}

fn checksum(entry: &Entry) -> Option<(Checksum, ChecksumType)> {
    let (algorithm, value) = answer::stored_checksum(entry)?;
    let kind = match answer::stored_checksum_type(entry) {
        "COMPOSITE" => ChecksumType::Composite,
        _ => ChecksumType::FullObject,
    };
    Some((Checksum { algorithm, value: value.to_owned() }, kind))
}

/// As S3 does, parts are listed for objects with a checksum only; the others just tell how many they have.
fn parts(entry: &Entry, input: &GetObjectAttributes) -> Option<ObjectAttributesParts> {
    let all = part_boundaries(entry);
    if all.is_empty() {
        return None;
    }
    let total_parts = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let listed = answer::stored_checksum(entry).is_some();
    let mut after: Vec<ObjectAttributesPart> = all
        .into_iter()
        .filter(|part| listed && part.number > input.part_number_marker)
        .map(|part| ObjectAttributesPart {
            part_number: part.number,
            size: part.end_offset.saturating_sub(part.start_offset),
            checksum: None,
        })
        .collect();
    let page = usize::try_from(input.max_parts).unwrap_or(usize::MAX);
    let is_truncated = after.len() > page;
    after.truncate(page);
    Some(ObjectAttributesParts {
        total_parts,
        part_number_marker: input.part_number_marker,
        max_parts: input.max_parts,
        is_truncated,
        parts: after,
    })
}
