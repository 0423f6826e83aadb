//! A number that is the same on all gateways that were started with the same configuration.
//!
//! It is in `/status`, which anyone may read, so it reveals nothing: it is an HMAC under a key derived from the signing
//! key of sessions. Gateways with different signing keys therefore always have different fingerprints.

use std::fmt::Write;
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::hmac;
use iam::{Credential, Identities};
use iam_formats::IamConfig;
use sts::{SessionKeys, SigningKey};

/// The fingerprints of one gateway.
pub struct Fingerprint {
    /// The fingerprint of the signing key; `None` without one.
    pub signing_key: Option<String>,
    /// Those of the further keys whose sessions are accepted.
    pub accepted_keys: Vec<String>,
    key: hmac::Key,
    flags: String,
    configuration: RwLock<String>,
}

impl Fingerprint {
    /// `flags` are the settings of the command line, as any text that is the same for the same settings.
    pub fn new(keys: Option<&SessionKeys>, flags: &str, iam: &IamConfig, identities: &Identities) -> Self {
        let stretched = |label| keys.map(|keys| keys.current.stretched(label));
        let of_key = |key: &SigningKey| short(&key.stretched("kelpgate fingerprint of the signing key"));
        let signing_key = keys.map(|keys| of_key(&keys.current));
        let accepted_keys = keys.iter().flat_map(|keys| &keys.older).map(of_key).collect();
        let bytes = stretched("kelpgate fingerprint of the configuration").unwrap_or_default();
        let made = Self {
            signing_key,
            accepted_keys,
            key: hmac::Key::new(hmac::HMAC_SHA256, &bytes),
            flags: flags.to_owned(),
            configuration: RwLock::default(),
        };
        made.take(iam, identities);
        made
    }

    /// Replaces what the files say.
    pub fn take(&self, iam: &IamConfig, identities: &Identities) {
        // Gateways of one version write the same value in the same way. Gateways of different versions are not compared.
        let mut text = format!("{}\n{iam:?}\n{identities:?}\n", self.flags);
        let credentials = identities.users.iter().flat_map(|user| &user.credentials);
        let of_services = identities.service_accounts.iter().filter_map(|account| account.credential.as_ref());
        for Credential { access_key, secret_key, .. } in credentials.chain(of_services) {
            // Without a signing key there is no secret that could protect the others.
            let secret = if self.signing_key.is_some() { secret_key.expose() } else { "" };
            let _ = writeln!(text, "{access_key} {secret}");
        }
        let tag = short(hmac::sign(&self.key, text.as_bytes()).as_ref());
        *self.configuration.write().unwrap_or_else(PoisonError::into_inner) = tag;
    }

    /// The fingerprint of another text that must stay secret; `None` without a signing key, because nothing would
    /// protect it.
    pub fn of(&self, text: &str) -> Option<String> {
        self.signing_key.as_ref().map(|_| short(hmac::sign(&self.key, text.as_bytes()).as_ref()))
    }

    /// The fingerprint of the configuration.
    pub fn configuration(&self) -> String {
        self.configuration.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn short(bytes: &[u8]) -> String {
    hex::encode(bytes.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_shows() {
        let key = |text: &[u8]| SessionKeys {
            current: SigningKey::from_bytes(text).unwrap(),
            older: vec![SigningKey::from_bytes(b"an older key of it").unwrap()],
            issuer: String::new(),
            account_id: ids::AccountId::DEFAULT,
        };
        let identities = |secret: &str| {
            let text = format!(
                r#"{{"identities":[{{"name":"al","credentials":[{{"accessKey":"AKA","secretKey":"{secret}"}}]}}]}}"#
            );
            iam_formats::identities::parse(&text, &|_| None).unwrap()
        };
        let (one, other) = (key(b"0123456789abcdef"), key(b"0123456789abcdeF"));
        let iam = IamConfig::default();
        let of = |key: Option<&SessionKeys>, flags: &str, secret: &str| {
            let made = Fingerprint::new(key, flags, &iam, &identities(secret));
            (made.signing_key.clone(), made.configuration())
        };
        let base = of(Some(&one), "-region=x", "s1");
        assert_eq!(of(Some(&one), "-region=x", "s1"), base);
        for (other, what) in [
            (of(Some(&other), "-region=x", "s1"), "the signing key"),
            (of(None, "-region=x", "s1"), "no signing key"),
            (of(Some(&one), "-region=y", "s1"), "a flag"),
            (of(Some(&one), "-region=x", "s2"), "a secret"),
        ] {
            assert_ne!(other.1, base.1, "{what}");
        }
        assert_eq!(of(None, "", "s1").1, of(None, "", "s2").1, "a secret that nothing protects is left out");
        let made = Fingerprint::new(Some(&one), "-region=x", &iam, &identities("s1"));
        // A key has the same fingerprint whether it signs or is only accepted.
        let older = key(b"an older key of it");
        assert_eq!(
            Some(&made.accepted_keys[0]),
            Fingerprint::new(Some(&older), "", &iam, &identities("s1")).signing_key.as_ref()
        );
        made.take(&iam, &identities("s2"));
        assert_eq!(made.configuration(), of(Some(&one), "-region=x", "s2").1);
    }
}
