//! CompleteMultipartUpload: the parts' chunks become one object's. No byte is read or written for it.

use std::collections::BTreeMap;

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use filer::{Attributes, Condition, Entry, FileChunk, FilerError, Mutation, Transaction};
use futures_util::StreamExt;
use md5::{Digest, Md5};
use s3::op::{CompleteMultipartUpload, CompleteMultipartUploadOutput, CompletedPart};
use s3::{Checksum, ChecksumType, S3Error, S3ErrorCode, WriteCondition};
use sigv4::checksum::{Hasher, MultipartChecksum};

use super::{MultipartUpload, no_such_upload};
use crate::errors;
use crate::object::{self, attribute};
use crate::op::answer::{self, Answer};
use crate::op::new_entry::{conditions, location, require_unlocked, require_writable};
use crate::op::part_boundaries::PartBoundary;

/// The most bytes of the list of parts: 10,000 parts with checksums.
const MAX_PART_LIST_BYTES: u64 = 8 << 20;
/// The least bytes of every part but the last: 5 MiB.
const PART_BYTES_MIN: u64 = 5 << 20;

/// Makes the object out of the parts that the body lists, and forgets the upload.
impl Run for CompleteMultipartUpload {
    async fn run(call: &Call<'_>, permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let list = body.read_all(MAX_PART_LIST_BYTES).await?;
        let input = permit.into_operation();
        require_writable(call.existing_bucket()?)?;
        input.encryption.require_none()?;
        let listed = CompletedPart::list_from_xml(&list)?;
        let upload = match call.multipart_upload(&input.target.bucket, &input.target.key, &input.upload_id).await {
            Err(error) if error.code == S3ErrorCode::NoSuchUpload => return again(call, &input, &listed, error).await,
            upload => upload?,
        };
        require_unlocked(&upload.entry)?;
        if let Err(error) = call.look_ahead(&input.target.bucket, &input.target.key, &input.condition).await {
            return again(call, &input, &listed, error).await;
        }
        let mut files = call.parts(&upload, true).await?;
        let parts = choose(&listed, &mut files)?;
        let assembled = assemble(call, &parts).await?;
        if let Some(size) = input.object_size.filter(|size| *size != assembled.bytes) {
            let message =
                format!("The provided 'x-amz-mp-object-size' is {size}, but the parts have {} bytes", assembled.bytes);
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let checksum = checksum(call, &input, &upload, &parts).await?;
        let entry = object_entry(call, &input, &upload, assembled, checksum.as_ref())?;
        let output = output(&input, &entry);
        match commit(call, &input, &upload, entry).await {
            Ok(()) => {}
            // Somebody else completed or aborted the upload in the meantime.
            Err(FilerError::PreconditionFailed) if input.condition == WriteCondition::Always => {
                return again(call, &input, &listed, no_such_upload(&input.upload_id)).await;
            }
            Err(error) => {
                return Err(call.explain_write(&input.target.bucket, &input.target.key, &input.condition, error).await);
            }
        }
        let unlisted: Vec<FileChunk> = files.into_values().flatten().flat_map(|part| part.chunks).collect();
        if !unlisted.is_empty() {
            call.filer().delete_chunks(unlisted).await;
        }
        answer::document(output.to_xml())
    }
}

/// A completion that was answered before is answered so again: the client may not have heard it. Anything else is `refusal`.
async fn again(call: &Call<'_>, input: &CompleteMultipartUpload, listed: &[CompletedPart], refusal: S3Error) -> Answer {
    let etag = multipart_etag(listed.iter().map(|part| part.etag.as_str()));
    match call.object_of_upload(&input.target.bucket, &input.target.key, &input.upload_id).await? {
        Some(entry) if etag.as_ref() == Some(&entry.etag()) => answer::document(output(input, &entry).to_xml()),
        _ => Err(refusal),
    }
}

fn output(input: &CompleteMultipartUpload, entry: &Entry) -> CompleteMultipartUploadOutput {
    let kind = match answer::stored_checksum_type(entry) {
        "COMPOSITE" => ChecksumType::Composite,
        _ => ChecksumType::FullObject,
    };
    let checksum = answer::stored_checksum(entry);
    CompleteMultipartUploadOutput {
        location: location(&input.target.bucket, &input.target.key),
        bucket: input.target.bucket.clone(),
        key: input.target.key.clone(),
        etag: entry.etag(),
        checksum: checksum.map(|(algorithm, value)| (Checksum { algorithm, value: value.to_owned() }, kind)),
    }
}

/// Takes the listed parts out of what was uploaded: of each number the newest file with the ETag that is listed.
fn choose(listed: &[CompletedPart], files: &mut BTreeMap<u32, Vec<Entry>>) -> Result<Vec<Entry>, S3Error> {
    let mut chosen = Vec::with_capacity(listed.len());
    for (index, wanted) in listed.iter().enumerate() {
        let invalid = || {
            S3Error::new(S3ErrorCode::InvalidPart)
                .field("PartNumber", wanted.part_number.to_string())
                .field("ETag", wanted.etag.as_str())
        };
        let candidates = files.get_mut(&wanted.part_number).ok_or_else(invalid)?;
        let newest = candidates.iter().rposition(|part| part.etag() == wanted.etag).ok_or_else(invalid)?;
        let part = candidates.remove(newest);
        if let Some(checksum) = &wanted.checksum
            && answer::stored_checksum(&part) != Some((checksum.algorithm, checksum.value.as_str()))
        {
            return Err(invalid());
        }
        answer::refuse_encrypted(&part)?;
        let bytes = part.content_bytes();
        if bytes < PART_BYTES_MIN && index + 1 < listed.len() {
            return Err(S3Error::new(S3ErrorCode::EntityTooSmall)
                .field("ProposedSize", bytes.to_string())
                .field("MinSizeAllowed", PART_BYTES_MIN.to_string())
                .field("PartNumber", wanted.part_number.to_string())
                .field("ETag", wanted.etag.as_str()));
        }
        chosen.push(part);
    }
    Ok(chosen)
}

/// The parts as one object.
struct Assembled {
    chunks: Vec<FileChunk>,
    boundaries: Vec<PartBoundary>,
    bytes: u64,
    etag: String,
}

async fn assemble(call: &Call<'_>, parts: &[Entry]) -> Result<Assembled, S3Error> {
    let etags: Vec<String> = parts.iter().map(Entry::etag).collect();
    let etag = multipart_etag(etags.iter().map(String::as_str)).ok_or(S3ErrorCode::InvalidPart)?;
    let mut whole = Assembled { chunks: Vec::new(), boundaries: Vec::with_capacity(parts.len()), bytes: 0, etag };
    for (part, etag) in parts.iter().zip(etags) {
        if !part.content.is_empty() {
            tracing::error!(part = part.name, "a part is stored inline, which no gateway does; upload it again");
            return Err(S3Error::new(S3ErrorCode::InvalidPart).field("ETag", etag));
        }
        let mut chunks = if part.chunks.iter().any(|chunk| chunk.is_chunk_manifest) {
            call.filer().resolve_chunks(&part.chunks).await.map_err(errors::from_filer)?
        } else {
            part.chunks.clone()
        };
        chunks.sort_by_key(|chunk| chunk.offset);
        let first_chunk = whole.chunks.len() as u64;
        let start_offset = whole.bytes;
        for chunk in &mut chunks {
            chunk.offset = chunk.offset.saturating_add_unsigned(start_offset);
        }
        whole.chunks.append(&mut chunks);
        whole.bytes += part.content_bytes();
        whole.boundaries.push(PartBoundary {
            number: super::part_number_of(&part.name).unwrap_or_default(),
            first_chunk,
            end_chunk: whole.chunks.len() as u64,
            etag: answer::quoted(&etag),
            start_offset,
            end_offset: whole.bytes,
        });
    }
    Ok(whole)
}

/// The MD5 of the parts' MD5s, and their number. `None` if an ETag is none that a part can have.
fn multipart_etag<'e>(etags: impl Iterator<Item = &'e str>) -> Option<String> {
    let (mut all, mut count) = (Md5::new(), 0);
    for etag in etags {
        // A part that was copied chunk by chunk has an ETag with a number of its own behind it.
        let md5: [u8; 16] = hex::decode(etag.split('-').next()?).ok()?.try_into().ok()?;
        all.update(md5);
        count += 1;
    }
    Some(format!("{}-{count}", hex::encode(all.finalize())))
}

