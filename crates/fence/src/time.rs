//! Moments and durations on one gateway's own clock, which must keep running while the machine sleeps
//! (`CLOCK_BOOTTIME`).

use std::ops::Add;
use std::time::Duration;

/// Nanoseconds since a beginning that all moments of one process share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Moment(pub u64);

/// A duration in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span(pub u64);

impl Moment {
    /// Later than any other moment.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time since an earlier moment; zero if that moment is not earlier.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Moment {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Span {
    /// Five per cent less: how long the holder of a lease relies on it, because its clock may be slow.
    pub fn shortened(self) -> Self {
        Self(self.0 - self.0.div_ceil(20))
    }

    /// Five per cent more: how long others wait for a lease to end, because their clocks may be fast.
    pub fn lengthened(self) -> Self {
        Self(self.0.saturating_add(self.0.div_ceil(20)))
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::from_nanos(span.0)
    }
}
