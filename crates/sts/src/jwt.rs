//! The compact form of a JWT: three parts in base64url. Nothing in it is believed before its signature is verified.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What a header says. Everything else in it is ignored, above all keys and addresses of keys (`jwk`, `jku`, `x5u`).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
}

/// A token split into its parts. Its signature is not verified yet.
pub(crate) struct Unverified<'a> {
    /// What is signed: header and claims, encoded.
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
    pub(crate) algorithm: String,
    pub(crate) kid: Option<String>,
    claims: &'a str,
}

/// Splits a token of at most `longest` bytes. Extensions that would change how it is verified are refused.
pub(crate) fn parse(token: &str, longest: usize) -> Result<Unverified<'_>, &'static str> {
    if token.len() > longest {
        return Err("it is too long");
    }
    let (signed, signature) = token.rsplit_once('.').ok_or("it is not a JWT")?;
    let (header, claims) =
        signed.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or("it is not a JWT")?;
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| "its header cannot be read")?;
    if header.crit.is_some() || header.b64.is_some() {
        return Err("its header has critical extensions");
    }
    let Header { alg: algorithm, kid, .. } = header;
    Ok(Unverified { signed, signature: decode(signature)?, algorithm, kid, claims })
}

impl Unverified<'_> {
    /// The JSON of the claims. Believe it only once the signature is verified.
    pub(crate) fn claims_json(&self) -> Result<Vec<u8>, &'static str> {
        decode(self.claims)
    }
}

fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "a part is not base64url")
}
