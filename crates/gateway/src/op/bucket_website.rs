//! The website of a bucket, as it is configured. `crate::website` serves it.

use access::Permit;
use http::StatusCode;
use iam::{Bucket, WEBSITE};
use s3::op::{DeleteBucketWebsite, GetBucketWebsite, PutBucketWebsite};
use s3::website::WebsiteConfiguration;
use s3::{S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketWebsite {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        answer::document(of_bucket(call.existing_bucket()?)?.to_xml())
    }
}

impl Run for PutBucketWebsite {
    /// Source: S3 API Reference, `PutBucketWebsite`.
    const DOCUMENT_BYTES_MAX: u64 = 128 << 10;

    async fn run(call: &Call<'_>, _permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let document = body.read_all(Self::DOCUMENT_BYTES_MAX).await?;
        call.existing_bucket()?;
        let website = WebsiteConfiguration::from_xml(&document)?;
        call.store_configuration(WEBSITE, Some(website.to_xml()), StatusCode::OK).await
    }
}

/// It is not an error if there is none.
impl Run for DeleteBucketWebsite {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.store_configuration(WEBSITE, None, StatusCode::NO_CONTENT).await
    }
}

/// The website of a bucket. Fails with `NoSuchWebsiteConfiguration`, or `InternalError` if it cannot be read.
pub(crate) fn of_bucket(bucket: &Bucket) -> Result<WebsiteConfiguration, S3Error> {
    let missing = || answer::not_configured(bucket, S3ErrorCode::NoSuchWebsiteConfiguration);
    let document = bucket.configurations.get(WEBSITE).ok_or_else(missing)?;
    WebsiteConfiguration::from_xml(document.as_bytes()).map_err(|error| {
        tracing::error!(bucket = %bucket.name, %error, "the bucket's website configuration cannot be read; put it again");
        S3Error::new(S3ErrorCode::InternalError)
    })
}
