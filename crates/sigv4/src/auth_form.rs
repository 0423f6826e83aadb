use std::borrow::Cow;
use std::fmt;

use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use http::request::Parts;
use ids::AccessKeyId;

use crate::head_fields::{QueryParams, single};
use crate::v2::{self, ClaimV2};
use crate::{Claim, EXPIRES_S_MAX, PayloadHash, RequestDate, Scope, SigError};

/// The only algorithm.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The most signed headers that are accepted: more than any client sends. It limits the work on a hostile head.
const SIGNED_HEADERS_MAX: usize = 100;

/// How a request identifies its caller. Parsed, not verified.
#[derive(Debug, Clone)]
pub enum AuthForm {
    /// `Authorization: AWS4-HMAC-SHA256 ...`.
    HeaderV4(Claim),
    /// `?X-Amz-Signature=...`.
    PresignedV4(Claim),
    /// `Authorization: AWS key:signature`.
    HeaderV2(ClaimV2),
    /// `?AWSAccessKeyId=...&Signature=...`.
    PresignedV2(ClaimV2),
    /// A `POST` of `multipart/form-data` without other credentials. If it is a POST upload, they are in the form.
    PostForm,
    /// `Authorization: Bearer ...`.
    Bearer(BearerToken),
    /// No credentials at all.
    Anonymous,
}

/// The token of an identity provider, as the request brings it. It is not verified.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(String);

impl BearerToken {
    /// The token itself, for who verifies it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(..)")
    }
}

/// Reads how the request identifies its caller.
///
/// It never guesses: two mechanisms at once, an incomplete one, or an unknown one is an error, not an anonymous
/// request.
pub fn auth_form(head: &Parts) -> Result<AuthForm, SigError> {
    let query = QueryParams::collect(head.uri.query().unwrap_or(""))?;
    let mut headers = head.headers.get_all(AUTHORIZATION).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return Err(SigError::SeveralMechanisms);
    }
    match (header, query.is_v4(), query.is_v2()) {
        (None, false, false) if is_form_post(head) => Ok(AuthForm::PostForm),
        (None, false, false) => Ok(AuthForm::Anonymous),
        (Some(value), false, false) => from_header(head, value),
        (None, true, false) => presigned_v4(head, query).map(AuthForm::PresignedV4),
        (None, false, true) => v2::presigned(query).map(AuthForm::PresignedV2),
        _ => Err(SigError::SeveralMechanisms),
    }
}

fn is_form_post(head: &Parts) -> bool {
    let form = b"multipart/form-data";
    let content_type = head.headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    head.method == Method::POST && content_type.get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form))
}

fn from_header(head: &Parts, value: &HeaderValue) -> Result<AuthForm, SigError> {
    let text =
        value.to_str().map_err(|_| SigError::HeaderMalformed("it contains characters outside ASCII".into()))?.trim();
    let (kind, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    match kind {
        ALGORITHM => header_v4(head, rest).map(AuthForm::HeaderV4),
        "AWS" => v2::header(head, rest).map(AuthForm::HeaderV2),
        _ if kind.eq_ignore_ascii_case("bearer") => Ok(AuthForm::Bearer(BearerToken(rest.trim().to_owned()))),
        _ => Err(SigError::UnsupportedAuthorization),
    }
}

fn header_v4(head: &Parts, fields: &str) -> Result<Claim, SigError> {
    let malformed = |text: &'static str| SigError::HeaderMalformed(text.into());
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for field in fields.split(',') {
        let (name, value) =
            field.trim().split_once('=').ok_or(malformed("a field does not have the form name=value"))?;
        let slot = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => return Err(malformed("only Credential, SignedHeaders and Signature are allowed")),
        };
        if slot.replace(value).is_some() {
            return Err(malformed("a field appears twice"));
        }
    }
    let credential = credential.ok_or(malformed("Credential is missing"))?;
    let signed_headers = signed_headers.ok_or(malformed("SignedHeaders is missing"))?;
    let signature = signature.ok_or(malformed("Signature is missing"))?;
    let (access_key_id, scope) = parse_credential(credential).map_err(|text| SigError::HeaderMalformed(text.into()))?;
    Ok(Claim {
        access_key_id,
        scope,
        signed_headers: parse_signed_headers(signed_headers).map_err(malformed)?,
        signature: parse_signature(signature).map_err(malformed)?,
        date: header_date(head)?,
        expires: None,
        session_token: token_header(head)?,
        payload: PayloadHash::of(&head.headers)?,
    })
}

