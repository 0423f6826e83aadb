//! `GET /status` and `GET /readyz`.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

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
    /// Gateways of SeaweedFS that the master knows: they take no part in the fence.
    pub weed_gateways: Arc<RwLock<Vec<String>>>,
    /// `memory` or `filer`.
    pub role_store: &'static str,
    /// What gateways of one cluster have in common.
    pub fingerprint: Arc<Fingerprint>,
}

impl StatusPages for Status {
    fn status(&self, addresses: bool) -> String {
        // Strangers learn how many there are.
        let list = |names: &[String]| if addresses { json!(names) } else { json!(names.len()) };
        let snapshot = self.follower.current();
        let counts = snapshot.as_ref().map(|snapshot| snapshot.counts()).unwrap_or_default();
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptimeSeconds": self.started.elapsed().as_secs(),
            "ready": snapshot.is_some(),
            "filers": list(&self.filers),
            "filerVersion": self.filer_version,
            "iam": {
                "revision": *self.follower.revision(),
                "digest": format!("{:016x}", self.follower.digest()),
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
                "filersFingerprint": self.fingerprint.of(&self.filers.join(",")),
            },
            "stores": { "policy": self.policy_store, "role": self.role_store },
            "gateways": self.gateways(addresses),
            "weedGateways": list(&self.weed_gateways.read().unwrap_or_else(PoisonError::into_inner)),
        });
        format!("{status:#}\n")
    }

    fn is_ready(&self) -> bool {
        self.follower.current().is_some() && self.follower.lease().runs()
    }
}

impl Status {
    /// Every gateway that this one knows, itself first; none if it is alone with its filer.
    fn gateways(&self, addresses: bool) -> Vec<serde_json::Value> {
        let known = self.follower.fencing().map(|fencing| fencing.gateways()).unwrap_or_default();
        let millis = |span: fence::Span| Duration::from(span).as_millis();
        let one = |view: &fence::GatewayView| {
            let mut shown = json!({
                "id": view.boot_id,
                "leaseSeconds": Duration::from(view.lease).as_secs_f64(),
                "revision": view.revision,
                "lagMs": view.seen_ago.map_or(0, millis),
                "current": view.current,
                "misses": view.misses.len(),
                "about": view.about,
            });
            if addresses && let Some(fields) = shown.as_object_mut() {
                fields.insert("address".to_owned(), json!(view.gateway));
                fields.insert("misses".to_owned(), json!(view.misses));
            }
            shown
        };
        known.iter().map(one).collect()
    }
}
