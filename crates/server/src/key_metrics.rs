//! How old access keys are: a reminder to rotate them. Counted when `/metrics` is asked for.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use control::feed::Follower;
use iam::Credential;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

const DAY_S: i64 = 24 * 3600;
/// The label of each age, and the days below which keys belong to it.
const AGES: [(&str, i64); 4] = [("under_30d", 30), ("under_90d", 90), ("under_365d", 365), ("older", i64::MAX / DAY_S)];

/// The access keys of the users that this gateway knows.
pub(crate) struct AccessKeys(pub(crate) Arc<Follower>);

impl std::fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessKeys")
    }
}

impl Collector for AccessKeys {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(snapshot) = self.0.shared().load_full() else { return Ok(()) };
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().cast_signed());
        let users = snapshot.users().filter(|user| !user.disabled);
        let mut counts = Counts::default();
        users.flat_map(|user| &user.record.credentials).for_each(|key| counts.add(key, now_s));
        let help = "Active access keys of users by age; those of unknown age have age=\"unknown\"";
        let mut family = encoder.encode_descriptor("kelpgate_access_keys", help, None, MetricType::Gauge)?;
        for ((age, _), count) in AGES.iter().chain(&[("unknown", 0)]).zip(counts.by_age) {
            let labels = [("age", *age)];
            ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
        }
        let help = "Active access keys of users that expire within a week";
        let gauge = encoder.encode_descriptor("kelpgate_access_keys_expiring", help, None, MetricType::Gauge)?;
        ConstGauge::new(counts.expiring).encode(gauge)
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    /// By [`AGES`]; the last are those of unknown age.
    by_age: [i64; 5],
    expiring: i64,
}

impl Counts {
    fn add(&mut self, key: &Credential, now_s: i64) {
        if !key.is_active() || key.is_expired(now_s) {
            return;
        }
        let age_days = now_s.saturating_sub(key.created_s) / DAY_S;
        let known = AGES.iter().position(|(_, below)| age_days < *below).filter(|_| key.created_s != 0);
        if let Some(count) = self.by_age.get_mut(known.unwrap_or(AGES.len())) {
            *count += 1;
        }
        self.expiring += i64::from(key.expires_s != 0 && key.expires_s - now_s <= 7 * DAY_S);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted_by_age() {
        let now_s = 1_700_000_000;
        let mut counts = Counts::default();
        for (created_days, expires_days, status) in [
            (Some(0), None, "Active"),
            (Some(29), Some(8), ""),
            (Some(30), Some(7), ""),
            (Some(90), None, ""),
            (Some(364), None, ""),
            (Some(365), None, ""),
            (None, None, ""),
            (Some(1), None, "Inactive"),
            (Some(1), Some(-1), "Active"),
        ] {
            let created_s = created_days.map_or(0, |days: i64| now_s - days * DAY_S);
            let expires_s = expires_days.map_or(0, |days: i64| now_s + days * DAY_S);
            let key = Credential { status: status.into(), created_s, expires_s, ..Credential::new("AKA", "s") };
            counts.add(&key, now_s);
        }
        assert_eq!(counts, Counts { by_age: [2, 1, 2, 1, 1], expiring: 1 });
    }
}
