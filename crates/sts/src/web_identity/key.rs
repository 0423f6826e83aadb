use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::jwt::Unverified;

/// The longest document of keys, in bytes.
pub const KEYS_BYTES_MAX: usize = 256 << 10;

/// The most keys of a document that are read.
const KEYS_MAX: usize = 100;

/// The keys of an identity provider that can verify tokens (a JWKS, RFC 7517).
#[derive(Debug, Clone, Default)]
pub struct ProviderKeys {
    keys: Vec<ProviderKey>,
    passed_over: Vec<String>,
}

/// The document is not a set of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// Too long, or not JSON with a list `keys`.
    #[error("it is not a JWKS: {0}")]
    Malformed(String),
    /// There is a list, but no key in it can verify a token.
    #[error("it has no key that can verify tokens{}", if .0.is_empty() { String::new() } else { format!(": {}", .0.join("; ")) })]
    NoKey(Vec<String>),
}

/// Why no key can verify a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoMatch {
    Kid,
    Algorithm,
    Signature,
    /// The token names no key, and there are several.
    Ambiguous,
}

/// A public key, for exactly one algorithm, which has this name in tokens. It is parsed once, not for each token.
#[derive(Debug, Clone)]
struct ProviderKey {
    kid: Option<String>,
    algorithm: &'static str,
    key: ParsedPublicKey,
}

static RSA_ALGORITHMS: [(&str, &RsaParameters); 6] = [
    ("RS256", &signature::RSA_PKCS1_2048_8192_SHA256),
    ("RS384", &signature::RSA_PKCS1_2048_8192_SHA384),
    ("RS512", &signature::RSA_PKCS1_2048_8192_SHA512),
    ("PS256", &signature::RSA_PSS_2048_8192_SHA256),
    ("PS384", &signature::RSA_PSS_2048_8192_SHA384),
    ("PS512", &signature::RSA_PSS_2048_8192_SHA512),
];

/// By curve, with the length of a coordinate in bytes.
static EC_ALGORITHMS: [(&str, usize, &str, &dyn VerificationAlgorithm); 3] = [
    ("P-256", 32, "ES256", &signature::ECDSA_P256_SHA256_FIXED),
    ("P-384", 48, "ES384", &signature::ECDSA_P384_SHA384_FIXED),
    ("P-521", 66, "ES512", &signature::ECDSA_P521_SHA512_FIXED),
];

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

impl ProviderKeys {
    /// Reads a JWKS. Keys for other purposes and unknown kinds are passed over: [`ProviderKeys::passed_over`].
    ///
    /// Fails if the document is not a JWKS, or if none of its keys can verify a token.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        if text.len() > KEYS_BYTES_MAX {
            return Err(KeysError::Malformed(format!("it has more than {KEYS_BYTES_MAX} bytes")));
        }
        let document: Jwks = serde_json::from_str(text).map_err(|error| KeysError::Malformed(error.to_string()))?;
        let mut all = Self::default();
        for (place, value) in document.keys.into_iter().enumerate().take(KEYS_MAX) {
            match serde_json::from_value(value).map_err(|error| error.to_string()).and_then(ProviderKey::of) {
                Ok(key) => all.keys.push(key),
                Err(why) => all.passed_over.push(format!("key {place}: {why}")),
            }
        }
        if all.keys.is_empty() { Err(KeysError::NoKey(all.passed_over)) } else { Ok(all) }
    }

    /// The keys that cannot be used, each with the reason.
    pub fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Never true for keys that were read.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether one of the keys signed the token, with the algorithm of the key: what the token says must agree.
    pub(super) fn verify(&self, token: &Unverified<'_>) -> Result<(), NoMatch> {
        let named: Vec<&ProviderKey> = match &token.kid {
            Some(kid) => self.keys.iter().filter(|key| key.kid.as_ref() == Some(kid)).collect(),
            None if self.keys.len() == 1 => self.keys.iter().collect(),
            None => return Err(NoMatch::Ambiguous),
        };
        if named.is_empty() {
            return Err(NoMatch::Kid);
        }
        let mut fitting = named.into_iter().filter(|key| key.algorithm == token.algorithm).peekable();
        if fitting.peek().is_none() {
            return Err(NoMatch::Algorithm);
        }
        if fitting.any(|key| key.has_signed(token)) { Ok(()) } else { Err(NoMatch::Signature) }
    }
}

