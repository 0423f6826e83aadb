//! DeleteBucket.

use access::Permit;
use filer::{Mutation, Transaction};
use http::StatusCode;
use s3::op::DeleteBucket;
use s3::{S3Error, S3ErrorCode};

use super::Call;
use super::answer::{self, Answer};
use crate::{errors, listing};

/// Removes a bucket that has no object and no version, with whatever unfinished uploads it has.
pub async fn delete_bucket(call: &Call<'_>, permit: Permit<DeleteBucket>) -> Answer {
    let input = permit.into_operation();
    let change = call.gateway.fence.before_change();
    let is_gone = |bucket: Option<&iam::Bucket>| bucket.is_none();
    let bucket = match call.existing_bucket() {
        Ok(bucket) => bucket,
        Err(no_such_bucket) => {
            // The request may repeat one that was answered `ChangeNotYetEnforced`: that there is no such bucket is answered when it is
            // so on every gateway.
            call.gateway.in_force(change, &input.bucket, is_gone).await?;
            return Err(no_such_bucket);
        }
    };
    let path = call.bucket_path(&input.bucket);
    let may_be_full = call.gateway.settings.allow_delete_bucket_not_empty;
    if may_be_full && (bucket.object_lock || bucket.keeps_versions()) {
        return Err(S3Error::not_implemented("Deleting a bucket with versioning or object lock"));
    }
    if !may_be_full && !listing::is_empty(call.filer(), &path).await.map_err(errors::from_filer)? {
        return Err(S3Error::new(S3ErrorCode::BucketNotEmpty).field("BucketName", input.bucket.as_str()));
    }
    let delete = Mutation::Delete {
        directory: call.buckets_root().to_owned(),
        name: input.bucket.to_string(),
        delete_data: true,
        recursive: true,
    };
    let transaction = Transaction { lock_key: path, mutations: vec![delete], ..Transaction::default() };
    call.filer().transact(transaction).await.map_err(errors::from_filer)?;
    let collection = call.gateway.collection(input.bucket.as_str());
    call.filer().delete_collection(&collection).await.map_err(errors::from_filer)?;
    call.gateway.in_force(change, &input.bucket, is_gone).await?;
    answer::empty(StatusCode::NO_CONTENT)
}
