//! Limits of requests per second, by token buckets: for each access key, user, bucket and client address. Each gateway counts for itself.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use s3::{S3Error, S3ErrorCode};

/// How many names of one kind are counted at a time. Beyond that, those that have not asked for the longest time are forgotten, which
/// can only give them more.
const NAMES_MAX: usize = 65_536;
/// Locks, so that requests of different names seldom wait for each other.
const SHARDS: usize = 16;

/// A limit: so many requests per second on average, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Requests per second.
    pub per_second: f64,
    /// Requests at once after a rest.
    pub burst: f64,
}

/// Limits of requests; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// Of each access key.
    pub key: Option<Rate>,
    /// Of each user or role: all of its keys and sessions together.
    pub user: Option<Rate>,
    /// Of each bucket.
    pub bucket: Option<Rate>,
    /// Of each client address; the clients of a network /64 of IPv6 count as one.
    pub address: Option<Rate>,
}

/// Counts requests against the limits.
#[derive(Debug, Default)]
pub struct RateLimits {
    key: Option<Kind>,
    user: Option<Kind>,
    bucket: Option<Kind>,
    address: Option<Kind>,
}

/// A request is beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limited {
    /// `key`, `user`, `bucket` or `address`.
    pub(crate) limit: &'static str,
    /// When there is room again.
    wait_s: f64,
}

impl From<Limited> for S3Error {
    fn from(Limited { limit, wait_s }: Limited) -> Self {
        let message =
            format!("Too many requests of this {limit}. Reduce the rate, or try again after the time in Retry-After.");
        let after = wait_s.ceil().clamp(1.0, 60.0);
        Self::with_message(S3ErrorCode::SlowDown, message).header("retry-after", format!("{after:.0}"))
    }
}

/// The token buckets of one kind.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    rate: Rate,
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, Tokens>>; SHARDS],
}

#[derive(Debug, Clone, Copy)]
struct Tokens {
    left: f64,
    counted: Instant,
}

impl RateLimits {
    /// Limits, or none, which cost nothing.
    pub fn new(rates: &Rates) -> Self {
        let kind = |name, rate: Option<Rate>| {
            rate.map(|rate| Kind {
                name,
                rate,
                hasher: RandomState::new(),
                shards: std::array::from_fn(|_| Mutex::default()),
            })
        };
        Self {
            key: kind("key", rates.key),
            user: kind("user", rates.user),
            bucket: kind("bucket", rates.bucket),
            address: kind("address", rates.address),
        }
    }

    /// Counts a request of a client, before anything about it is verified.
    pub(crate) fn enter_address(&self, address: IpAddr) -> Result<(), Limited> {
        let network = match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            v4 => v4,
        };
        take(self.address.as_ref(), || network.to_string())
    }

    /// Counts a request of a caller whose signature is right.
    pub(crate) fn enter_caller(&self, key: Option<&str>, user: &str) -> Result<(), Limited> {
        if let Some(key) = key {
            take(self.key.as_ref(), || key.to_owned())?;
        }
        if user.is_empty() { Ok(()) } else { take(self.user.as_ref(), || user.to_owned()) }
    }

    /// Counts a request for a bucket that is allowed.
    pub(crate) fn enter_bucket(&self, bucket: &str) -> Result<(), Limited> {
        take(self.bucket.as_ref(), || bucket.to_owned())
    }
}

fn take(kind: Option<&Kind>, name: impl FnOnce() -> String) -> Result<(), Limited> {
    let Some(kind) = kind else { return Ok(()) };
    let taken = kind.take(kind.hasher.hash_one(name()), Instant::now());
    taken.map_err(|wait_s| Limited { limit: kind.name, wait_s })
}

impl Kind {
    /// Takes a token, or says after how many seconds there is one.
    fn take(&self, name: u64, now: Instant) -> Result<(), f64> {
        let Rate { per_second, burst } = self.rate;
        let Some(shard) = self.shards.get(usize::try_from(name).unwrap_or(0) % SHARDS) else { return Ok(()) };
        let mut names = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES_MAX / SHARDS && !names.contains_key(&name) {
            // Those that are full again are as good as new ones. If there are none, somebody makes names faster than they are used.
            let is_full =
                |tokens: &Tokens| tokens.left + now.duration_since(tokens.counted).as_secs_f64() * per_second >= burst;
            names.retain(|_, tokens| !is_full(tokens));
            if names.len() >= NAMES_MAX / SHARDS {
                let oldest = names.iter().min_by_key(|(_, tokens)| tokens.counted).map(|(name, _)| *name);
                oldest.and_then(|oldest| names.remove(&oldest));
            }
        }
        let tokens = names.entry(name).or_insert(Tokens { left: burst, counted: now });
        let earned = now.duration_since(tokens.counted).as_secs_f64() * per_second;
        *tokens = Tokens { left: (tokens.left + earned).min(burst), counted: now };
        if tokens.left < 1.0 {
            return Err((1.0 - tokens.left) / per_second);
        }
        tokens.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits(per_second: f64, burst: f64) -> RateLimits {
        RateLimits::new(&Rates { key: Some(Rate { per_second, burst }), ..Rates::default() })
    }

    #[test]
    fn tokens_run_out_and_come_back() {
        let limits = limits(2.0, 3.0);
        let (kind, now) = (limits.key.as_ref().unwrap(), Instant::now());
        let taken = |name, now| (0..10).filter(|_| kind.take(name, now).is_ok()).count();
        assert_eq!((taken(1, now), taken(2, now)), (3, 3), "each name has its own");
        assert_eq!(taken(1, now + Duration::from_secs(1)), 2);
        assert_eq!(taken(1, now + Duration::from_secs(100)), 3, "no more than the burst is saved");
        let wait_s = kind.take(1, now + Duration::from_secs(100)).unwrap_err();
        assert!((wait_s - 0.5).abs() < 1e-6, "{wait_s}");
    }

    #[test]
    fn refusals_say_when_to_come_back_and_no_limit_refuses_nothing() {
        let limits = limits(0.1, 1.0);
        limits.enter_caller(Some("AKA"), "arn").unwrap();
        let error = S3Error::from(limits.enter_caller(Some("AKA"), "arn").unwrap_err());
        let header = error.headers.first().map(|(name, value)| (*name, value.as_str()));
        assert_eq!((error.code, header), (S3ErrorCode::SlowDown, Some(("retry-after", "10"))));
        limits.enter_caller(Some("AKB"), "arn").unwrap();
        let none = RateLimits::default();
        for _ in 0..1000 {
            none.enter_caller(Some("AKA"), "arn").unwrap();
            none.enter_bucket("b").unwrap();
            none.enter_address([1, 2, 3, 4].into()).unwrap();
        }
    }

    #[test]
    fn names_do_not_fill_the_memory() {
        let limits = limits(0.001, 2.0);
        let kind = limits.key.as_ref().unwrap();
        let now = Instant::now();
        for name in 0..(NAMES_MAX as u64 + 5000) {
            kind.take(name, now).unwrap();
        }
        let names: usize = kind.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(names <= NAMES_MAX, "{names}");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let limits =
            RateLimits::new(&Rates { address: Some(Rate { per_second: 0.001, burst: 2.0 }), ..Rates::default() });
        let enter = |address: &str| limits.enter_address(address.parse().unwrap()).is_ok();
        assert!(enter("2001:db8::1") && enter("2001:db8::2") && !enter("2001:db8::3") && enter("2001:db8:0:1::1"));
        assert!(enter("10.0.0.1") && enter("::ffff:10.0.0.1") && !enter("10.0.0.1"));
    }
}
