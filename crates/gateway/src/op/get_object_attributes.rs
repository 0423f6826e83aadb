//! GetObjectAttributes.

use access::Permit;
use bucket::part_boundaries::part_boundaries;
use filer::Entry;
use http::header;
use s3::op::{
    GetObjectAttributes, GetObjectAttributesOutput, ObjectAttribute, ObjectAttributesPart, ObjectAttributesParts,
};
use s3::{Checksum, ChecksumType};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;
use bucket::object;

/// Returns what is known about an object without its bytes.
impl Run for GetObjectAttributes {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        call.existing_bucket()?;
        input.encryption.require_none()?;
        let entry = call.object_at(&input.target).await?;
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
        call.set_version_id(response.headers_mut(), &input.target, &entry);
        Ok(response)
    }
}

fn checksum(entry: &Entry) -> Option<(Checksum, ChecksumType)> {
    let (algorithm, value) = object::checksum(entry)?;
    Some((Checksum { algorithm, value: value.to_owned() }, object::checksum_type(entry)))
}

/// As on S3, parts are listed only for objects with a checksum. Others only show how many they have.
fn parts(entry: &Entry, input: &GetObjectAttributes) -> Option<ObjectAttributesParts> {
    let all = part_boundaries(entry);
    if all.is_empty() {
        return None;
    }
    let total_parts = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let algorithm = object::checksum(entry).map(|(algorithm, _)| algorithm);
    let mut after: Vec<ObjectAttributesPart> = all
        .into_iter()
        .filter(|part| algorithm.is_some() && part.number > input.part_number_marker)
        .map(|part| ObjectAttributesPart {
            part_number: part.number,
            size: part.end_offset.saturating_sub(part.start_offset),
            checksum: algorithm.zip(part.checksum).map(|(algorithm, value)| Checksum { algorithm, value }),
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
