//! CompleteMultipartUpload: the parts' chunks become those of one object. No data is read or written for this.

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use bucket::completion::{self, ListedPart, PART_BYTES_MIN, PartsError};
use bucket::multipart::multipart_etag;
use bucket::new_entry::StoredChecksum;
use bucket::part_boundaries::PartBoundary;
use bucket::uploads::{MultipartUpload, is_begun_by};
use bucket::{object, rules};
use filer::{Entry, FilerError};
use futures_util::StreamExt;
use s3::op::{CompleteMultipartUpload, CompleteMultipartUploadOutput, CompletedPart};
use s3::{Checksum, ChecksumType, Requirement, S3Error, S3ErrorCode, Target};
use sigv4::checksum::{Hasher, MultipartChecksum};

use super::initiator::initiator_id;
use crate::errors;
use crate::op::answer::{self, Answer};
use crate::op::new_entry::conditions;

/// Makes the object from the parts that the body lists, and removes the upload.
impl Run for CompleteMultipartUpload {
    /// 10,000 parts with checksums.
    const DOCUMENT_BYTES_MAX: u64 = 8 << 20;

    async fn run(call: &Call<'_>, permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let list = body.read_all(Self::DOCUMENT_BYTES_MAX).await?;
        let input = permit.into_operation();
        let writer = call.writer()?;
        input.encryption.require_none()?;
        let listed = CompletedPart::list_from_xml(&list)?;
        let upload = match call.own_upload(&input.target, &input.upload_id).await {
            Err(error) if error.code == S3ErrorCode::NoSuchUpload => return again(call, &input, &listed, error).await,
            upload => upload?,
        };
        if !call.existing_bucket()?.object_lock {
            rules::may_change(&upload.entry).map_err(errors::refused)?;
        }
        if let Err(error) = call.check_condition_early(&input.target.bucket, &input.target.key, &input.condition).await
        {
            return again(call, &input, &listed, error).await;
        }
        if input.target.key.is_directory_marker() {
            writer.require_no_file_at(&input.target.key).await.map_err(errors::from_filer)?;
        }
        call.allow_early_response();
        let wanted: Vec<ListedPart<'_>> = listed.iter().map(listed_part).collect();
        let candidates = writer.objects.candidates(&upload, &wanted).await.map_err(errors::from_filer)?;
        let mut parts = match candidates.choose() {
            Ok(parts) => parts,
            // A filer that died may have made the object and removed some of its parts.
            Err(error) => return again(call, &input, &listed, refused_parts(error)).await,
        };
        writer.objects.resolve_chunks(&mut parts).await.map_err(errors::from_filer)?;
        let mut assembled = completion::assemble(&parts).map_err(refused_parts)?;
        if let Some(size) = input.object_size.filter(|size| *size != assembled.bytes) {
            let message =
                format!("The provided 'x-amz-mp-object-size' is {size}, but the parts have {} bytes", assembled.bytes);
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let checksum = checksum(call, &input, &upload, &parts, &mut assembled.boundaries).await?;
        let object = writer.stamp.assembled(&input.target.key, &upload, assembled, checksum.as_ref().map(stored));
        let output = output(call, &input, &object.entry);
        let version_id = match writer.complete(&input.target.key, &upload, object, conditions(&input.condition)).await {
            Ok(version_id) => version_id,
            Err(FilerError::PreconditionFailed) => {
                return again(call, &input, &listed, interrupted(call, &input).await).await;
            }
            Err(error) => return Err(errors::from_filer(error)),
        };
        let mut response = answer::document(output.to_xml())?;
        if let Some(version_id) = version_id {
            answer::set_named(response.headers_mut(), "x-amz-version-id", &version_id);
        }
        Ok(response)
    }
}

/// Why no object was made: another request completed or aborted the upload in the meantime, or is completing it; the condition does
/// not hold for the object; or the bucket has another versioning or object lock by now. The upload can be completed by a new request
/// if it is still there.
async fn interrupted(call: &Call<'_>, input: &CompleteMultipartUpload) -> S3Error {
    let (Target { bucket, key, .. }, condition) = (&input.target, &input.condition);
    match call.open_upload(&input.target, &input.upload_id).await {
        Ok(_) => call.explain_write(bucket, key, condition, FilerError::PreconditionFailed).await,
        Err(error) => error,
    }
}

/// Repeats the answer of an earlier successful completion, which the client may not have received. Anything else is
/// `refusal`, also for others than the initiator: the answer tells what the object holds.
async fn again(call: &Call<'_>, input: &CompleteMultipartUpload, listed: &[CompletedPart], refusal: S3Error) -> Answer {
    let etag = multipart_etag(listed.iter().map(|part| part.etag.as_str()));
    let made = call.objects(&input.target.bucket).made_by(&input.target.key, input.upload_id.as_str()).await;
    match made.map_err(errors::from_filer)? {
        Some(entry) if etag.as_ref() == Some(&entry.etag()) && may_learn_of(call, &input.target, &entry) => {
            let mut response = answer::document(output(call, input, &entry).to_xml())?;
            call.set_version_id(response.headers_mut(), &input.target, &entry);
            Ok(response)
        }
        _ => Err(refusal),
    }
}

/// Whether the caller began the upload that made an object. If the object does not say who did, whether the caller may read it.
fn may_learn_of(call: &Call<'_>, target: &Target, made: &Entry) -> bool {
    let read = Requirement::on_object("s3:GetObject", &target.bucket, &target.key, None);
    let began = is_begun_by(made, initiator_id(&call.caller).as_deref());
    began.unwrap_or_else(|| call.check_allowed(&read).is_ok())
}

fn output(call: &Call<'_>, input: &CompleteMultipartUpload, entry: &Entry) -> CompleteMultipartUploadOutput {
    let kind = object::checksum_type(entry);
    let checksum = object::checksum(entry);
    CompleteMultipartUploadOutput {
        location: call.location(&input.target.bucket, &input.target.key),
        bucket: input.target.bucket.clone(),
        key: input.target.key.clone(),
        etag: entry.etag(),
        checksum: checksum.map(|(algorithm, value)| (Checksum { algorithm, value: value.to_owned() }, kind)),
    }
}

/// A part as the list names it.
fn listed_part(part: &CompletedPart) -> ListedPart<'_> {
    let checksum = part.checksum.as_ref().map(|checksum| (checksum.algorithm, checksum.value.as_str()));
    ListedPart { number: part.part_number, etag: &part.etag, checksum }
}

