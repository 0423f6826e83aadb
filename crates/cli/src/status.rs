//! `GET /status` and `GET /readyz`.

use std::sync::Arc;
use std::time::Instant;

use control::feed::Follower;
use gateway::StatusPages;
use serde_json::json;

use crate::fingerprint::Fingerprint;

/// What the pages tell.
pub struct Status {
    pub started: Instant,
    pub follower: Arc<Follower>,
    /// `host:port`, or the directory of the embedded filer.
    pub filers: Vec<String>,
    /// Version text of the filer.
    pub filer_version: String,
    /// `memory` or `filer`.
    pub policy_store: &'static str,
    /// `memory` or `filer`.
    pub role_store: &'static str,
    /// What gateways of one cluster have in common.
    pub fingerprint: Arc<Fingerprint>,
}

impl StatusPages for Status {
    fn status(&self) -> String {
        let snapshot = self.follower.current();
        let counts = snapshot.as_ref().map(|snapshot| snapshot.counts()).unwrap_or_default();
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptimeSeconds": self.started.elapsed().as_secs(),
            "ready": snapshot.is_some(),
            "filers": self.filers,
            "filerVersion": self.filer_version,
            "iam": {
                "revision": format!("{:016x}", self.follower.digest()),
                "users": counts.users,
                "keys": counts.keys,
                "groups": counts.groups,
                "roles": counts.roles,
                "policies": counts.policies,
                "serviceAccounts": counts.service_accounts,
                "oidcProviders": counts.oidc_providers,
                "instanceProfiles": counts.instance_profiles,
                "buckets": counts.buckets,
                "problems": counts.problems,
            },
            "configuration": {
                "fingerprint": self.fingerprint.configuration(),
                "signingKeyFingerprint": self.fingerprint.signing_key,
            },
            "stores": { "policy": self.policy_store, "role": self.role_store },
        });
        format!("{status:#}\n")
    }

    fn is_ready(&self) -> bool {
        self.follower.current().is_some()
    }
}