/// The checksum of the object, combined from its parts'; compared with the one that the request promises.
async fn checksum(
    call: &Call<'_>,
    input: &CompleteMultipartUpload,
    upload: &MultipartUpload,
    parts: &[Entry],
) -> Result<Option<MultipartChecksum>, S3Error> {
    let invalid = |message: &'static str| S3Error::with_message(S3ErrorCode::InvalidRequest, message);
    let promised = input.checksum.as_ref();
    let (algorithm, kind) = match (upload.checksum(), promised) {
        (Some(begun_with), _) => begun_with,
        (None, None) => return Ok(None),
        (None, Some(promised)) => {
            let composite = promised.value.contains('-') || input.checksum_type == Some(ChecksumType::Composite);
            let kind = if composite { ChecksumType::Composite } else { ChecksumType::FullObject };
            (promised.algorithm, kind)
        }
    };
    if input.checksum_type.is_some_and(|wanted| wanted != kind) {
        return Err(invalid("The x-amz-checksum-type is not the one that the upload was created with"));
    }
    if promised.is_some_and(|promised| promised.algorithm != algorithm) {
        return Err(invalid("The checksum is not of the algorithm that the upload was created with"));
    }
    let mut of_parts = Vec::with_capacity(parts.len());
    for part in parts {
        of_parts.push((part_checksum(call, part, algorithm).await?, part.content_bytes()));
    }
    let kind = match kind {
        ChecksumType::Composite => sigv4::checksum::ChecksumType::Composite,
        ChecksumType::FullObject => sigv4::checksum::ChecksumType::FullObject,
    };
    let combined = MultipartChecksum::combine(algorithm, kind, &of_parts).map_err(access::from_signature)?;
    let digest = |value: &str| value.split('-').next().map(str::to_owned);
    if promised.is_some_and(|promised| digest(&promised.value) != digest(&combined.to_string())) {
        let message = format!("The {} you specified did not match what we received.", algorithm.as_str());
        return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
    }
    Ok(Some(combined))
}

