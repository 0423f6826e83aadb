use http::header::HOST;
use http::request::Parts;
use ids::SecretAccessKey;
use jiff::{SignedDuration, Timestamp};

use crate::canonical::{CanonicalRequest, canonical_query, normalised_path, s3_paths, string_to_sign};
use crate::{ChunkSeed, Claim, PayloadHash, RequestDate, Scope, SigError, SignedTarget, SigningKey, SigningKeyCache};

/// What this endpoint accepts.
#[derive(Debug, Clone)]
pub struct Expectations<'a> {
    /// The region of the scope; if empty, any region.
    pub region: &'a str,
    /// The accepted services of the scope: `s3`, `iam`, `sts` or several of them. For `iam` and `sts` the signature
    /// always covers the body, so a request whose body names the action must not be accepted as `s3`.
    pub services: &'a [&'a str],
    /// The current time.
    pub now: Timestamp,
    /// How far the client's clock may be off, in seconds: 900 on AWS.
    pub skew_s: u32,
    /// What the client addressed. The request is routed by the same value.
    pub target: &'a SignedTarget<'a>,
    /// The SHA-256 of the body, if the body has already been read, as for IAM and STS. It is compared with the signed
    /// hash.
    pub body_sha256: Option<[u8; 32]>,
}

/// A request whose signature is valid.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Verified {
    /// What the body must still be compared with; never [`PayloadHash::Absent`].
    pub payload: PayloadHash,
    /// The start of the chain of chunk signatures, if the chunks are signed.
    pub seed: Option<ChunkSeed>,
    /// When the request was signed.
    pub date: RequestDate,
    /// The service for which it was signed.
    pub service: String,
}

/// Checks the signature of a request against the secret of the key it names.
///
/// `claim` comes from [`crate::auth_form`] of the same head. This checks everything except the body: the scope, the
/// times, that every received `x-amz-*` header is signed, and the signature itself, in constant time. Errors are those
/// of S3.
pub fn verify(
    head: &Parts,
    claim: &Claim,
    secret: &SecretAccessKey,
    expect: &Expectations<'_>,
    keys: &SigningKeyCache,
) -> Result<Verified, SigError> {
    let presigned = claim.is_presigned();
    check_scope(&claim.scope, &claim.date, expect).map_err(|text| match presigned {
        true => SigError::QueryMalformed(text.into()),
        false => SigError::HeaderMalformed(text.into()),
    })?;
    check_time(claim, expect)?;
    check_coverage(head, claim)?;
    let payload = bound_payload(claim, expect)?;
    let (key, fresh) = keys.get(claim, secret);
    if !signature_matches(head, claim, payload, expect, &key) {
        return Err(SigError::SignatureDoesNotMatch);
    }
    if expect.body_sha256.is_some_and(|body| matches!(payload, PayloadHash::Sha256(signed) if signed != body)) {
        return Err(SigError::PayloadMismatch);
    }
    if fresh {
        keys.keep(claim, secret, &key);
    }
    let chained = matches!(payload, PayloadHash::StreamingSigned | PayloadHash::StreamingSignedTrailer);
    let seed = chained.then(|| ChunkSeed::new(key, claim.date, claim.scope.to_string(), claim.signature));
    Ok(Verified { payload, seed, date: claim.date, service: claim.scope.service.clone() })
}

/// What is wrong with the scope.
pub(crate) fn check_scope(scope: &Scope, date: &RequestDate, expect: &Expectations<'_>) -> Result<(), String> {
    if scope.date != date.day() {
        let (claimed, day) = (&scope.date, date.day());
        return Err(format!(
            "Invalid credential date \"{claimed}\". This date is not the same as X-Amz-Date: \"{day}\"."
        ));
    }
    if !expect.region.is_empty() && scope.region != expect.region && !is_global(scope) {
        return Err(format!("the region '{}' is wrong; expecting '{}'", scope.region, expect.region));
    }
    if !expect.services.contains(&scope.service.as_str()) {
        let wanted = expect.services.join("\" or \"");
        return Err(format!("incorrect service \"{}\". This endpoint belongs to \"{wanted}\".", scope.service));
    }
    Ok(())
}

