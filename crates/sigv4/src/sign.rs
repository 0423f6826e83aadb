use aws_lc_rs::digest;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::request::Parts;
use ids::{AccessKeyId, SecretAccessKey};
use jiff::Timestamp;

use crate::auth_form::ALGORITHM;
use crate::canonical::{CanonicalRequest, canonical_query, encode, normalised_path, s3_paths, string_to_sign};
use crate::{ChunkSeed, PayloadHash, RequestDate, Scope, SigError, SigningKey};

/// Who signs, when and for what. This is the client's side, for tests, benchmarks and tools.
#[derive(Debug, Clone)]
pub struct SigningIdentity<'a> {
    /// The access key id.
    pub access_key_id: &'a AccessKeyId,
    /// The secret access key.
    pub secret: &'a SecretAccessKey,
    /// The session token, if the key belongs to a session.
    pub session_token: Option<&'a str>,
    /// The time of the signature.
    pub time: Timestamp,
    /// The region of the scope.
    pub region: &'a str,
    /// The service of the scope: `s3`, `iam` or `sts`.
    pub service: &'a str,
}

/// The result of signing a head.
#[derive(Debug, Clone)]
pub struct SignedHead {
    /// The signature.
    pub signature: [u8; 32],
    /// The start of the chain of chunk signatures.
    pub seed: ChunkSeed,
}

/// Signs a head: adds `x-amz-date`, `x-amz-content-sha256`, `x-amz-security-token` and `Authorization`.
///
/// With [`PayloadHash::Absent`] the payload header is left out and the signature is for an empty body. The signature
/// covers `Host` (or the URI's authority), `Content-Type`, `Content-MD5` and all `x-amz-*` headers. Fails with
/// `AuthorizationHeaderMalformed` if the head has no host, or if a value cannot be sent in a header.
pub fn sign_header(head: &mut Parts, payload: PayloadHash, who: &SigningIdentity<'_>) -> Result<SignedHead, SigError> {
    let date = RequestDate::new(who.time);
    let mut payload_text = Vec::new();
    payload.write(&mut payload_text);
    set(head, "x-amz-date", date.as_str().as_bytes())?;
    if payload != PayloadHash::Absent {
        set(head, "x-amz-content-sha256", &payload_text)?;
    }
    if let Some(token) = who.session_token {
        set(head, "x-amz-security-token", token.as_bytes())?;
    }
    let signed_headers = headers_to_sign(head);
    let query = canonical_query(head.uri.query().unwrap_or(""), false);
    let payload = if payload == PayloadHash::Absent { PayloadHash::EMPTY } else { payload };
    let signed = sign(head, &query, &signed_headers, payload, date, who)?;
    let names = join(&signed_headers);
    let (akid, scope, signature) = (who.access_key_id, scope_of(who, &date), hex::encode(signed.signature));
    let authorization = format!("{ALGORITHM} Credential={akid}/{scope}, SignedHeaders={names}, Signature={signature}");
    set(head, AUTHORIZATION.as_str(), authorization.as_bytes())?;
    Ok(signed)
}

/// Makes a head a presigned URL that is valid for `expires_s` seconds: adds the `X-Amz-*` parameters to its query.
///
/// [`PayloadHash::Absent`] leaves the body open on S3 and means an empty body elsewhere. Any other payload must also be
/// in the header `x-amz-content-sha256` of the head. The client that uses the URL must send the same headers. Errors
/// are those of [`sign_header`].
pub fn presign(
    head: &mut Parts,
    payload: PayloadHash,
    expires_s: u32,
    who: &SigningIdentity<'_>,
) -> Result<SignedHead, SigError> {
    let date = RequestDate::new(who.time);
    let signed_headers = headers_to_sign(head);
    let credential = format!("{}/{}", who.access_key_id, scope_of(who, &date));
    let mut query = head.uri.query().map_or(String::new(), |query| format!("{query}&"));
    query.push_str(&format!(
        "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={date}&X-Amz-Expires={expires_s}&X-Amz-SignedHeaders={}",
        encode(&credential),
        encode(&join(&signed_headers))
    ));
    if let Some(token) = who.session_token {
        query.push_str(&format!("&X-Amz-Security-Token={}", encode(token)));
    }
    let payload = match payload {
        PayloadHash::Absent if who.service == "s3" => PayloadHash::Unsigned,
        PayloadHash::Absent => PayloadHash::EMPTY,
        other => other,
    };
    let signed = sign(head, &canonical_query(&query, true), &signed_headers, payload, date, who)?;
    let path_and_query = format!("{}?{query}&X-Amz-Signature={}", head.uri.path(), hex::encode(signed.signature));
    let invalid = |_| SigError::QueryMalformed("the URL cannot be built".into());
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    uri.path_and_query = Some(path_and_query.parse().map_err(invalid)?);
    head.uri = http::Uri::from_parts(uri).map_err(|_| SigError::QueryMalformed("the URL cannot be built".into()))?;
    Ok(signed)
}

fn sign(
    head: &Parts,
    query: &str,
    signed_headers: &[HeaderName],
    payload: PayloadHash,
    date: RequestDate,
    who: &SigningIdentity<'_>,
) -> Result<SignedHead, SigError> {
    let no_host = || SigError::HeaderMalformed("the request to sign has no host".into());
    let host = match head.headers.get(HOST) {
        Some(host) => host.to_str().map_err(|_| no_host())?,
        None => head.uri.authority().ok_or_else(no_host)?.as_str(),
    };
    let path = match who.service {
        "s3" => s3_paths(head.uri.path()).next().unwrap_or_default(),
        _ => normalised_path(head.uri.path()).into(),
    };
    let request = CanonicalRequest { head, query, signed_headers, payload };
    let digest: digest::Digest = request.digest(&path, host).ok_or_else(no_host)?;
    let scope = scope_of(who, &date);
    let key = SigningKey::derive(who.secret, &scope);
    let signature = key.sign(&string_to_sign(&date, &scope, &digest));
    Ok(SignedHead { signature, seed: ChunkSeed::new(key, date, scope.to_string(), signature) })
}

fn scope_of(who: &SigningIdentity<'_>, date: &RequestDate) -> Scope {
    Scope { date: date.day().to_owned(), region: who.region.to_owned(), service: who.service.to_owned() }
}

fn headers_to_sign(head: &Parts) -> Vec<HeaderName> {
    let wanted = |name: &&HeaderName| {
        **name == CONTENT_TYPE || name.as_str() == "content-md5" || name.as_str().starts_with("x-amz-")
    };
    let mut names: Vec<HeaderName> = head.headers.keys().filter(wanted).cloned().collect();
    names.push(HOST);
    names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    names
}

fn join(names: &[HeaderName]) -> String {
    names.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(";")
}

fn set(head: &mut Parts, name: &'static str, value: &[u8]) -> Result<(), SigError> {
    let value = HeaderValue::from_bytes(value).map_err(|_| {
        SigError::HeaderMalformed(format!("{name} contains characters that a header cannot hold").into())
    })?;
    head.headers.insert(name, value);
    Ok(())
}
