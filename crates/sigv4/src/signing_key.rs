use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use ids::SecretAccessKey;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Claim, Scope};

/// The key derived from a secret for one day, region and service.
#[derive(Clone)]
pub struct SigningKey(Arc<hmac::Key>);

impl SigningKey {
    /// Derives the key with four HMACs: `AWS4` + secret, day, region, service, `aws4_request`.
    pub fn derive(secret: &SecretAccessKey, scope: &Scope) -> Self {
        let mut first = Zeroizing::new(Vec::with_capacity(4 + secret.expose().len()));
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret.expose().as_bytes());
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, &first);
        for part in [scope.date.as_str(), &scope.region, &scope.service, "aws4_request"] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
        }
        Self(Arc::new(key))
    }

    /// The signature of a text.
    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 32] {
        let mut signature = [0; 32];
        for (slot, byte) in signature.iter_mut().zip(hmac::sign(&self.0, text).as_ref()) {
            *slot = *byte;
        }
        signature
    }

    /// Compares in constant time.
    pub(crate) fn verify(&self, text: &[u8], signature: &[u8; 32]) -> bool {
        hmac::verify(&self.0, text, signature).is_ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Caches the signing keys of recent requests, so that a request costs one HMAC instead of five.
///
/// An entry contains the secret from which it was derived and is used only for that secret: a request signed with a
/// replaced secret never passes because of the cache.
pub struct SigningKeyCache(Cache<CacheKey, Arc<CacheEntry>>);

#[derive(PartialEq, Eq, Hash)]
struct CacheKey {
    access_key_id: String,
    date: String,
    region: String,
    service: String,
}

#[derive(Hash)]
struct CacheQuery<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

impl Equivalent<CacheKey> for CacheQuery<'_> {
    fn equivalent(&self, key: &CacheKey) -> bool {
        self.access_key_id == key.access_key_id
            && self.date == key.date
            && self.region == key.region
            && self.service == key.service
    }
}

struct CacheEntry {
    secret: Zeroizing<Vec<u8>>,
    key: SigningKey,
}

impl SigningKeyCache {
    /// A cache for about this many keys. Each takes about 500 bytes.
    pub fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    /// The signing key for the secret, and whether it had to be derived.
    pub(crate) fn get(&self, claim: &Claim, secret: &SecretAccessKey) -> (SigningKey, bool) {
        let query = CacheQuery {
            access_key_id: claim.access_key_id.as_str(),
            date: &claim.scope.date,
            region: &claim.scope.region,
            service: &claim.scope.service,
        };
        match self.0.get(&query) {
            Some(entry) if bool::from(entry.secret.as_slice().ct_eq(secret.expose().as_bytes())) => {
                (entry.key.clone(), false)
            }
            _ => (SigningKey::derive(secret, &claim.scope), true),
        }
    }

    /// Stores the key of a verified request. Other requests must not evict keys.
    pub(crate) fn keep(&self, claim: &Claim, secret: &SecretAccessKey, key: &SigningKey) {
        let entry = CacheEntry { secret: Zeroizing::new(secret.expose().as_bytes().to_vec()), key: key.clone() };
        let owned = CacheKey {
            access_key_id: claim.access_key_id.as_str().to_owned(),
            date: claim.scope.date.clone(),
            region: claim.scope.region.clone(),
            service: claim.scope.service.clone(),
        };
        self.0.insert(owned, Arc::new(entry));
    }
}

impl fmt::Debug for SigningKeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeyCache({} keys)", self.0.len())
    }
}