/// IAM is global: its requests are signed for us-east-1 wherever the buckets are, as are those of STS's global endpoint.
/// minio-py leaves the region of STS empty.
fn is_global(scope: &Scope) -> bool {
    matches!(scope.service.as_str(), "iam" | "sts") && matches!(scope.region.as_str(), "us-east-1" | "")
}

fn check_time(claim: &Claim, expect: &Expectations<'_>) -> Result<(), SigError> {
    let signed = claim.date.timestamp();
    let skew = SignedDuration::from_secs(expect.skew_s.into());
    let ahead = signed.duration_since(expect.now);
    let Some(expires_s) = claim.expires else {
        return if ahead.abs() <= skew {
            Ok(())
        } else {
            Err(SigError::TimeTooSkewed { request: signed, server: expect.now })
        };
    };
    if ahead > skew {
        return Err(SigError::NotYetValid(signed));
    }
    let end = signed.saturating_add(SignedDuration::from_secs(expires_s.into())).unwrap_or(signed);
    if expect.now > end { Err(SigError::Expired(end)) } else { Ok(()) }
}

/// `x-amz-*` headers change what a request does, so each must be signed. `x-amz-content-sha256` need not be listed: its
/// value is the payload line of the canonical request, and is signed that way.
fn check_coverage(head: &Parts, claim: &Claim) -> Result<(), SigError> {
    let unsigned = |name: &&http::HeaderName| {
        name.as_str().starts_with("x-amz-")
            && name.as_str() != "x-amz-content-sha256"
            && !claim.signed_headers.contains(name)
    };
    let names: Vec<&str> = head.headers.keys().filter(unsigned).map(http::HeaderName::as_str).collect();
    if names.is_empty() { Ok(()) } else { Err(SigError::HeadersNotSigned(names.join(", "))) }
}

/// The payload line for the service of the scope. Only S3 may leave the body open.
fn bound_payload(claim: &Claim, expect: &Expectations<'_>) -> Result<PayloadHash, SigError> {
    match (claim.scope.service.as_str(), claim.payload) {
        ("s3", PayloadHash::Absent) if claim.is_presigned() => Ok(PayloadHash::Unsigned),
        ("s3", PayloadHash::Absent) => Ok(PayloadHash::EMPTY),
        ("s3", payload) => Ok(payload),
        (_, PayloadHash::Absent) => Ok(expect.body_sha256.map_or(PayloadHash::EMPTY, PayloadHash::Sha256)),
        (_, payload @ PayloadHash::Sha256(_)) => Ok(payload),
        _ => Err(SigError::PayloadHash("which only S3 accepts; for IAM and STS sign the body")),
    }
}

/// Tries the spellings of host and path that the client may have signed. The first one is the usual one.
fn signature_matches(
    head: &Parts,
    claim: &Claim,
    payload: PayloadHash,
    expect: &Expectations<'_>,
    key: &SigningKey,
) -> bool {
    if head.headers.get_all(HOST).iter().count() > 1 {
        return false;
    }
    let query = canonical_query(head.uri.query().unwrap_or(""), claim.is_presigned());
    let request = CanonicalRequest { head, query: &query, signed_headers: &claim.signed_headers, payload };
    let matches = |path: &str| {
        expect.target.hosts.iter().any(|host| {
            request
                .digest(path, host)
                .is_some_and(|digest| key.verify(&string_to_sign(&claim.date, &claim.scope, &digest), &claim.signature))
        })
    };
    let path = &*expect.target.path;
    if claim.scope.service == "s3" {
        s3_paths(path).any(|path| matches(&path))
    } else {
        matches(&normalised_path(path))
    }
}
