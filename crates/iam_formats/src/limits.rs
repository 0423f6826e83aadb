//! `kelpgate.limits`: how many requests and bytes a second a gateway answers.

use json::{JsonError, Node, Object};

use crate::unknown_settings::refuse_unknown;

/// `kelpgate.limits`; without limits by default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LimitSettings {
    /// `perKey`: of each access key.
    pub key: LimitSetting,
    /// `perUser`: of each user or role.
    pub user: LimitSetting,
    /// `perBucket`: of each bucket.
    pub bucket: LimitSetting,
    /// `perAddress`: of each client address.
    pub address: LimitSetting,
    /// `connections`: that are open at the same time.
    pub connections: ConnectionSettings,
}

/// `kelpgate.limits.connections`; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionSettings {
    /// `perAddress`: of each address that is not a trusted proxy.
    pub per_address: Option<usize>,
    /// `inAll`: of all addresses together.
    pub in_all: Option<usize>,
}

/// The limits of a kind of names; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LimitSetting {
    /// `requestsPerSecond`, with `burst`.
    pub requests: Option<RateSetting>,
    /// `bytesPerSecond`, with `burstBytes`: of bodies, in both directions together.
    pub bytes: Option<RateSetting>,
}

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateSetting {
    /// Requests or bytes per second.
    pub per_second: f64,
    /// Requests or bytes at once after a rest; as many as in a second by default, and at least 1.
    pub burst: f64,
}

impl Eq for LimitSettings {}

impl LimitSettings {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let mut limit = |name| object.take(name).map_or(Ok(LimitSetting::default()), |node| LimitSetting::read(&node));
        let settings = Self {
            key: limit("perKey")?,
            user: limit("perUser")?,
            bucket: limit("perBucket")?,
            address: limit("perAddress")?,
            connections: object
                .take("connections")
                .map_or(Ok(Default::default()), |it| ConnectionSettings::read(&it))?,
        };
        refuse_unknown(object)?;
        Ok(settings)
    }
}

impl ConnectionSettings {
    fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let mut most = |name| object.take(name).map(|node| count(&node)).transpose();
        let settings = Self { per_address: most("perAddress")?, in_all: most("inAll")? };
        refuse_unknown(object)?;
        Ok(settings)
    }
}

fn count(node: &Node<'_>) -> Result<usize, JsonError> {
    let positive = usize::try_from(node.integer()?).ok().filter(|count| *count > 0);
    positive.ok_or_else(|| node.error("the number of connections has to be at least 1"))
}

impl LimitSetting {
    fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let requests = RateSetting::read(&mut object, "requestsPerSecond", "burst")?;
        let bytes = RateSetting::read(&mut object, "bytesPerSecond", "burstBytes")?;
        refuse_unknown(object)?;
        if requests.is_none() && bytes.is_none() {
            return Err(node.error("a limit needs `requestsPerSecond` or `bytesPerSecond`"));
        }
        Ok(Self { requests, bytes })
    }
}

impl RateSetting {
    fn read(object: &mut Object<'_>, rate: &str, burst: &str) -> Result<Option<Self>, JsonError> {
        let positive = |node: Node<'_>| {
            let number = node.number()?;
            if (0.001..=1e12).contains(&number) {
                Ok(number)
            } else {
                Err(node.error(format!("{number} is not between 0.001 and 1000000000000")))
            }
        };
        let (per_second, at_once) = (object.take(rate), object.take(burst));
        match (per_second, at_once) {
            (None, Some(node)) => Err(node.error(format!("`{burst}` has no effect without `{rate}`"))),
            (None, None) => Ok(None),
            (Some(node), at_once) => {
                let per_second = positive(node)?;
                let burst = at_once.map(positive).transpose()?.unwrap_or(per_second).max(1.0);
                Ok(Some(Self { per_second, burst }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        let read = |text: &str| LimitSettings::read(&Node::parse(text).unwrap());
        let limits =
            read(r#"{"perKey": {"requestsPerSecond": 0.5}, "perAddress": {"requestsPerSecond": 10, "burst": 50}}"#)
                .unwrap();
        assert_eq!(limits.key.requests, Some(RateSetting { per_second: 0.5, burst: 1.0 }));
        assert_eq!(limits.address.requests, Some(RateSetting { per_second: 10.0, burst: 50.0 }));
        assert_eq!((limits.user, limits.bucket), Default::default());
        let bytes = read(r#"{"perUser": {"bytesPerSecond": 1e6, "burstBytes": 5e6}}"#).unwrap().user;
        assert_eq!((bytes.requests, bytes.bytes), (None, Some(RateSetting { per_second: 1e6, burst: 5e6 })));
        let connections = read(r#"{"connections": {"perAddress": 100, "inAll": 5000}}"#).unwrap().connections;
        assert_eq!(connections, ConnectionSettings { per_address: Some(100), in_all: Some(5000) });
        for (text, word) in [
            (r#"{"connections": {"perAddress": 0}}"#, "at least 1"),
            (r#"{"connections": {"perAddress": "many"}}"#, "whole number"),
            (r#"{"connections": {"each": 1}}"#, "each"),
            (r#"{"perKey": {}}"#, "requestsPerSecond"),
            (r#"{"perKey": {"requestsPerSecond": 0}}"#, "between"),
            (r#"{"perKey": {"requestsPerSecond": -1}}"#, "between"),
            (r#"{"perKey": {"burst": 1}}"#, "without `requestsPerSecond`"),
            (r#"{"perUsers": {"requestsPerSecond": 1}}"#, "perUsers"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
