//! The CORS rules of a bucket. They share one stored message with its tags and encryption, which stay unchanged.

use access::Permit;
use bucket::metadata::{self, BucketMetadata};
use http::StatusCode;
use ids::BucketName;
use s3::S3ErrorCode;
use s3::cors::{CorsConfiguration, CorsRule};
use s3::op::{DeleteBucketCors, GetBucketCors, PutBucketCors};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketCors {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let missing = || answer::not_configured(bucket, S3ErrorCode::NoSuchCORSConfiguration);
        answer::document(super::cors::of_bucket(bucket).ok_or_else(missing)?.to_xml())
    }
}

/// Replaces the rules. From then on those of `-allowedOrigins` do not apply to the bucket.
impl Run for PutBucketCors {
    /// Source: S3 API Reference, `PutBucketCors`.
    const DOCUMENT_BYTES_MAX: u64 = 64 << 10;

    async fn run(call: &Call<'_>, permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let document = body.read_all(Self::DOCUMENT_BYTES_MAX).await?;
        call.existing_bucket()?;
        let rules = CorsConfiguration::from_xml(&document)?.rules.into_iter().map(stored).collect();
        let cors = metadata::CorsConfiguration { rules };
        replace(call, &permit.into_operation().bucket, Some(cors), StatusCode::OK).await
    }
}

/// Removes the rules. It is not an error if there are none.
impl Run for DeleteBucketCors {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        replace(call, &permit.into_operation().bucket, None, StatusCode::NO_CONTENT).await
    }
}

fn stored(rule: CorsRule) -> metadata::CorsRule {
    metadata::CorsRule {
        allowed_headers: rule.allowed_headers,
        allowed_methods: rule.allowed_methods,
        allowed_origins: rule.allowed_origins,
        expose_headers: rule.expose_headers,
        max_age_seconds: rule.max_age_seconds.and_then(|seconds| i32::try_from(seconds).ok()).unwrap_or_default(),
        id: rule.id.unwrap_or_default(),
    }
}

async fn replace(
    call: &Call<'_>,
    name: &BucketName,
    cors: Option<metadata::CorsConfiguration>,
    status: StatusCode,
) -> Answer {
    let replace = |metadata: &mut BucketMetadata| {
        metadata.cors.clone_from(&cors);
        true
    };
    call.change_metadata(name, replace, |metadata| &metadata.cors).await?;
    answer::empty(status)
}
