//! Buckets for whose requests the requester pays: everyone outside the account of the owner has to agree to that.

use http::request::Parts;
use iam::Bucket;
use s3::{Operation, S3Error};

use crate::op::Call;

/// Whether the caller pays for the request.
pub(crate) fn is_charged(call: &Call<'_>) -> bool {
    call.bucket.as_deref().is_some_and(|bucket| pays_for(bucket, call))
}

/// Refuses callers who do not agree to pay for a request to the bucket, or to the source of a copy.
pub(crate) fn require_agreement(head: &Parts, operation: &Operation, call: &Call<'_>) -> Result<(), S3Error> {
    let source = operation.copy_source().and_then(|source| call.snapshot.bucket(source.bucket.as_str()));
    match call.bucket.iter().chain(source).any(|bucket| pays_for(bucket, call)) {
        true => check(head, operation, call.caller.is_anonymous()),
        false => Ok(()),
    }
}

fn check(head: &Parts, operation: &Operation, is_anonymous: bool) -> Result<(), S3Error> {
    match operation {
        Operation::PostObject(post) => s3::check_form_payer(&post.form, is_anonymous),
        _ => s3::check_request_payer(head, is_anonymous),
    }
}

fn pays_for(bucket: &Bucket, call: &Call<'_>) -> bool {
    bucket.requester_pays() && call.caller.principal.account() != Some(bucket.account)
}
