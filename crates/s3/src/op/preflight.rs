use ids::{BucketName, ObjectKey};

use crate::request::Request;
use crate::target::Path;
use crate::{S3Error, S3ErrorCode};

/// `OPTIONS`: a browser asks whether it may send a request from another origin. Such a request is never authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsPreflight {
    /// The bucket, absent for `OPTIONS /`.
    pub bucket: Option<BucketName>,
    /// The key, if the path has one.
    pub key: Option<ObjectKey>,
    /// `Origin`.
    pub origin: String,
    /// `Access-Control-Request-Method`.
    pub method: String,
    /// `Access-Control-Request-Headers`, in lower case.
    pub headers: Vec<String>,
}

impl CorsPreflight {
    pub(crate) fn parse(request: &Request<'_>, path: Path) -> Result<Self, S3Error> {
        let (bucket, key) = match path {
            Path::Service | Path::Account(_) => (None, None),
            Path::Bucket(bucket) => (Some(bucket), None),
            Path::Object(target) => (Some(target.bucket), Some(target.key)),
            Path::Control(bucket) => (Some(bucket.name), None),
        };
        let bad = |message: &'static str| S3Error::with_message(S3ErrorCode::InvalidRequest, message);
        let origin = request
            .owned_header("origin")?
            .ok_or_else(|| bad("Insufficient information. Origin request header needed."))?;
        let method = request
            .owned_header("access-control-request-method")?
            .ok_or_else(|| bad("Insufficient information. Access-Control-Request-Method request header needed."))?;
        let headers = request.joined_header("access-control-request-headers")?.unwrap_or_default();
        let headers =
            headers.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect();
        Ok(Self { bucket, key, origin, method, headers })
    }
}
