//! What the feed counts.

use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
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
    /// Streams that are open: one for each filer.
    pub connected: Gauge,
    /// Seconds between the last event's time on the filer's clock and the time it was applied on this gateway's.
    pub lag_seconds: Gauge<f64, AtomicU64>,
    /// When something was last heard of a filer, seconds since 1970 on the filer's clock.
    pub heard_seconds: Gauge<f64, AtomicU64>,
}

impl FeedMetrics {
    /// Registers them as `feed_*`, in a registry that puts its own prefix before them.
    pub fn register(&self, registry: &mut Registry) {
        let feed = registry.sub_registry_with_prefix("feed");
        feed.register("events", "Events of the change feed", self.events.clone());
        feed.register("reloads", "Listings of all IAM state", self.reloads.clone());
        feed.register("reconnects", "Streams of the change feed that ended", self.reconnects.clone());
        feed.register("connected", "Open streams of the change feed", self.connected.clone());
        feed.register("lag_seconds", "Delay of the last event, in seconds", self.lag_seconds.clone());
        feed.register("heard_seconds", "Time of the last sign of life of a filer", self.heard_seconds.clone());
    }

    /// An event of this time was applied now.
    pub(super) fn applied(&self, ts_ns: i64) {
        let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos());
        let lag_ns = i128::try_from(now_ns).unwrap_or(i128::MAX) - i128::from(ts_ns);
        self.lag_seconds.set(seconds(i64::try_from(lag_ns.max(0)).unwrap_or(i64::MAX)));
        self.heard(ts_ns);
    }

    /// The filer was alive at this time.
    pub(super) fn heard(&self, ts_ns: i64) {
        self.heard_seconds.set(seconds(ts_ns));
    }
}

fn seconds(ns: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a gauge for people: microseconds suffice")]
    let seconds = ns as f64 / 1e9;
    seconds
}