fn presigned_v4(head: &Parts, query: QueryParams<'_>) -> Result<Claim, SigError> {
    let malformed = |text: &'static str| SigError::QueryMalformed(text.into());
    let missing = || {
        malformed(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, \
             X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        )
    };
    if query.algorithm.ok_or_else(missing)? != ALGORITHM {
        return Err(malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let credential = query.credential.ok_or_else(missing)?;
    let (access_key_id, scope) = parse_credential(&credential).map_err(|text| SigError::QueryMalformed(text.into()))?;
    let signature = query.signature.ok_or_else(missing)?;
    let signed_headers = query.signed_headers.ok_or_else(missing)?;
    let date = query.date.ok_or_else(missing)?;
    let date = RequestDate::parse(&date)
        .ok_or_else(|| malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""))?;
    let session_token = match (query.security_token, token_header(head)?) {
        (Some(_), Some(_)) => return Err(SigError::SeveralMechanisms),
        (in_query, in_header) => in_query.map(Cow::into_owned).or(in_header),
    };
    let payload = match (query.content_sha256, PayloadHash::of(&head.headers)?) {
        (None, in_header) => in_header,
        (Some(in_query), in_header) => {
            let in_query = PayloadHash::parse(in_query.as_bytes())?;
            if in_header != PayloadHash::Absent && in_header != in_query {
                return Err(malformed("X-Amz-Content-Sha256 differs between the query and the headers"));
            }
            in_query
        }
    };
    Ok(Claim {
        access_key_id,
        scope,
        signed_headers: parse_signed_headers(&signed_headers).map_err(malformed)?,
        signature: parse_signature(&signature).map_err(malformed)?,
        date,
        expires: Some(parse_expires(&query.expires.ok_or_else(missing)?).map_err(malformed)?),
        session_token,
        payload,
    })
}

fn parse_expires(text: &str) -> Result<u32, &'static str> {
    if text.starts_with('-') {
        return Err("X-Amz-Expires must be non-negative");
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("X-Amz-Expires should be a number");
    }
    match text.parse() {
        Ok(seconds) if seconds <= EXPIRES_S_MAX => Ok(seconds),
        _ => Err(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be at most 604800 seconds",
        ),
    }
}

/// `AKID/20130524/us-east-1/s3/aws4_request`.
pub(crate) fn parse_credential(text: &str) -> Result<(AccessKeyId, Scope), String> {
    let malformed =
        || "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".".to_owned();
    let mut parts = text.split('/');
    let mut next = || parts.next().ok_or_else(malformed);
    let (akid, date, region, service, terminator) = (next()?, next()?, next()?, next()?, next()?);
    // Only names are allowed: text that goes into the string to sign must not contain line breaks.
    let name = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let is_region = name(region) || region.is_empty() && matches!(service, "iam" | "sts");
    if parts.next().is_some() || !name(date) || !is_region || !name(service) {
        return Err(malformed());
    }
    if terminator != "aws4_request" {
        return Err("incorrect terminal. This endpoint uses \"aws4_request\".".to_owned());
    }
    let akid = akid.parse::<AccessKeyId>().map_err(|error| error.to_string())?;
    Ok((akid, Scope { date: date.to_owned(), region: region.to_owned(), service: service.to_owned() }))
}

fn parse_signed_headers(text: &str) -> Result<Vec<HeaderName>, &'static str> {
    let mut names = Vec::with_capacity(8);
    for name in text.split(';') {
        if names.len() == SIGNED_HEADERS_MAX {
            return Err("SignedHeaders names too many headers");
        }
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err("SignedHeaders must be in lower case");
        }
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| "SignedHeaders contains a name that is not a header name")?;
        if names.contains(&name) {
            return Err("SignedHeaders names a header twice");
        }
        names.push(name);
    }
    if !names.contains(&http::header::HOST) {
        return Err("host must be in SignedHeaders");
    }
    Ok(names)
}

pub(crate) fn parse_signature(text: &str) -> Result<[u8; 32], &'static str> {
    let mut signature = [0; 32];
    hex::decode_to_slice(text, &mut signature).map_err(|_| "the Signature must be 64 hexadecimal digits")?;
    Ok(signature)
}

fn token_header(head: &Parts) -> Result<Option<String>, SigError> {
    Ok(single(head, "x-amz-security-token")?.map(str::to_owned))
}

fn header_date(head: &Parts) -> Result<RequestDate, SigError> {
    if let Some(text) = single(head, "x-amz-date")? {
        return RequestDate::parse(text).ok_or(SigError::Date("x-amz-date must be of the form 20130524T000000Z"));
    }
    let text = single(head, DATE.as_str())?.ok_or(SigError::Date("send x-amz-date"))?;
    RequestDate::parse_http(text).or_else(|| RequestDate::parse(text)).ok_or(SigError::Date("Date is not a time"))
}
