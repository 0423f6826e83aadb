//! AbortMultipartUpload.

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use filer::{Condition, FilerError, Transaction};
use http::StatusCode;
use s3::op::AbortMultipartUpload;

use super::no_such_upload;
use crate::errors;
use crate::op::answer::{self, Answer};

/// Gives up an upload and frees its parts.
impl Run for AbortMultipartUpload {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        call.existing_bucket()?;
        let upload = call.multipart_upload(&input.target.bucket, &input.target.key, &input.upload_id).await?;
        // A completion that was cut short has made the object and left the directory: the parts' data is the object's now.
        let completed =
            call.object_of_upload(&input.target.bucket, &input.target.key, &input.upload_id).await?.is_some();
        let transaction = Transaction {
            lock_key: call.object_path(&input.target.bucket, &input.target.key),
            conditions: vec![Condition::Exists],
            condition_key: Some(upload.path),
            mutations: vec![call.remove_upload(&input.target.bucket, &input.upload_id, !completed)],
            ..Transaction::default()
        };
        match call.filer().transact(transaction).await {
            Ok(()) if completed => Err(no_such_upload(&input.upload_id)),
            Ok(()) => answer::empty(StatusCode::NO_CONTENT),
            Err(FilerError::PreconditionFailed) => Err(no_such_upload(&input.upload_id)),
            Err(error) => Err(errors::from_filer(error)),
        }
    }
}
