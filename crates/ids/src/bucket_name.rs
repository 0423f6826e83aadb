use std::borrow::Borrow;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a bucket.
///
/// 3 to 63 characters of `a-z`, `0-9`, `.` and `-`. It begins and ends with a letter or digit, has no two dots in a row
/// and is not an IPv4 address. Source: S3 User Guide, "General purpose bucket naming rules".
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketName(Arc<str>);

/// The text is not a bucket name. Each variant is the rule that it breaks.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum BucketNameError {
    /// Fewer than 3 or more than 63 characters.
    #[error("a bucket name has 3 to 63 characters")]
    Length,
    /// A character that is not allowed.
    #[error("a bucket name consists of a-z, 0-9, `.` and `-`")]
    Character,
    /// A dot or hyphen at one end.
    #[error("a bucket name begins and ends with a letter or digit")]
    Edge,
    /// Two dots in a row.
    #[error("a bucket name has no two dots in a row")]
    Dots,
    /// Four numbers with dots in between.
    #[error("a bucket name is not an IP address")]
    Address,
}

impl BucketName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BucketName {
    type Err = BucketNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        let bytes = text.as_bytes();
        let broken = [
            (!(3..=63).contains(&bytes.len()), BucketNameError::Length),
            (!bytes.iter().copied().all(inner), BucketNameError::Character),
            (!edge(bytes.first()) || !edge(bytes.last()), BucketNameError::Edge),
            (text.contains(".."), BucketNameError::Dots),
            (text.parse::<Ipv4Addr>().is_ok(), BucketNameError::Address),
        ];
        match broken.into_iter().find(|(is_broken, _)| *is_broken) {
            Some((_, rule)) => Err(rule),
            None => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for BucketName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_s3() {
        use BucketNameError::{Address, Character, Dots, Edge, Length};
        for (name, broken) in [
            ("abc", None),
            ("my.bucket-1", None),
            ("ab", Some(Length)),
            ("Upper", Some(Character)),
            ("-abc", Some(Edge)),
            ("abc-", Some(Edge)),
            ("a..b", Some(Dots)),
            ("192.168.0.1", Some(Address)),
            (".system", Some(Edge)),
            ("a/b", Some(Character)),
            ("bücket", Some(Character)),
        ] {
            assert_eq!(name.parse::<BucketName>().err(), broken, "{name}");
        }
        assert!("a".repeat(63).parse::<BucketName>().is_ok());
        assert!("a".repeat(64).parse::<BucketName>().is_err());
    }
}
