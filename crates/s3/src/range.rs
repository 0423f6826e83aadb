use crate::{S3Error, S3ErrorCode};

/// One range of bytes, as in a `Range` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=first-last`, both included; `last >= first`.
    FromTo(u64, u64),
    /// `bytes=first-`.
    From(u64),
    /// `bytes=-count`: the last `count` bytes.
    Last(u64),
}

impl ByteRange {
    /// Reads a `Range` header. Anything that is not a single range of bytes (several ranges, another unit, nonsense)
    /// gives `None`: S3 ignores it and sends the whole object (RFC 9110 section 14.2).
    pub fn parse(header: &str) -> Option<Self> {
        let (unit, range) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        match (first.trim(), last.trim()) {
            ("", count) => number(count).map(Self::Last),
            (first, "") => number(first).map(Self::From),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::FromTo(first, last))
            }
        }
    }

    /// The bytes `start..end` of an object of `size` bytes. Fails with `InvalidRange` (416) if there are none.
    pub fn resolve(self, size: u64) -> Result<std::ops::Range<u64>, S3Error> {
        let (start, end) = match self {
            Self::FromTo(first, last) => (first, last.saturating_add(1).min(size)),
            Self::From(first) => (first, size),
            Self::Last(count) => (size.saturating_sub(count), size),
        };
        if start >= end {
            return Err(S3Error::new(S3ErrorCode::InvalidRange)
                .field("ActualObjectSize", size.to_string())
                .field("RangeRequested", self.to_string())
                .header("content-range", format!("bytes */{size}")));
        }
        Ok(start..end)
    }
}

impl std::fmt::Display for ByteRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FromTo(first, last) => write!(f, "bytes={first}-{last}"),
            Self::From(first) => write!(f, "bytes={first}-"),
            Self::Last(count) => write!(f, "bytes=-{count}"),
        }
    }
}

/// Accepts only digits: `+1` is not a number here.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
