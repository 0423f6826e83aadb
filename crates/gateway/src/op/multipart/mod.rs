//! Multipart uploads: the operations.

mod abort;
mod complete;
mod create;
mod initiator;
mod list_parts;
mod list_uploads;
mod upload_part;
mod upload_part_copy;

use bucket::object;
use bucket::uploads::MultipartUpload;
use bucket::writer::Writer;
use filer::{Entry, FilerError};
use policy::Principal;
use s3::op::Owner;
use s3::{Requirement, S3Error, S3ErrorCode, Target, UploadId};

use self::initiator::initiator_id;
use super::Call;
use crate::errors;

const NOT_THE_INITIATOR: &str =
    "Only the initiator of a multipart upload can add parts to it and complete it: begin an upload of your own";

/// `NoSuchUpload` for an id.
fn no_such_upload(upload_id: &UploadId) -> S3Error {
    S3Error::new(S3ErrorCode::NoSuchUpload).field("UploadId", upload_id.as_str())
}

/// The permission to begin an upload, to add parts to it and to complete it.
fn put(target: &Target) -> Requirement {
    Requirement::on_object("s3:PutObject", &target.bucket, &target.key, None)
}

fn owner_of(call: &Call<'_>, upload: &MultipartUpload) -> Owner {
    call.shown_owner(object::owner(&upload.entry).unwrap_or_default())
}

/// Who began an upload: AWS shows the canonical id of an account, and the ARN of others. If the upload does not say it, it is taken to be
/// the owner of the future object.
fn initiator_of(call: &Call<'_>, upload: &MultipartUpload) -> Owner {
    let Some(arn) = upload.initiator_arn() else { return owner_of(call, upload) };
    match arn.parse() {
        Ok(Principal::Root(account)) => call.shown_account(account),
        _ => Owner { id: arn.to_owned(), display_name: arn.rsplit('/').next().unwrap_or_default().to_owned() },
    }
}

impl Call<'_> {
    /// The upload with this id for this key. An id that belongs to another key is `NoSuchUpload`.
    async fn multipart_upload(&self, target: &Target, upload_id: &UploadId) -> Result<MultipartUpload, S3Error> {
        let found = self.objects(&target.bucket).upload(&target.key, upload_id.as_str()).await;
        found.map_err(errors::from_bucket)?.ok_or_else(|| no_such_upload(upload_id))
    }

    /// The same for those who add parts to the upload or complete it. One that was aborted, but not removed because of an interruption,
    /// is `NoSuchUpload`.
    async fn open_upload(&self, target: &Target, upload_id: &UploadId) -> Result<MultipartUpload, S3Error> {
        let upload = self.multipart_upload(target, upload_id).await?;
        if upload.is_aborted() { Err(no_such_upload(upload_id)) } else { Ok(upload) }
    }

    /// The same. Fails with `AccessDenied` unless the caller began it.
    ///
    /// Source: S3 User Guide, "Multipart upload API and permissions".
    async fn own_upload(&self, target: &Target, upload_id: &UploadId) -> Result<MultipartUpload, S3Error> {
        let upload = self.open_upload(target, upload_id).await?;
        if upload.may_be_continued_by(initiator_id(&self.caller).as_deref()) {
            return Ok(upload);
        }
        Err(self.refuse(&put(target), NOT_THE_INITIATOR))
    }
}

/// Adds a part to an upload that still exists.
async fn put_part(
    writer: &Writer<'_>,
    Target { key, .. }: &Target,
    upload_id: &UploadId,
    upload: &MultipartUpload,
    part: Entry,
) -> Result<(), S3Error> {
    writer.put_part(key, upload, part).await.map_err(|error| match error {
        FilerError::PreconditionFailed => no_such_upload(upload_id),
        error => errors::from_filer(error),
    })
}
