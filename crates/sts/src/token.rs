use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::jwt::{self, Unverified};
use crate::{SessionClaims, SigningKey};

/// The longest token in bytes. No longer one fits into a request's head.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// Splits a token. It is refused unless its algorithm is HS256: a token does not choose how it is checked.
pub(crate) fn parse(token: &str) -> Result<Unverified<'_>, &'static str> {
    let parsed = jwt::parse(token, TOKEN_BYTES_MAX)?;
    if parsed.algorithm == "HS256" { Ok(parsed) } else { Err("its algorithm is not HS256") }
}

/// Compares in constant time.
pub(crate) fn is_signed_by(parsed: &Unverified<'_>, key: &SigningKey) -> bool {
    hmac::verify(key.hmac(), parsed.signed.as_bytes(), &parsed.signature).is_ok()
}

/// The claims. Call this only after the signature is verified.
pub(crate) fn claims(parsed: &Unverified<'_>) -> Result<SessionClaims, &'static str> {
    serde_json::from_slice(&parsed.claims_json()?).map_err(|_| "it does not have the claims of a session")
}

/// A signed token with these claims.
pub(crate) fn write(claims: &SessionClaims, key: &SigningKey) -> String {
    let json = serde_json::to_vec(claims).unwrap_or_default();
    let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{}"}}"#, key.kid());
    let mut token = String::with_capacity(2048);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(json, &mut token);
    let signature = hmac::sign(key.hmac(), token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}
