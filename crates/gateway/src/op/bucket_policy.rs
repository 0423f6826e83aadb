//! Bucket policies and their status. Once a policy is answered with 204, it is in force on this gateway.

use access::Permit;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use ids::BucketName;
use policy::{Policy, PrincipalIds};
use s3::op::{DeleteBucketPolicy, GetBucketPolicy, GetBucketPolicyStatus, PutBucketPolicy, policy_status_to_xml};
use s3::{S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::public_access_block::blocked;
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::body::ResponseBody;

/// The document as it was put, but with the current names of its principals, and with the unique ids of deleted ones.
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

/// Replaces the policy, if AWS would accept it.
impl Run for PutBucketPolicy {
    /// With white space. The policy itself may have 20 KiB.
    const DOCUMENT_BYTES_MAX: u64 = 128 << 10;

    async fn run(call: &Call<'_>, permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let document: Bytes = body.read_all(Self::DOCUMENT_BYTES_MAX).await?;
        let input = permit.into_operation();
        let bucket = call.existing_bucket()?;
        let text = std::str::from_utf8(&document)
            .map_err(|_| S3Error::with_message(S3ErrorCode::MalformedPolicy, "The policy is not UTF-8"))?;
        let policy = Policy::parse_bucket(input.bucket.as_str(), text)
            .map_err(|error| S3Error::with_message(S3ErrorCode::MalformedPolicy, error.message_and_path()))?;
        if policy.is_public() && bucket.public_access_block().block_public_policy {
            return Err(blocked("public policies", "BlockPublicPolicy"));
        }
        let ids = iam::policy_ids(&policy, call.snapshot);
        patch(call, &input.bucket, Some((text, &ids))).await
    }
}

/// Removes the policy. It is not an error if there is none.
impl Run for DeleteBucketPolicy {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        patch(call, &permit.into_operation().bucket, None).await
    }
}

fn no_policy(bucket: &str) -> S3Error {
    S3Error::new(S3ErrorCode::NoSuchBucketPolicy).field("BucketName", bucket)
}

/// Changes the policy and the ids stored with it in one write. Other changes at the same time are kept.
async fn patch(call: &Call<'_>, bucket: &BucketName, policy: Option<(&str, &PrincipalIds)>) -> Answer {
    let ids = policy.and_then(|(text, ids)| iam::stored_policy_ids(text, ids));
    let patch = bucket::settings::policy_patch(policy.map(|(text, _)| text), ids);
    let applied = |bucket: &iam::Bucket| match (&bucket.policy, policy) {
        (Some(known), Some((text, ids))) => *known.text == *text && *known.ids == *ids,
        (known, wanted) => known.is_none() && wanted.is_none(),
    };
    call.configure(bucket, patch, applied).await?;
    answer::empty(StatusCode::NO_CONTENT)
}
