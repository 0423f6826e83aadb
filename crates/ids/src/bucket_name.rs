use std::borrow::Borrow;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a bucket.
///
/// 3 to 63 characters of `a-z`, `0-9`, `.` and `-`; it begins and ends with a letter or digit, has no two dots in a row and
/// is no IPv4 address. Source: S3 User Guide, "General purpose bucket naming rules".
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketName(Arc<str>);

/// The text is not a bucket name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no bucket name: 3 to 63 characters of a-z, 0-9, `.` and `-`, a letter or digit at both ends, no `..`, no IP address"
)]
pub struct BucketNameError(pub String);

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
        let good = (3..=63).contains(&bytes.len())
            && bytes.iter().copied().all(inner)
            && edge(bytes.first())
            && edge(bytes.last())
            && !text.contains("..")
            && text.parse::<Ipv4Addr>().is_err();
        if good { Ok(Self(text.into())) } else { Err(BucketNameError(text.into())) }
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
        for (name, good) in [
            ("abc", true),
            ("my.bucket-1", true),
            ("ab", false),
            ("Upper", false),
            ("-abc", false),
            ("abc-", false),
            ("a..b", false),
            ("192.168.0.1", false),
            (".system", false),
            ("a/b", false),
            ("bücket", false),
        ] {
            assert_eq!(name.parse::<BucketName>().is_ok(), good, "{name}");
        }
        assert!("a".repeat(63).parse::<BucketName>().is_ok());
        assert!("a".repeat(64).parse::<BucketName>().is_err());
    }
}
