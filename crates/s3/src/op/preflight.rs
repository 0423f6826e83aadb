use ids::{BucketName, ObjectKey};

use crate::request::Request;
use crate::target::Path;
use crate::{S3Error, S3ErrorCode};

/// The most names of headers, as many as a request on HTTP/1 can have.
const NAMES_MAX: usize = 100;

/// The most bytes of these names, as many as a head has on AWS.
const NAMES_BYTES_MAX: usize = 8 << 10;

const TOO_MANY: &str = "Access-Control-Request-Headers may list at most 100 names, in at most 8192 bytes.";

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
    /// `Access-Control-Request-Headers`, in lower case: at most 100 names, each once.
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
        let headers = names(&headers).ok_or_else(|| bad(TOO_MANY))?;
        Ok(Self { bucket, key, origin, method, headers })
    }
}

/// The names of headers, each once. `None` if there are too many: each is compared with all rules and sent back.
fn names(list: &str) -> Option<Vec<String>> {
    let listed = list.split(',').map(str::trim).filter(|name| !name.is_empty()).take(NAMES_MAX + 1);
    let listed: Vec<String> = listed.map(str::to_ascii_lowercase).collect();
    if listed.len() > NAMES_MAX || list.len() > NAMES_BYTES_MAX {
        return None;
    }
    let mut names = Vec::with_capacity(listed.len());
    for name in listed {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Some(names)
}
