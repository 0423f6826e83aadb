//! CopyObject.

use access::Permit;
use bytes::{Bytes, BytesMut};
use filer::{Entry, FilerError};
use futures_util::StreamExt;
use http::HeaderMap;
use s3::op::{CopyObject, CopyResult, MetadataDirective};
use s3::{Checksum, ChecksumType, CopySource, Effect, Requirement, S3Error, S3ErrorCode, S3Operation, WriteCondition};

use super::answer::{self, Answer};
use super::copy_source::check_copy_bytes;
use super::new_entry::{described, require_supported};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::errors;
use bucket::description::Description;
use bucket::rules::BucketError;
use bucket::writer::{SeenVersions, Writer};
use bucket::{object, version_id};

/// Makes an object from the bytes of another one. The copy shares no data with its source.
impl Run for CopyObject {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let writer = call.writer_of_new(&input.object)?;
        require_supported(&input.object)?;
        let lock = call.new_lock(&input.target, &input.object.lock)?;
        let onto_itself = input.target.bucket == input.source.bucket && input.target.key == input.source.key;
        // A source with a version id restores that version, so it needs no other change.
        if onto_itself && input.source.version_id.is_none() && !changes_something(&input) {
            return Err(S3Error::with_message(
                S3ErrorCode::InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's \
             metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let source = call.copy_source(&input.source, &input.source_conditions, &input.object.encryption).await?;
        check_copy_bytes(source.content_bytes())?;
        if input.tagging_directive == MetadataDirective::Copy && !object::tags(&source).is_empty() {
            may_copy_tags(call, &input).await?;
        }
        call.check_condition_early(&input.target.bucket, &input.target.key, &input.condition).await?;
        call.allow_early_response();
        // A version has data of its own, because it outlives the one that it is copied from.
        let shares_data = onto_itself && !writer.objects.keeps_versions_of(&input.target.key);
        let in_place = shares_data && keeps_checksum(&source, &input) && object::has_own_etag(&source);
        let mut description = description(&input, &source);
        description.set_lock(&lock);
        let (entry, version_id) = if in_place {
            (describe_anew(&writer, &input, &source, description).await?, None)
        } else {
            copy_bytes(call, &writer, &input, &source, description).await?
        };
        let mut response = answer::document(result(&entry).to_xml())?;
        set_versions(call, &input.source, &source, version_id, response.headers_mut());
        Ok(response)
    }
}

/// The versions of the copy and of its source, where buckets keep them.
pub(super) fn set_versions(
    call: &Call<'_>,
    source: &CopySource,
    found: &Entry,
    version_id: Option<String>,
    headers: &mut HeaderMap,
) {
    if call.objects(&source.bucket).keeps_versions_of(&source.key) {
        let id = object::version_id(found).unwrap_or(version_id::NULL);
        answer::set_named(headers, "x-amz-copy-source-version-id", id);
    }
    if let Some(version_id) = version_id {
        answer::set_named(headers, "x-amz-version-id", &version_id);
    }
}

/// Tags are read from one object and written to another, and each needs its own permission.
async fn may_copy_tags(call: &Call<'_>, input: &CopyObject) -> Result<(), S3Error> {
    let also = input.conditional();
    let of_tags = also.into_iter().filter(|also| also.effect == Effect::CopyTags);
    let mut needs: Vec<Requirement> = of_tags.map(|also| also.requirement).collect();
    call.read_object_tags(&mut needs).await?;
    needs.iter().try_for_each(|need| call.require(need))
}

fn changes_something(input: &CopyObject) -> bool {
    input.metadata_directive == MetadataDirective::Replace
        || input.object.storage_class.is_some()
        || input.object.encryption.is_requested()
        || input.object.website_redirect_location.is_some()
}

fn result(entry: &Entry) -> CopyResult {
    let checksum = object::checksum(entry);
    CopyResult {
        etag: entry.etag(),
        last_modified: entry.attributes().mtime,
        checksum: checksum.map(|(algorithm, value)| Checksum { algorithm, value: value.to_owned() }),
    }
}

/// True if what is stored already has the requested checksum.
fn keeps_checksum(source: &Entry, input: &CopyObject) -> bool {
    let stored = object::checksum(source).map(|(algorithm, _)| algorithm);
    input.checksum_algorithm.is_none() || input.checksum_algorithm == stored
}

/// What describes the copy: taken from the source or from the request, as the directives say.
fn description(input: &CopyObject, source: &Entry) -> Description {
    let (sent, taken) = (described(&input.object), Description::of(source));
    let (storage_class, redirect_location) = (sent.storage_class.clone(), sent.redirect_location.clone());
    let mut copy = match (input.metadata_directive, input.tagging_directive) {
        (MetadataDirective::Replace, MetadataDirective::Replace) => sent,
        (MetadataDirective::Replace, MetadataDirective::Copy) => sent.with_tags_of(taken),
        (MetadataDirective::Copy, MetadataDirective::Replace) => taken.with_tags_of(sent),
        (MetadataDirective::Copy, MetadataDirective::Copy) => taken,
    };
    (copy.storage_class, copy.redirect_location) = (storage_class, redirect_location);
    copy
}

async fn describe_anew(
    writer: &Writer<'_>,
    input: &CopyObject,
    source: &Entry,
    description: Description,
) -> Result<Entry, S3Error> {
    let entry = writer.stamp.described_anew(source, description);
    match writer.replace(&input.target.key, source, entry.clone()).await {
        Ok(()) => Ok(entry),
        Err(BucketError::Filer(FilerError::PreconditionFailed)) if input.condition == WriteCondition::Always => {
            Err(errors::conflict())
        }
        Err(error) => Err(errors::from_bucket(error)),
    }
}

async fn copy_bytes(
    call: &Call<'_>,
    writer: &Writer<'_>,
    input: &CopyObject,
    source: &Entry,
    description: Description,
) -> Result<(Entry, Option<String>), S3Error> {
    let size = source.content_bytes();
    let entry = if input.target.key.is_directory_marker() {
        Call::check_marker_bytes(size)?;
        writer.require_no_file_at(&input.target.key).await.map_err(errors::from_filer)?;
        let content = read_small(call, source, size).await?;
        writer.stamp.marker(&input.target.key, description, &content)
    } else {
        // The checksum of the parts' checksums does not apply to the copy, which is in one piece.
        let stored = object::checksum(source);
        let is_of_all_bytes = object::checksum_type(source) == ChecksumType::FullObject;
        let wanted = input.checksum_algorithm.or(stored.map(|(algorithm, _)| algorithm));
        let kept = stored.filter(|(algorithm, _)| is_of_all_bytes && wanted == Some(*algorithm));
        let compute = wanted.filter(|_| kept.is_none());
        let mime = description.mime.as_deref();
        let target = writer.target(&input.target.key, mime, Some(size));
        let mut copy = call.copy_bytes(source, 0..size, &target, compute).await?;
        if let Some((algorithm, value)) = kept {
            copy.checksum = sigv4::checksum::Checksum::parse(algorithm, value).ok();
        }
        writer.stamp.object(&input.target.key, description, &copy.written, copy.stored_checksum())
    };
    let version_id =
        call.put_entry(writer, &input.target, entry.clone(), &input.condition, SeenVersions::NotLooked).await?;
    Ok((entry, version_id))
}

async fn read_small(call: &Call<'_>, source: &Entry, size: u64) -> Result<Bytes, S3Error> {
    let mut all = BytesMut::new();
    if size > 0 {
        let mut bytes = call.filer().read(source, 0, size).await.map_err(errors::from_filer)?;
        while let Some(piece) = bytes.next().await {
            all.extend_from_slice(&piece.map_err(errors::from_filer)?);
        }
    }
    Ok(all.freeze())
}
