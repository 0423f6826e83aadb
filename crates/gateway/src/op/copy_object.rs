//! CopyObject.

use access::Permit;
use bytes::{Bytes, BytesMut};
use filer::{Entry, FilerError, Mutation, Transaction};
use futures_util::StreamExt;
use iam::Bucket;
use s3::op::{CopyObject, CopyResult, MetadataDirective};
use s3::{Checksum, Effect, Requirement, S3Error, S3ErrorCode, S3Operation, WriteCondition};

use super::answer::{self, Answer};
use super::copied::check_copy_bytes;
use super::new_entry::{
    Extended, conflict, described, require_supported, require_unlocked, require_writable, still, tag_attributes,
};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::errors;
use crate::object::{self, attribute};

/// Makes an object out of another one's bytes. The copy shares no data with its source.
impl Run for CopyObject {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let bucket = call.existing_bucket()?;
        require_writable(bucket)?;
        require_supported(&input.object)?;
        let onto_itself = input.target.bucket == input.source.bucket && input.target.key == input.source.key;
        if onto_itself && !changes_something(&input) {
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
        call.look_ahead(&input.target.bucket, &input.target.key, &input.condition).await?;
        let entry = match still(&source).filter(|_| onto_itself && keeps_checksum(&source, &input)) {
            Some(condition) => {
                let entry = described_anew(call, bucket, &input, &source);
                require_unlocked(&source)?;
                replace_in_place(call, &input, entry.clone(), condition).await?;
                entry
            }
            None => copy_bytes(call, bucket, &input, &source).await?,
        };
        answer::document(result(&entry).to_xml())
    }
}

/// Tags are read from one object and written to another, and each takes a permission of its own.
async fn may_copy_tags(call: &Call<'_>, input: &CopyObject) -> Result<(), S3Error> {
    let also = input.conditional();
    let of_tags = also.into_iter().filter(|also| also.effect == Effect::CopyTags);
    let mut needs: Vec<Requirement> = of_tags.map(|also| also.requirement).collect();
    call.read_object_tags(&mut needs).await?;
    needs.iter().try_for_each(|need| call.may(need))
}

fn changes_something(input: &CopyObject) -> bool {
    input.metadata_directive == MetadataDirective::Replace
        || input.object.storage_class.is_some()
        || input.object.encryption.is_requested()
        || input.object.website_redirect_location.is_some()
}

fn result(entry: &Entry) -> CopyResult {
    let checksum = answer::stored_checksum(entry);
    CopyResult {
        etag: entry.etag(),
        last_modified: entry.attributes().mtime,
        checksum: checksum.map(|(algorithm, value)| Checksum { algorithm, value: value.to_owned() }),
    }
}

/// True if what is stored answers the request's wish for a checksum.
fn keeps_checksum(source: &Entry, input: &CopyObject) -> bool {
    let stored = answer::stored_checksum(source).map(|(algorithm, _)| algorithm);
    input.checksum_algorithm.is_none() || input.checksum_algorithm == stored
}

