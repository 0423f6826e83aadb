//! AbortMultipartUpload.

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use bucket::upload_end::AbortOutcome;
use http::StatusCode;
use s3::op::AbortMultipartUpload;

use super::no_such_upload;
use crate::errors;
use crate::op::answer::{self, Answer};

/// Aborts an upload and frees its parts.
impl Run for AbortMultipartUpload {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let Self { target, upload_id, .. } = permit.into_operation();
        call.existing_bucket()?;
        let upload = call.multipart_upload(&target, &upload_id).await?;
        match call.objects(&target.bucket).abort(&target.key, &upload).await.map_err(errors::from_filer)? {
            AbortOutcome::Aborted => answer::empty(StatusCode::NO_CONTENT),
            AbortOutcome::NoSuchUpload => Err(no_such_upload(&upload_id)),
            AbortOutcome::BeingCompleted => Err(errors::conflict()),
        }
    }
}
