//! Limits of requests and bytes per second, by token buckets: for each access key, user, bucket and client address. Each gateway counts
//! for itself.

mod byte_meter;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub(crate) use byte_meter::ByteMeter;
use s3::{S3Error, S3ErrorCode};

/// How many names of one kind are counted at a time. Beyond that, those that have not asked for the longest time are forgotten, which
/// can only give them more.
const NAMES_MAX: usize = 65_536;
/// Locks, so that requests of different names seldom wait for each other.
const SHARDS: usize = 16;

/// A token bucket: an average rate and a burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Requests or bytes per second.
    pub per_second: f64,
    /// Requests or bytes at once after a rest.
    pub burst: f64,
}

/// The limits of a kind of names; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limit {
    /// Of requests.
    pub requests: Option<Rate>,
    /// Of bytes of bodies, in both directions together.
    pub bytes: Option<Rate>,
}

/// Limits of names.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// Of each access key.
    pub key: Limit,
    /// Of each user or role: all of its keys and sessions together.
    pub user: Limit,
    /// Of each bucket.
    pub bucket: Limit,
    /// Of each client address; the clients of a network /64 of IPv6 count as one.
    pub address: Limit,
}

/// Counts requests and bytes against the limits.
#[derive(Debug, Default)]
pub struct RateLimits {
    key: Kind,
    user: Kind,
    bucket: Kind,
    address: Kind,
}

/// Finds a kind of names among the limits.
type KindOf = fn(&RateLimits) -> &Kind;

/// The limits that a request counts against.
#[derive(Debug)]
pub(crate) struct RequestCharges {
    limits: Arc<RateLimits>,
    meter: ByteMeter,
}

/// A request is beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limited {
    /// `key`, `user`, `bucket` or `address`, with `_bytes` behind it for a limit of bytes.
    pub(crate) limit: &'static str,
    /// What there are too many of.
    what: &'static str,
    /// When there is room again.
    wait_s: f64,
}

impl From<Limited> for S3Error {
    fn from(Limited { limit, what, wait_s }: Limited) -> Self {
        let name = limit.trim_end_matches("_bytes");
        let message =
            format!("Too many {what} of this {name}. Reduce the rate, or try again after the time in Retry-After.");
        let after = wait_s.ceil().clamp(1.0, 60.0);
        Self::with_message(S3ErrorCode::SlowDown, message).header("retry-after", format!("{after:.0}"))
    }
}

/// The network that counts as one client: an IPv4 address, or the /64 of an IPv6 address, because one client usually has all of it.
pub(crate) fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// The token buckets of one kind of names.
#[derive(Debug, Default)]
struct Kind {
    /// The labels of the two limits.
    labels: [&'static str; 2],
    hasher: RandomState,
    requests: Option<Buckets>,
    bytes: Option<Buckets>,
}

/// The token bucket of each name.
#[derive(Debug)]
struct Buckets {
    rate: Rate,
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
        let buckets = |rate: Rate| Buckets { rate, shards: std::array::from_fn(|_| Mutex::default()) };
        let kind = |labels, limit: Limit| Kind {
            labels,
            hasher: RandomState::new(),
            requests: limit.requests.map(buckets),
            bytes: limit.bytes.map(buckets),
        };
        Self {
            key: kind(["key", "key_bytes"], rates.key),
            user: kind(["user", "user_bytes"], rates.user),
            bucket: kind(["bucket", "bucket_bytes"], rates.bucket),
            address: kind(["address", "address_bytes"], rates.address),
        }
    }
}

impl RequestCharges {
    pub(crate) fn new(limits: Arc<RateLimits>) -> Self {
        Self { meter: ByteMeter::new(&limits), limits }
    }

    /// Counts the bytes of the bodies.
    pub(crate) fn meter(&self) -> &ByteMeter {
        &self.meter
    }

    /// Counts a request of a client, before anything about it is verified.
    pub(crate) fn enter_address(&self, address: IpAddr) -> Result<(), Limited> {
        self.enter(|limits| &limits.address, &client_network(address))
    }

    /// Counts a request of a caller whose signature is right.
    pub(crate) fn enter_caller(&self, key: Option<&str>, user: &str) -> Result<(), Limited> {
        if let Some(key) = key {
            self.enter(|limits| &limits.key, key)?;
        }
        if user.is_empty() { Ok(()) } else { self.enter(|limits| &limits.user, user) }
    }

    /// Counts a request for a bucket that is allowed.
    pub(crate) fn enter_bucket(&self, bucket: &str) -> Result<(), Limited> {
        self.enter(|limits| &limits.bucket, bucket)
    }

    fn enter(&self, kind_of: KindOf, name: &(impl Hash + ?Sized)) -> Result<(), Limited> {
        let kind = kind_of(&self.limits);
        if kind.requests.is_none() && kind.bytes.is_none() {
            return Ok(());
        }
        let (name, now) = (kind.hasher.hash_one(name), Instant::now());
        let [requests, bytes] = kind.labels;
        if let Some(buckets) = &kind.bytes {
            // How many bytes will move is not known yet, so a caller in debt has to wait.
            let room = buckets.take(name, 0.0, now);
            room.map_err(|wait_s| Limited { limit: bytes, what: "bytes", wait_s })?;
            self.meter.charge(kind_of, name);
        }
        let Some(buckets) = &kind.requests else { return Ok(()) };
        buckets.take(name, 1.0, now).map_err(|wait_s| Limited { limit: requests, what: "requests", wait_s })
    }
}

