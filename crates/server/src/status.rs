//! `GET /status` and `GET /readyz`.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use access::SignatureV2;
use control::feed::Follower;
use filer::embedded::{DiskSpace, Health};
use gateway::{StatusDetail, StatusPages};
use serde_json::json;

use crate::fingerprint::Fingerprint;

/// Says how the embedded filer is doing.
pub type Storage = Box<dyn Fn() -> Health + Send + Sync>;

/// What the pages show.
pub struct Status {
    pub started: Instant,
    pub follower: Arc<Follower>,
    /// `host:port`, or the directory of the embedded filer.
    pub filers: Vec<String>,
    /// The version of the filer, as text.
    pub filer_version: String,
    /// `memory` or `filer`.
    pub policy_store: &'static str,
    /// SeaweedFS's gateways that the master knows: they do not take part in the fence.
    pub weed_gateways: Arc<RwLock<Vec<String>>>,
    /// `None` for a filer of SeaweedFS.
    pub storage: Option<Storage>,
    /// `memory` or `filer`.
    pub role_store: &'static str,
    /// What the gateways of one cluster have in common.
    pub fingerprint: Arc<Fingerprint>,
    /// For which requests signature V2 is accepted.
    pub signature_v2: SignatureV2,
}

impl StatusPages for Status {
    fn status(&self, detail: StatusDetail) -> String {
        let list = |names: &[String]| match detail {
            StatusDetail::Public => json!(names.len()),
            StatusDetail::WithAddresses => json!(names),
        };
        let snapshot = self.follower.current();
        let counts = snapshot.as_ref().map(|snapshot| snapshot.counts()).unwrap_or_default();
        let storage = self.storage.as_ref().map(|storage| storage());
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptimeSeconds": self.started.elapsed().as_secs(),
            "ready": self.readiness().is_ok(),
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
                "acceptedKeyFingerprints": list(&self.fingerprint.accepted_keys),
                "filersFingerprint": self.fingerprint.of(&self.filers.join(",")),
                "signatureV2": self.signature_v2.to_string(),
            },
            "storage": storage.as_ref().map(shown),
            "stores": { "policy": self.policy_store, "role": self.role_store },
            "gateways": self.gateways(detail),
            "weedGateways": list(&self.weed_gateways.read().unwrap_or_else(PoisonError::into_inner)),
        });
        format!("{status:#}\n")
    }

    fn readiness(&self) -> Result<&'static str, String> {
        let decides = self.follower.current().is_some() && self.follower.lease().runs();
        let storage = self.storage.as_ref().map(|storage| storage());
        ready(decides, self.follower.clock_off_by_s(), storage.as_ref())
    }
}

/// What a gateway can serve, or why nothing.
fn ready(decides: bool, clock_off_by_s: Option<i64>, storage: Option<&Health>) -> Result<&'static str, String> {
    if !decides {
        return Err("the access rules have not been loaded yet".to_owned());
    }
    if let Some(ahead_s) = clock_off_by_s {
        let direction = if ahead_s > 0 { "ahead of" } else { "behind" };
        let by_s = ahead_s.unsigned_abs();
        return Err(format!("the clock of this machine is {by_s} s {direction} the filer's: set both by NTP"));
    }
    match storage {
        Some(Health { closed: Some(why), .. }) => Err(format!("the metadata database is closed: {why}")),
        Some(Health { room: DiskSpace::Low, .. }) => Ok("ready for reads and deletions only: the disk is full"),
        Some(Health { room: DiskSpace::ReadOnly, .. }) => Ok("ready for reads only: the disk is read-only"),
        _ => Ok("ready"),
    }
}

/// What the disk has room for, as `/status` says it.
fn room(room: DiskSpace) -> &'static str {
    match room {
        DiskSpace::Enough => "enough",
        DiskSpace::Low => "low",
        DiskSpace::ReadOnly => "read-only",
    }
}

fn shown(health: &Health) -> serde_json::Value {
    json!({
        "closed": health.closed,
        "room": room(health.room),
        "freeBytes": health.free_bytes,
        "corruptDataReads": health.corrupt_data_reads,
        "corruptDatabaseReads": health.corrupt_database_reads,
        "scrub": {
            "bytes": health.scrub.bytes,
            "findings": health.scrub.findings,
            "passes": health.scrub.passes,
        },
    })
}

impl Status {
    /// Every gateway that this one knows, starting with itself; empty if it is the only one on its filer.
    fn gateways(&self, detail: StatusDetail) -> Vec<serde_json::Value> {
        let known = self.follower.fence().map(|fence| fence.gateways()).unwrap_or_default();
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
            if detail == StatusDetail::WithAddresses
                && let Some(fields) = shown.as_object_mut()
            {
                fields.insert("address".to_owned(), json!(view.gateway));
                fields.insert("misses".to_owned(), json!(view.misses));
            }
            shown
        };
        known.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::ready;

    #[test]
    fn a_gateway_with_a_wrong_clock_is_not_ready() {
        assert_eq!(ready(true, None, None), Ok("ready"));
        for (decides, off_by_s, why) in [
            (false, None, "not been loaded"),
            (true, Some(90), "90 s ahead of the filer's"),
            (true, Some(-3600), "3600 s behind the filer's"),
        ] {
            let refused = ready(decides, off_by_s, None).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