/// Metadata, content headers and tags of the copy: the source's or the request's, each as its directive says.
fn copied_attributes(input: &CopyObject, source: &Entry) -> Extended {
    let mut extended = match input.metadata_directive {
        MetadataDirective::Replace => described(&input.object),
        MetadataDirective::Copy => {
            let is_copied =
                |name: &str| name.starts_with(attribute::META_PREFIX) || object::CONTENT_HEADERS.contains(&name);
            source.extended.iter().filter(|(name, _)| is_copied(name)).map(|(k, v)| (k.clone(), v.clone())).collect()
        }
    };
    extended.retain(|name, _| !name.starts_with(attribute::TAG_PREFIX) && name != attribute::STORAGE_CLASS);
    match input.tagging_directive {
        MetadataDirective::Replace => extended.extend(tag_attributes(input.object.tagging.as_ref())),
        MetadataDirective::Copy => {
            let tags = source.extended.iter().filter(|(name, _)| name.starts_with(attribute::TAG_PREFIX));
            extended.extend(tags.map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    if let Some(class) = &input.object.storage_class {
        extended.insert(attribute::STORAGE_CLASS.to_owned(), class.clone().into_bytes());
    }
    extended
}

fn mime<'a>(input: &'a CopyObject, source: &'a Entry) -> Option<&'a str> {
    match input.metadata_directive {
        MetadataDirective::Replace => input.object.content.content_type.as_deref(),
        MetadataDirective::Copy => Some(object::content_type(source)),
    }
}

/// The same entry with other metadata: its data stays where it is.
fn described_anew(call: &Call<'_>, bucket: &Bucket, input: &CopyObject, source: &Entry) -> Entry {
    // What belongs to the bytes stays with them.
    const OF_THE_BYTES: [&str; 8] = [
        attribute::ETAG,
        attribute::CHECKSUM_ALGORITHM,
        attribute::CHECKSUM_VALUE,
        attribute::CHECKSUM_TYPE,
        attribute::UPLOAD_ID,
        attribute::PARTS_COUNT,
        attribute::PART_BOUNDARIES,
        attribute::PREFIX_OBJECT,
    ];
    let mut entry = source.clone();
    entry.extended.retain(|name, _| OF_THE_BYTES.contains(&name.as_str()));
    entry.extended.extend(copied_attributes(input, source));
    entry.extended.insert(attribute::OWNER.to_owned(), call.object_owner(bucket).into_bytes());
    let default = if source.is_directory { object::content_type(source) } else { "application/octet-stream" };
    let mime = mime(input, source).unwrap_or(default).to_owned();
    let attributes = entry.attributes.get_or_insert_default();
    attributes.mime = mime;
    attributes.mtime = call.now.as_second();
    attributes.mtime_ns = call.now.subsec_nanosecond();
    entry
}

async fn replace_in_place(
    call: &Call<'_>,
    input: &CopyObject,
    entry: Entry,
    still_the_same: filer::Condition,
) -> Result<(), S3Error> {
    let path = call.object_path(&input.target.bucket, &input.target.key);
    let transaction = Transaction {
        conditions: vec![still_the_same],
        mutations: vec![Mutation::Put { directory: object::split_path(&path).0.to_owned(), entry: Box::new(entry) }],
        lock_key: path.clone(),
        ..Transaction::default()
    };
    match call.write_below(&path, transaction).await {
        Err(FilerError::PreconditionFailed) if input.condition == WriteCondition::Always => Err(conflict()),
        done => done.map_err(errors::from_filer),
    }
}

async fn copy_bytes(call: &Call<'_>, bucket: &Bucket, input: &CopyObject, source: &Entry) -> Result<Entry, S3Error> {
    let (mime, extended) = (mime(input, source), copied_attributes(input, source));
    let size = source.content_bytes();
    let entry = if input.target.key.is_directory_marker() {
        Call::check_marker_bytes(size)?;
        call.require_no_file_at(&input.target.bucket, &input.target.key).await?;
        let content = read_small(call, source, size).await?;
        call.marker_entry(bucket, &input.target.key, mime, extended, &content)
    } else {
        // The checksum of the parts' checksums is not one of the copy, which is in one piece.
        let stored = answer::stored_checksum(source);
        let is_of_all_bytes = answer::stored_checksum_type(source) != "COMPOSITE";
        let wanted = input.checksum_algorithm.or(stored.map(|(algorithm, _)| algorithm));
        let kept = stored.filter(|(algorithm, _)| is_of_all_bytes && wanted == Some(*algorithm));
        let compute = wanted.filter(|_| kept.is_none());
        let target = call.write_target(&input.target.bucket, &input.target.key, mime, Some(size));
        let mut copy = call.copy_bytes(source, 0..size, &target, compute).await?;
        if let Some((algorithm, value)) = kept {
            copy.checksum = sigv4::checksum::Checksum::parse(algorithm, value).ok();
        }
        call.file_entry(bucket, &input.target.key, mime, extended, &copy)
    };
    call.put_entry(&input.target.bucket, &input.target.key, entry.clone(), &input.condition).await?;
    Ok(entry)
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