/// The error for parts that do not become an object.
fn refused_parts(error: PartsError) -> S3Error {
    match error {
        PartsError::Missing { number, etag } => {
            S3Error::new(S3ErrorCode::InvalidPart).field("PartNumber", number.to_string()).field("ETag", etag)
        }
        PartsError::TooSmall { number, etag, bytes } => S3Error::new(S3ErrorCode::EntityTooSmall)
            .field("ProposedSize", bytes.to_string())
            .field("MinSizeAllowed", PART_BYTES_MIN.to_string())
            .field("PartNumber", number.to_string())
            .field("ETag", etag),
        PartsError::Inline { etag } => {
            tracing::error!(etag, "a part is stored inline, which gateways never do; upload it again");
            S3Error::new(S3ErrorCode::InvalidPart).field("ETag", etag)
        }
        PartsError::NotAnMd5 => S3ErrorCode::InvalidPart.into(),
        PartsError::Refused(refusal) => errors::refused(refusal),
    }
}

/// The checksum of the object, combined from those of its parts, which become known of their boundaries. It is compared
/// with the one that the request promises.
async fn checksum(
    call: &Call<'_>,
    input: &CompleteMultipartUpload,
    upload: &MultipartUpload,
    parts: &[Entry],
    boundaries: &mut [PartBoundary],
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
        return Err(invalid("The x-amz-checksum-type differs from the one with which the upload was created"));
    }
    if promised.is_some_and(|promised| promised.algorithm != algorithm) {
        return Err(invalid("The checksum does not have the algorithm with which the upload was created"));
    }
    if upload.checksum().is_none() && !parts.iter().all(|part| has_checksum(part, algorithm)) {
        return Err(unexpected_checksum(algorithm));
    }
    let mut of_parts = Vec::with_capacity(parts.len());
    for (part, boundary) in parts.iter().zip(boundaries) {
        let checksum = part_checksum(call, part, algorithm).await?;
        boundary.checksum = Some(checksum.to_base64());
        of_parts.push((checksum, part.content_bytes()));
    }
    let combined = MultipartChecksum::combine(algorithm, kind, &of_parts).map_err(access::from_signature)?;
    let digest = |value: &str| value.split('-').next().map(str::to_owned);
    if promised.is_some_and(|promised| digest(&promised.value) != digest(&combined.to_string())) {
        let message = format!("The {} you specified did not match what we received.", algorithm.as_str());
        return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
    }
    Ok(Some(combined))
}

/// A combined checksum as an entry holds it.
fn stored(combined: &MultipartChecksum) -> StoredChecksum {
    let (algorithm, value) = (combined.checksum.algorithm(), combined.to_string());
    StoredChecksum { algorithm, value, kind: Some(combined.kind) }
}

/// The error for a checksum that the upload was created without. To compute it, all parts would have to be read, as often as a client
/// asks.
fn unexpected_checksum(algorithm: s3::ChecksumAlgorithm) -> S3Error {
    let name = algorithm.as_str().to_ascii_lowercase();
    let message = format!(
        "Checksum Type mismatch occurred, expected checksum Type: null, actual checksum Type: {name}. Create the upload with \
         x-amz-checksum-algorithm, or send this checksum with each part."
    );
    S3Error::with_message(S3ErrorCode::InvalidRequest, message)
}

fn has_checksum(part: &Entry, algorithm: s3::ChecksumAlgorithm) -> bool {
    object::checksum(part).is_some_and(|(stored, _)| stored == algorithm)
}

/// The checksum stored with a part. SeaweedFS may have stored none: then it is that of the part's bytes.
async fn part_checksum(
    call: &Call<'_>,
    part: &Entry,
    algorithm: s3::ChecksumAlgorithm,
) -> Result<sigv4::checksum::Checksum, S3Error> {
    let computed = algorithm;
    if let Some((_, value)) = object::checksum(part).filter(|(stored, _)| *stored == algorithm) {
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
