//! The metrics of the feed.

use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use iam::{Change, Snapshot};
use policy::{Policy, PolicyKind};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Counters and gauges of the change feed.
#[derive(Debug, Default)]
pub struct FeedMetrics {
    /// Events received.
    pub events: Counter,
    /// Listings of everything.
    pub reloads: Counter,
    /// Streams that ended.
    pub reconnects: Counter,
    /// Open streams: one for each filer.
    pub connected: Gauge,
    /// Seconds between the last event's time on the filer's clock and the time it was applied on this gateway's.
    pub lag_seconds: Gauge<f64, AtomicU64>,
    /// When a filer last sent something, in seconds since 1970 on the filer's clock.
    pub heard_seconds: Gauge<f64, AtomicU64>,
    /// Documents that currently cannot be read, and facts that contradict each other.
    pub problems: Gauge,
    /// Policies that were read but cannot be parsed, and therefore deny.
    pub unparsable_policies: Counter,
    /// Nonexistent condition keys in policies that were read.
    pub unknown_condition_keys: Counter,
    /// How long changes waited for other gateways.
    pub enforcement: EnforcementMetrics,
}

/// Waiting for other gateways.
#[derive(Debug)]
pub struct EnforcementMetrics {
    /// Seconds that a change waited.
    pub seconds: Histogram,
    /// Changes that were answered as not enforced everywhere.
    pub incomplete: Counter,
}

impl Default for EnforcementMetrics {
    fn default() -> Self {
        let seconds = Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]);
        Self { seconds, incomplete: Counter::default() }
    }
}

impl FeedMetrics {
    /// Registers them as `feed_*` and `iam_*`, in a registry that adds its own prefix.
    pub fn register(&self, registry: &mut Registry) {
        let feed = registry.sub_registry_with_prefix("feed");
        feed.register("events", "Events of the change feed", self.events.clone());
        feed.register("reloads", "Listings of all IAM state", self.reloads.clone());
        feed.register("reconnects", "Streams of the change feed that ended", self.reconnects.clone());
        feed.register("connected", "Open streams of the change feed", self.connected.clone());
        feed.register("lag_seconds", "Delay of the last event, in seconds", self.lag_seconds.clone());
        feed.register("heard_seconds", "Time of the last sign of life of a filer", self.heard_seconds.clone());
        let fence = registry.sub_registry_with_prefix("fence");
        let help = "How long changes waited for other gateways, in seconds";
        fence.register("wait_seconds", help, self.enforcement.seconds.clone());
        let help = "Changes answered although a gateway may not enforce them yet";
        fence.register("incomplete_changes", help, self.enforcement.incomplete.clone());
        let iam = registry.sub_registry_with_prefix("iam");
        iam.register("problems", "IAM documents that cannot be read or contradict each other", self.problems.clone());
        iam.register("unparsable_policies", "Policies read that cannot be parsed", self.unparsable_policies.clone());
        let help = "Condition keys that do not exist, in policies read";
        iam.register("unknown_condition_keys", help, self.unknown_condition_keys.clone());
    }

    /// Records that this document was read.
    pub(super) fn read(&self, change: &Change) {
        match change {
            Change::Policy(_, _, Some(Ok(policy))) => self.read_policy(PolicyKind::Identity, &policy.text),
            Change::Inline(_, _, Some(Ok(policy))) => self.read_policy(PolicyKind::Identity, &policy.text),
            Change::Role(_, _, Some(Ok(role))) => self.read_policy(PolicyKind::Trust, &role.trust_policy),
            Change::WeedPolicies(Some(Ok(policies))) => {
                let inline = policies.inline.values().flat_map(|policies| policies.values());
                inline.chain(policies.managed.values()).for_each(|text| self.read_policy(PolicyKind::Identity, text));
            }
            Change::Bucket(_, Some(bucket)) => {
                bucket.policy.iter().for_each(|policy| self.read_policy(PolicyKind::Bucket, &policy.text));
            }
            _ => {}
        }
    }

    fn read_policy(&self, kind: PolicyKind, text: &str) {
        match Policy::parse_stored(kind, text) {
            Ok(policy) => {
                let unknown = policy.unknown_keys().len();
                self.unknown_condition_keys.inc_by(u64::try_from(unknown).unwrap_or(u64::MAX));
            }
            Err(_) => {
                self.unparsable_policies.inc();
            }
        }
    }

    /// Records the current state.
    pub(super) fn published(&self, snapshot: &Snapshot) {
        self.problems.set(i64::try_from(snapshot.counts().problems).unwrap_or(i64::MAX));
    }

    /// Records that an event of this time was applied now.
    pub(super) fn applied(&self, ts_ns: i64) {
        let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos());
        let lag_ns = i128::try_from(now_ns).unwrap_or(i128::MAX) - i128::from(ts_ns);
        self.lag_seconds.set(seconds(i64::try_from(lag_ns.max(0)).unwrap_or(i64::MAX)));
        self.heard(ts_ns);
    }

    /// Records that the filer was alive at this time.
    pub(super) fn heard(&self, ts_ns: i64) {
        self.heard_seconds.set(seconds(ts_ns));
    }
}

fn seconds(ns: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a gauge for operators: microseconds suffice")]
    let seconds = ns as f64 / 1e9;
    seconds
}

#[cfg(test)]
mod tests {
    use iam::{Holder, InlinePolicyRecord, PolicyPlace, PolicyRecord};

    use super::*;

    #[test]
    fn faults_in_policies_are_counted() {
        let metrics = FeedMetrics::default();
        let text = |text: &str| Some(Ok(PolicyRecord::of_text(text)));
        let wrong_key = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"s3:prefx":"a","aws:prefix":"b"}}}]}"#;
        for change in [
            Change::Policy("P".into(), PolicyPlace::Api, text(wrong_key)),
            Change::Policy("Q".into(), PolicyPlace::Api, text("{bad")),
            Change::Inline(Holder::User("al".into()), "I".into(), Some(Ok(InlinePolicyRecord::of_text("{}")))),
            Change::Policy("P".into(), PolicyPlace::Api, None),
        ] {
            metrics.read(&change);
        }
        assert_eq!(metrics.unknown_condition_keys.get(), 2);
        assert_eq!(metrics.unparsable_policies.get(), 2);
    }
}
