//! `kelpgate.limits`: how many requests a second a gateway answers.

use json::{JsonError, Node};

use crate::config::refuse_unknown;

/// `kelpgate.limits`; `None` for no limit, which is the default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LimitSettings {
    /// `perKey`: of each access key.
    pub key: Option<RateSetting>,
    /// `perUser`: of each user or role.
    pub user: Option<RateSetting>,
    /// `perBucket`: of each bucket.
    pub bucket: Option<RateSetting>,
    /// `perAddress`: of each client address.
    pub address: Option<RateSetting>,
}

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateSetting {
    /// `requestsPerSecond`.
    pub per_second: f64,
    /// `burst`: requests at once after a rest; as many as in a second by default, and at least 1.
    pub burst: f64,
}

impl Eq for LimitSettings {}

impl LimitSettings {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let mut rate = |name| object.take(name).map(|node| RateSetting::read(&node)).transpose();
        let settings = Self {
            key: rate("perKey")?,
            user: rate("perUser")?,
            bucket: rate("perBucket")?,
            address: rate("perAddress")?,
        };
        refuse_unknown(object)?;
        Ok(settings)
    }
}

impl RateSetting {
    fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let positive = |node: Node<'_>| {
            let number = node.number()?;
            if (0.001..=1e9).contains(&number) {
                Ok(number)
            } else {
                Err(node.error(format!("{number} is not between 0.001 and 1000000000")))
            }
        };
        let Some(per_second) = object.take("requestsPerSecond") else {
            return Err(node.error("a limit needs `requestsPerSecond`"));
        };
        let per_second = positive(per_second)?;
        let burst = object.take("burst").map(positive).transpose()?.unwrap_or(per_second).max(1.0);
        refuse_unknown(object)?;
        Ok(Self { per_second, burst })
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
        assert_eq!(limits.key, Some(RateSetting { per_second: 0.5, burst: 1.0 }));
        assert_eq!(limits.address, Some(RateSetting { per_second: 10.0, burst: 50.0 }));
        assert_eq!((limits.user, limits.bucket), (None, None));
        for (text, word) in [
            (r#"{"perKey": {}}"#, "requestsPerSecond"),
            (r#"{"perKey": {"requestsPerSecond": 0}}"#, "between"),
            (r#"{"perKey": {"requestsPerSecond": -1}}"#, "between"),
            (r#"{"perUsers": {"requestsPerSecond": 1}}"#, "perUsers"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
