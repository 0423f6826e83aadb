//! Bucket policies and their status. A policy that is answered with 204 is in force on this gateway.

use access::Permit;
use bytes::Bytes;
use filer::{Condition, FilerError, Mutation, Transaction};
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use ids::BucketName;
use policy::{Policy, PrincipalIds};
use s3::op::{DeleteBucketPolicy, GetBucketPolicy, GetBucketPolicyStatus, PutBucketPolicy, policy_status_to_xml};
use s3::{S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::body::ResponseBody;
use crate::errors;

/// The most bytes of a policy with its white space; the policy itself may have 20 KiB.
pub const MAX_DOCUMENT_BYTES: u64 = 128 << 10;

/// The document as it was put; whom it names goes by the name of now, and by the unique id when deleted.
impl Run for GetBucketPolicy {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let policy = bucket.policy.as_ref().ok_or_else(|| no_policy(&bucket.name))?;
        let mut response =
            Response::new(ResponseBody::full(iam::shown_policy(policy, call.snapshot).into_owned().into_bytes()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

/// Whether the policy makes the bucket public.
impl Run for GetBucketPolicyStatus {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let policy = bucket.policy.as_ref().ok_or_else(|| no_policy(&bucket.name))?;
        answer::document(policy_status_to_xml(policy.is_public))
    }
}

/// Replaces the policy, if AWS would take it.
impl Run for PutBucketPolicy {
    async fn run(call: &Call<'_>, permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let document: Bytes = body.read_all(MAX_DOCUMENT_BYTES).await?;
        let input = permit.into_operation();
        call.existing_bucket()?;
        let text = std::str::from_utf8(&document)
            .map_err(|_| S3Error::with_message(S3ErrorCode::MalformedPolicy, "The policy is not UTF-8"))?;
        let policy = Policy::parse_bucket(input.bucket.as_str(), text)
            .map_err(|error| S3Error::with_message(S3ErrorCode::MalformedPolicy, error.to_string()))?;
        let ids = iam::policy_ids(&policy, call.snapshot);
        patch(call, &input.bucket, Some((text, &ids))).await
    }
}

/// Removes the policy; there need not be one.
impl Run for DeleteBucketPolicy {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        patch(call, &permit.into_operation().bucket, None).await
    }
}

fn no_policy(bucket: &str) -> S3Error {
    S3Error::new(S3ErrorCode::NoSuchBucketPolicy).field("BucketName", bucket)
}

/// The policy and the ids beside it change in one write; what others change at the same time stays.
async fn patch(call: &Call<'_>, bucket: &BucketName, policy: Option<(&str, &PrincipalIds)>) -> Answer {
    let (set, remove) = iam::policy_attributes(policy);
    let mutation = Mutation::Patch {
        directory: call.buckets_root().to_owned(),
        name: bucket.to_string(),
        set,
        remove,
        content: None,
    };
    let transaction = Transaction {
        lock_key: call.bucket_path(bucket),
        conditions: vec![Condition::Exists],
        mutations: vec![mutation],
        ..Transaction::default()
    };
    let change = call.gateway.fence.before_change();
    call.filer().transact(transaction).await.map_err(|error| match error {
        FilerError::PreconditionFailed => S3Error::new(S3ErrorCode::NoSuchBucket),
        other => errors::from_filer(other),
    })?;
    let applied = |bucket: Option<&iam::Bucket>| {
        bucket.is_none_or(|bucket| match (&bucket.policy, policy) {
            (Some(known), Some((text, ids))) => *known.text == *text && *known.ids == *ids,
            (known, wanted) => known.is_none() && wanted.is_none(),
        })
    };
    call.gateway.in_force(change, bucket, applied).await?;
    answer::empty(StatusCode::NO_CONTENT)
}
