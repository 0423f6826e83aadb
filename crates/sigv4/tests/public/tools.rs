use http::request::Parts;
use ids::SecretAccessKey;
use jiff::Timestamp;
use sigv4::{AuthForm, Claim, Expectations, SigError, SignedTarget, SigningKeyCache, Verified};

pub const AWS_AKID: &str = "AKIAIOSFODNN7EXAMPLE";
pub const AWS_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub const SERVICES: &[&str] = &["s3", "iam", "sts"];

/// `2013-05-24T00:00:00Z`, the time of AWS's examples.
pub fn aws_time() -> Timestamp {
    "2013-05-24T00:00:00Z".parse().unwrap()
}

pub fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    try_head(method, target, headers).unwrap()
}

pub fn try_head(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<Parts, http::Error> {
    let builder = http::Request::builder().method(method).uri(target);
    let request = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(())?;
    Ok(request.into_parts().0)
}

/// The expectations of a gateway in us-east-1 without a proxy.
pub struct World {
    pub now: Timestamp,
    pub region: &'static str,
    pub services: &'static [&'static str],
    pub body_sha256: Option<[u8; 32]>,
    pub secret: SecretAccessKey,
    pub keys: SigningKeyCache,
}

impl World {
    pub fn new(now: Timestamp, secret: &str) -> Self {
        Self {
            now,
            region: "us-east-1",
            services: SERVICES,
            body_sha256: None,
            secret: SecretAccessKey::new(secret),
            keys: SigningKeyCache::new(16),
        }
    }

    pub fn aws() -> Self {
        Self::new(aws_time(), AWS_SECRET)
    }

    pub fn expect<'a>(&'a self, target: &'a SignedTarget<'a>) -> Expectations<'a> {
        Expectations {
            region: self.region,
            services: self.services,
            now: self.now,
            skew_s: 900,
            target,
            body_sha256: self.body_sha256,
        }
    }

    pub fn verify(&self, head: &Parts) -> Result<Verified, SigError> {
        let claim = claim(head)?;
        sigv4::verify(head, &claim, &self.secret, &self.expect(&target(head, None)), &self.keys)
    }
}

/// What a head addresses if there is no proxy.
pub fn target<'a>(head: &'a Parts, bucket: Option<&str>) -> SignedTarget<'a> {
    let host = head.headers.get("host").map_or("", |host| host.to_str().unwrap_or(""));
    SignedTarget { hosts: vec![host.into()], path: head.uri.path().into(), bucket: bucket.map(str::to_owned) }
}

/// The V4 claim of a head. A head without one counts as refused.
pub fn claim(head: &Parts) -> Result<Claim, SigError> {
    match sigv4::auth_form(head)? {
        AuthForm::HeaderV4(claim) | AuthForm::PresignedV4(claim) => Ok(claim),
        _ => Err(SigError::UnsupportedAuthorization),
    }
}

pub fn code<T: std::fmt::Debug>(result: Result<T, SigError>) -> String {
    match result {
        Ok(_) => "OK".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}
