use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::{SessionClaims, SigningKey};

/// Longer than any token that fits into a request's head.
const MAX_TOKEN_BYTES: usize = 64 << 10;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

/// A token in its three parts, signature unchecked.
pub(crate) struct Unverified<'a> {
    signed: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
    pub(crate) kid: Option<String>,
}

/// Takes a token apart. The algorithm is HS256 or the token is refused; nothing in it chooses how it is checked.
pub(crate) fn parse(token: &str) -> Result<Unverified<'_>, &'static str> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err("it is too long");
    }
    let (signed, signature) = token.rsplit_once('.').ok_or("it is no JWT")?;
    let (header, claims) = signed.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or("it is no JWT")?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| "a part of it is not base64url");
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| "its header is not readable")?;
    if header.alg != "HS256" {
        return Err("its algorithm is not HS256");
    }
    if header.crit.is_some() {
        return Err("its header has critical extensions");
    }
    Ok(Unverified { signed, claims, signature: decode(signature)?, kid: header.kid })
}

impl Unverified<'_> {
    /// Compares in constant time.
    pub(crate) fn is_signed_by(&self, key: &SigningKey) -> bool {
        hmac::verify(key.hmac(), self.signed.as_bytes(), &self.signature).is_ok()
    }

    /// The claims; to be asked once the signature is known to be right.
    pub(crate) fn claims(&self) -> Result<SessionClaims, &'static str> {
        let json = URL_SAFE_NO_PAD.decode(self.claims).map_err(|_| "a part of it is not base64url")?;
        serde_json::from_slice(&json).map_err(|_| "its claims are not those of a session")
    }
}

/// A signed token with these claims.
pub(crate) fn write(claims: &SessionClaims, key: &SigningKey) -> String {
    let json = serde_json::to_vec(claims).unwrap_or_default();
    let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{}"}}"#, key.kid());
    let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(json));
    let signature = hmac::sign(key.hmac(), token.as_bytes());
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    token
}
