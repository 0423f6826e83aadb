//! The limits of the configuration, as the gateway takes them.

use std::sync::Arc;

use gateway::{ConnectionLimits, Limit, Rate, RateLimits, Rates};
use iam_formats::{ConnectionSettings, LimitSetting, LimitSettings, RateSetting};

pub(crate) fn rate_limits(limits: &LimitSettings) -> Arc<RateLimits> {
    let rate =
        |setting: Option<RateSetting>| setting.map(|RateSetting { per_second, burst }| Rate { per_second, burst });
    let limit = |setting: LimitSetting| Limit { requests: rate(setting.requests), bytes: rate(setting.bytes) };
    let LimitSettings { key, user, bucket, address, .. } = *limits;
    let rates = Rates { key: limit(key), user: limit(user), bucket: limit(bucket), address: limit(address) };
    Arc::new(RateLimits::new(&rates))
}

pub(crate) fn connection_limits(limits: &LimitSettings) -> ConnectionLimits {
    let ConnectionSettings { per_address, in_all } = limits.connections;
    ConnectionLimits { per_address, in_all }
}