impl Buckets {
    /// Takes tokens, or says after how many seconds there are enough. Without any, it only must not be in debt.
    fn take(&self, name: u64, wanted: f64, now: Instant) -> Result<(), f64> {
        let taken = |tokens: &mut Tokens| {
            if tokens.left < wanted || tokens.left <= 0.0 {
                return Err((wanted - tokens.left).max(0.001) / self.rate.per_second);
            }
            tokens.left -= wanted;
            Ok(())
        };
        self.with(name, now, taken).unwrap_or(Ok(()))
    }

    fn owe(&self, name: u64, tokens: f64, now: Instant) {
        self.with(name, now, |bucket| bucket.left -= tokens);
    }

    fn with<T>(&self, name: u64, now: Instant, act: impl FnOnce(&mut Tokens) -> T) -> Option<T> {
        let Rate { per_second, burst } = self.rate;
        let shard = self.shards.get(usize::try_from(name).unwrap_or(0) % SHARDS)?;
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
        Some(act(tokens))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits(per_second: f64, burst: f64) -> RateLimits {
        RateLimits::new(&Rates { key: requests(per_second, burst), ..Rates::default() })
    }

    fn requests(per_second: f64, burst: f64) -> Limit {
        Limit { requests: Some(Rate { per_second, burst }), bytes: None }
    }

    fn request(limits: &Arc<RateLimits>) -> RequestCharges {
        RequestCharges::new(Arc::clone(limits))
    }

    #[test]
    fn who_took_many_bytes_waits_until_they_are_paid() {
        let rate = Rate { per_second: 100.0, burst: 100.0 };
        let address = Limit { requests: None, bytes: Some(rate) };
        let limits = Arc::new(RateLimits::new(&Rates { address, ..Rates::default() }));
        let one = [10, 0, 0, 1].into();
        let first = request(&limits);
        first.enter_address(one).unwrap();
        first.meter().count(1_000_000);
        let limited = request(&limits).enter_address(one).unwrap_err();
        assert!(limited.limit == "address_bytes" && limited.wait_s > 9000.0, "{limited:?}");
        let error = S3Error::from(limited);
        assert!(error.message().contains("Too many bytes of this address"), "{}", error.message());
        request(&limits).enter_address([10, 0, 0, 2].into()).unwrap();
        // The debt is paid at the rate.
        let (kind, now) = (&limits.address, Instant::now());
        let name = kind.hasher.hash_one(IpAddr::from([10, 0, 0, 1]));
        let take = |after_s| kind.bytes.as_ref().unwrap().take(name, 0.0, now + Duration::from_secs(after_s));
        assert!(take(9_000).is_err() && take(10_001).is_ok());
    }

    #[test]
    fn a_name_pays_once_for_the_bytes_before_and_after_it_was_known() {
        let bytes = |burst| Limit { requests: None, bytes: Some(Rate { per_second: 0.001, burst }) };
        for (burst, want) in [(301.0, true), (299.0, false)] {
            let limits = Arc::new(RateLimits::new(&Rates { bucket: bytes(burst), ..Rates::default() }));
            let first = request(&limits);
            first.meter().count(100);
            first.enter_bucket("b").unwrap();
            first.meter().count(100);
            first.enter_bucket("b").unwrap();
            first.meter().count(100);
            assert_eq!(request(&limits).enter_bucket("b").is_ok(), want, "{burst}");
            request(&limits).enter_bucket("other").unwrap();
        }
    }

    #[test]
    fn tokens_run_out_and_come_back() {
        let limits = limits(2.0, 3.0);
        let (kind, now) = (limits.key.requests.as_ref().unwrap(), Instant::now());
        let taken = |name, now| (0..10).filter(|_| kind.take(name, 1.0, now).is_ok()).count();
        assert_eq!((taken(1, now), taken(2, now)), (3, 3), "each name has its own");
        assert_eq!(taken(1, now + Duration::from_secs(1)), 2);
        assert_eq!(taken(1, now + Duration::from_secs(100)), 3, "no more than the burst is saved");
        let wait_s = kind.take(1, 1.0, now + Duration::from_secs(100)).unwrap_err();
        assert!((wait_s - 0.5).abs() < 1e-6, "{wait_s}");
    }

    #[test]
    fn refusals_say_when_to_come_back_and_no_limit_refuses_nothing() {
        let limits = Arc::new(limits(0.1, 1.0));
        request(&limits).enter_caller(Some("AKA"), "arn").unwrap();
        let error = S3Error::from(request(&limits).enter_caller(Some("AKA"), "arn").unwrap_err());
        let header = error.headers.first().map(|(name, value)| (*name, value.as_str()));
        assert_eq!((error.code, header), (S3ErrorCode::SlowDown, Some(("retry-after", "10"))));
        request(&limits).enter_caller(Some("AKB"), "arn").unwrap();
        let none = request(&Arc::default());
        for _ in 0..1000 {
            none.enter_caller(Some("AKA"), "arn").unwrap();
            none.enter_bucket("b").unwrap();
            none.enter_address([1, 2, 3, 4].into()).unwrap();
        }
    }

    #[test]
    fn names_do_not_fill_the_memory() {
        let limits = limits(0.001, 2.0);
        let kind = limits.key.requests.as_ref().unwrap();
        let now = Instant::now();
        for name in 0..(NAMES_MAX as u64 + 5000) {
            kind.take(name, 1.0, now).unwrap();
        }
        let names: usize = kind.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(names <= NAMES_MAX, "{names}");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let limits = Arc::new(RateLimits::new(&Rates { address: requests(0.001, 2.0), ..Rates::default() }));
        let enter = |address: &str| request(&limits).enter_address(address.parse().unwrap()).is_ok();
        assert!(enter("2001:db8::1") && enter("2001:db8::2") && !enter("2001:db8::3") && enter("2001:db8:0:1::1"));
        assert!(enter("10.0.0.1") && enter("::ffff:10.0.0.1") && !enter("10.0.0.1"));
    }
}