impl ProviderKey {
    fn of(jwk: Jwk) -> Result<Self, String> {
        if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Err("it is not for signatures (`use`)".to_owned());
        }
        if jwk.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|one| one == "verify")) {
            return Err("it is not for verifying (`key_ops`)".to_owned());
        }
        if jwk.d.is_some() {
            return Err("it is a private key; its provider must replace it".to_owned());
        }
        let (algorithm, key) = match jwk.kty.as_str() {
            "RSA" => rsa(&jwk)?,
            "EC" => elliptic(&jwk)?,
            "OKP" => edwards(&jwk)?,
            other => return Err(format!("keys of the kind `{other}` are not supported")),
        };
        Ok(Self { kid: jwk.kid, algorithm, key })
    }

    fn has_signed(&self, token: &Unverified<'_>) -> bool {
        self.key.verify_sig(token.signed.as_bytes(), &token.signature).is_ok()
    }
}

type Parsed = (&'static str, ParsedPublicKey);

/// An RSA key that names no algorithm is for RS256, the one that OpenID Connect requires.
fn rsa(jwk: &Jwk) -> Result<Parsed, String> {
    let wanted = jwk.alg.as_deref().unwrap_or("RS256");
    let algorithm = RSA_ALGORITHMS.iter().find(|(known, _)| *known == wanted);
    let (name, parameters) = algorithm.ok_or_else(|| format!("`{wanted}` is not an algorithm for RSA keys"))?;
    let (modulus, exponent) = (part(jwk.n.as_deref(), "n")?, part(jwk.e.as_deref(), "e")?);
    if modulus.len() < 256 {
        return Err("its modulus has fewer than 2048 bits".to_owned());
    }
    let key = RsaPublicKeyComponents { n: modulus, e: exponent }.to_parsed_public_key(parameters);
    Ok((name, key.map_err(|_| "its modulus and exponent are not an RSA key")?))
}

fn elliptic(jwk: &Jwk) -> Result<Parsed, String> {
    let curve = jwk.crv.as_deref().unwrap_or_default();
    let known = EC_ALGORITHMS.iter().find(|(known, ..)| *known == curve);
    let (_, bytes, name, algorithm) = known.ok_or_else(|| format!("the curve `{curve}` is not supported"))?;
    agrees(jwk, &[name])?;
    let (x, y) = (part(jwk.x.as_deref(), "x")?, part(jwk.y.as_deref(), "y")?);
    if x.len() != *bytes || y.len() != *bytes {
        return Err("its coordinates have the wrong length".to_owned());
    }
    // The uncompressed form of a point (SEC 1, 2.3.3).
    let key = ParsedPublicKey::new(*algorithm, [&[4], x.as_slice(), &y].concat());
    Ok((name, key.map_err(|_| "its coordinates are not a point of the curve")?))
}

fn edwards(jwk: &Jwk) -> Result<Parsed, String> {
    if jwk.crv.as_deref() != Some("Ed25519") {
        return Err("the only curve for keys of the kind `OKP` is Ed25519".to_owned());
    }
    agrees(jwk, &["EdDSA", "Ed25519"])?;
    let key = ParsedPublicKey::new(&signature::ED25519, part(jwk.x.as_deref(), "x")?);
    Ok(("EdDSA", key.map_err(|_| "`x` is not a key of this curve")?))
}

fn agrees(jwk: &Jwk, names: &[&str]) -> Result<(), String> {
    match jwk.alg.as_deref() {
        Some(other) if !names.contains(&other) => Err(format!("`{other}` is not the algorithm of its curve")),
        _ => Ok(()),
    }
}

fn part(text: Option<&str>, name: &str) -> Result<Vec<u8>, String> {
    let text = text.ok_or_else(|| format!("`{name}` is missing"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("`{name}` is not base64url"))
}
