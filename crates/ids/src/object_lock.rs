//! Object lock: what retains a version, and for how long.

/// How strictly a version is retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionMode {
    /// Callers with permission may shorten it.
    Governance,
    /// No one may shorten it.
    Compliance,
}

impl RetentionMode {
    /// From what is stored. Unknown text counts as the stricter mode.
    pub fn read(stored: &str) -> Self {
        Self::named(stored).unwrap_or(Self::Compliance)
    }

    /// From S3's word for it.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Governance, Self::Compliance].into_iter().find(|known| known.as_str() == word)
    }

    /// S3's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

/// Until when a version is retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How strictly.
    pub mode: RetentionMode,
    /// Seconds since 1970.
    pub until_s: i64,
}

/// How long new objects of a bucket are retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultRetention {
    /// How strictly.
    pub mode: RetentionMode,
    /// How long.
    pub period: RetentionPeriod,
}

/// How long new objects are retained, in one of S3's two units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionPeriod {
    /// Days.
    Days(u32),
    /// Years of 365 days.
    Years(u32),
}

impl RetentionPeriod {
    /// How many days a year has here.
    const DAYS_OF_YEAR: u32 = 365;

    /// The period in days.
    pub fn days(self) -> u32 {
        match self {
            Self::Days(days) => days,
            Self::Years(years) => years.saturating_mul(Self::DAYS_OF_YEAR),
        }
    }
}

/// Whether a version is held until someone releases it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegalHold {
    /// It is held.
    On,
    /// It is not held.
    Off,
}

impl LegalHold {
    /// From S3's word for it.
    pub fn named(word: &str) -> Option<Self> {
        [Self::On, Self::Off].into_iter().find(|known| known.as_str() == word)
    }

    /// S3's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "ON",
            Self::Off => "OFF",
        }
    }
}