/// The checksum that was stored with a part, or, for one that came without, the one of its bytes.
async fn part_checksum(
    call: &Call<'_>,
    part: &Entry,
    algorithm: s3::ChecksumAlgorithm,
) -> Result<sigv4::checksum::Checksum, S3Error> {
    let computed = algorithm;
    if let Some((_, value)) = answer::stored_checksum(part).filter(|(stored, _)| *stored == algorithm) {
        return sigv4::checksum::Checksum::parse(computed, value).map_err(access::from_signature);
    }
    let mut hasher = Hasher::new(computed);
    let size = part.content_bytes();
    if size > 0 {
        let mut bytes = call.filer().read(part, 0, size).await.map_err(errors::from_filer)?;
        while let Some(piece) = bytes.next().await {
            hasher.update(&piece.map_err(errors::from_filer)?);
        }
    }
    Ok(hasher.finish())
}

fn object_entry(
    call: &Call<'_>,
    input: &CompleteMultipartUpload,
    upload: &MultipartUpload,
    assembled: Assembled,
    checksum: Option<&MultipartChecksum>,
) -> Result<Entry, S3Error> {
    let boundaries = serde_json::to_vec(&assembled.boundaries).map_err(|error| {
        tracing::error!(%error, "part boundaries cannot be written");
        S3Error::new(S3ErrorCode::InternalError)
    })?;
    let mut extended = upload.entry.extended.clone();
    extended.remove(attribute::UPLOAD_KEY);
    for (name, value) in [
        (attribute::ETAG, assembled.etag.into_bytes()),
        (attribute::UPLOAD_ID, input.upload_id.as_str().as_bytes().to_vec()),
        (attribute::PARTS_COUNT, assembled.boundaries.len().to_string().into_bytes()),
        (attribute::PART_BOUNDARIES, boundaries),
    ] {
        extended.insert(name.to_owned(), value);
    }
    if let Some(combined) = checksum {
        let header = object::canonical_header_name(combined.checksum.algorithm().header());
        extended.insert(attribute::CHECKSUM_ALGORITHM.to_owned(), header.into_bytes());
        extended.insert(attribute::CHECKSUM_VALUE.to_owned(), combined.to_string().into_bytes());
        extended.insert(attribute::CHECKSUM_TYPE.to_owned(), combined.kind.as_str().as_bytes().to_vec());
    }
    let mime = match upload.entry.attributes().mime.as_str() {
        "" => "application/octet-stream",
        mime => mime,
    };
    let attributes = call.file_attributes(mime, assembled.bytes, &[]);
    Ok(Entry {
        name: object::split_path(input.target.key.as_str()).1.to_owned(),
        chunks: assembled.chunks,
        attributes: Some(Attributes { file_mode: object::MULTIPART_MODE, ..attributes }),
        extended,
        ..Entry::default()
    })
}

/// One transaction: the object first, then the upload's directory without the data, which is the object's now. It also
/// checks that the upload is still there, unless the request's own conditions on the object take that place.
async fn commit(
    call: &Call<'_>,
    input: &CompleteMultipartUpload,
    upload: &MultipartUpload,
    entry: Entry,
) -> Result<(), FilerError> {
    let path = call.object_path(&input.target.bucket, &input.target.key);
    let (conditions, condition_key) = match &input.condition {
        WriteCondition::Always => (vec![Condition::Exists], Some(upload.path.clone())),
        condition => (conditions(condition), None),
    };
    let directory = object::split_path(&path).0.to_owned();
    call.transact_put(Transaction {
        lock_key: path,
        conditions,
        condition_key,
        mutations: vec![
            Mutation::Put { directory, entry: Box::new(entry) },
            call.remove_upload(&input.target.bucket, &input.upload_id, false),
        ],
        ..Transaction::default()
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_etag_of_parts() {
        let of = |etags: &[&str]| multipart_etag(etags.iter().copied());
        let (one, two) = ("2328ce96efb11935e3623f9e00f2ddc4", "62ea891772ea1734a1f153c6e4452436");
        let three = "7f021a1415b86f2d013b2618fb31ae53";
        assert_eq!(of(&[one, two, three]).unwrap(), "29b62d91a1ca8090f0996c1bedc1b63b-3");
        assert_eq!(of(&[&format!("{one}-2"), two, three]), of(&[one, two, three]));
        for bad in ["", "x", "ab", "7f021a1415b86f2d013b2618fb31ae5"] {
            assert_eq!(of(&[one, bad]), None, "{bad}");
        }
    }
}
