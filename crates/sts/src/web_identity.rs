//! Tokens of identity providers (OpenID Connect): who signed them, for whom, and until when.
//!
//! The provider's keys are an argument: nothing here follows an address that a token names.

mod claims;
mod key;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::jwt;
use key::NoMatch;

pub use claims::{Claim, Claims};
pub use key::{KEYS_BYTES_MAX, KeysError, ProviderKeys};

/// The longest token in bytes, as on AWS (STS API Reference, AssumeRoleWithWebIdentity).
const TOKEN_BYTES_MAX: usize = 20_000;

/// How far the clocks of the provider and of this gateway may differ, in seconds.
pub const LEEWAY_S: i64 = 60;

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedToken<'a> {
    /// The provider's issuer, compared as text.
    pub issuer: &'a str,
    /// The client ids of which the token must name one. Without any, every token is refused.
    pub client_ids: &'a [String],
    /// The provider's keys.
    pub keys: &'a ProviderKeys,
    /// The current time.
    pub now: Timestamp,
}

/// A user of an identity provider, as a valid token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebIdentity {
    /// The claim `iss`.
    pub issuer: String,
    /// The claim `sub`, never empty.
    pub subject: String,
    /// The client id for which the token was accepted.
    pub audience: String,
    /// When the token was issued, seconds since 1970.
    pub issued_s: i64,
    /// The end of the token, seconds since 1970.
    pub expires_s: i64,
    /// All claims.
    pub claims: Claims,
}

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebIdentityError {
    /// It cannot be read, or a claim is missing or of the wrong type.
    #[error("the web identity token is not valid: {0}")]
    Malformed(&'static str),
    /// It names a key that the provider does not have, as far as is known.
    #[error("the key that signed the web identity token is not among the provider's keys")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("the signature of the web identity token is not valid: {0}")]
    Signature(&'static str),
    /// It is for another application.
    #[error("the audience of the web identity token is none of the provider's client ids")]
    Audience,
    /// Its time is over.
    #[error("the web identity token expired at {0}")]
    Expired(Timestamp),
}

/// The issuer that a token claims to have, to find the provider whose keys verify it. It is not verified.
pub fn claimed_issuer(token: &str) -> Result<String, WebIdentityError> {
    let claims = jwt::parse(token, TOKEN_BYTES_MAX).and_then(|token| claims::read(&token.claims_json()?));
    text(&claims.map_err(WebIdentityError::Malformed)?, "iss", "it has no issuer (`iss`)")
}

/// Verifies a token: the signature by the provider's keys, then issuer, audience and times. Each claim that is tested must
/// be there and have its type: what cannot be read is not the same as absent.
pub fn verify_web_identity(token: &str, expected: &ExpectedToken<'_>) -> Result<WebIdentity, WebIdentityError> {
    use WebIdentityError::{Malformed, Signature, UnknownKey};
    let parsed = jwt::parse(token, TOKEN_BYTES_MAX).map_err(Malformed)?;
    expected.keys.verify(&parsed).map_err(|why| match why {
        NoMatch::Kid => UnknownKey,
        NoMatch::Algorithm => Signature("its algorithm is not that of the key"),
        NoMatch::Signature => Signature("another key made it"),
        NoMatch::Ambiguous => Signature("it names no key, and the provider has several"),
    })?;
    let members = parsed.claims_json().and_then(|json| claims::read(&json)).map_err(Malformed)?;
    let issuer = text(&members, "iss", "it has no issuer (`iss`)")?;
    if issuer != expected.issuer {
        return Err(Malformed("its issuer is not the provider's"));
    }
    let (issued_s, expires_s) = times(&members, expected.now)?;
    let subject = text(&members, "sub", "it has no subject (`sub`)")?;
    let audience = audience(&members, expected.client_ids)?;
    let claims = Claims::of(&members).map_err(Malformed)?;
    Ok(WebIdentity { issuer, subject, audience, issued_s, expires_s, claims })
}

/// Checks `exp`, `iat` and `nbf`. The result is `iat` and `exp`.
fn times(members: &BTreeMap<String, Value>, now: Timestamp) -> Result<(i64, i64), WebIdentityError> {
    let now_s = now.as_second();
    let expires_s = seconds(members, "exp")?.ok_or(WebIdentityError::Malformed("it has no end (`exp`)"))?;
    let issued_s = seconds(members, "iat")?.ok_or(WebIdentityError::Malformed("it has no time of issue (`iat`)"))?;
    let begins_s = seconds(members, "nbf")?.unwrap_or(issued_s);
    if now_s >= expires_s.saturating_add(LEEWAY_S) {
        return Err(WebIdentityError::Expired(Timestamp::from_second(expires_s).unwrap_or(Timestamp::MIN)));
    }
    if issued_s.max(begins_s) > now_s.saturating_add(LEEWAY_S) {
        return Err(WebIdentityError::Malformed("it is from the future; check the clocks"));
    }
    Ok((issued_s, expires_s))
}

/// The client id that the token is for: one of its audiences, or else the party that it was issued to (`azp`).
fn audience(members: &BTreeMap<String, Value>, client_ids: &[String]) -> Result<String, WebIdentityError> {
    let wrong = WebIdentityError::Malformed("its audience (`aud`) is not text or a list of texts");
    let mut named = match members.get("aud") {
        None => Vec::new(),
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().map(Value::as_str).collect::<Option<_>>().ok_or(wrong)?,
        Some(_) => return Err(wrong),
    };
    match members.get("azp") {
        None => {}
        Some(Value::String(party)) => named.push(party),
        Some(_) => return Err(WebIdentityError::Malformed("its claim `azp` is not text")),
    }
    let accepted = named.into_iter().find(|name| client_ids.iter().any(|id| id == name));
    accepted.map(str::to_owned).ok_or(WebIdentityError::Audience)
}

fn text(members: &BTreeMap<String, Value>, name: &str, missing: &'static str) -> Result<String, WebIdentityError> {
    let text = members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or(WebIdentityError::Malformed(missing))
}

/// A time in seconds since 1970, without its fraction; `None` if it is absent.
fn seconds(members: &BTreeMap<String, Value>, name: &str) -> Result<Option<i64>, WebIdentityError> {
    let Some(value) = members.get(name) else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, reason = "a time that does not fit becomes the last one that does")]
    let seconds = value.as_i64().or_else(|| value.as_f64().filter(|_| value.is_number()).map(|time| time as i64));
    seconds.map(Some).ok_or(WebIdentityError::Malformed("one of its times is not a number"))
}
