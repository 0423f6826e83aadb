//! Object lock: what protects a version, and what may be done with it in spite of that. Everything here is decided from
//! what is stored, the time, and whether the caller may bypass governance.

use filer::{Condition, Entry};
use ids::{DefaultRetention, Retention, RetentionMode};

use crate::rules::Refusal;
use crate::{attributes, object};

/// What protects a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lock {
    /// Its retention, which may be over.
    pub retention: Option<Retention>,
    /// Whether it is under a legal hold.
    pub is_held: bool,
}

impl Lock {
    /// What is stored. What cannot be read protects forever.
    pub fn of(entry: &Entry) -> Self {
        let text = |name| entry.extended.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
        let (mode, until) = (text(attributes::LOCK_MODE), text(attributes::RETAIN_UNTIL));
        let retention = (mode.is_some() || until.is_some()).then(|| Retention {
            mode: RetentionMode::read(mode.as_deref().unwrap_or_default()),
            until_s: until.and_then(|until| until.trim().parse().ok()).unwrap_or(i64::MAX),
        });
        Self { retention, is_held: text(attributes::LEGAL_HOLD).is_some_and(|hold| hold != "OFF") }
    }

    /// The retention that is in force at a time.
    fn retention_at(&self, now_s: i64) -> Option<Retention> {
        self.retention.filter(|retention| retention.until_s > now_s)
    }

    /// Whether the version may be removed.
    pub fn may_remove(&self, now_s: i64, bypasses_governance: bool) -> Result<(), Refusal> {
        match self.retention_at(now_s) {
            _ if self.is_held => Err(Refusal::Protected),
            Some(retention) if retention.mode == RetentionMode::Compliance => Err(Refusal::Protected),
            Some(_) if !bypasses_governance => Err(Refusal::Protected),
            _ => Ok(()),
        }
    }

    /// Whether the retention may be replaced by another one, or removed. It may always last longer in the same mode.
    pub fn may_retain(&self, new: Option<Retention>, now_s: i64, bypasses_governance: bool) -> Result<(), Refusal> {
        let Some(known) = self.retention_at(now_s) else { return Ok(()) };
        let lasts_longer = new.is_some_and(|new| new.mode == known.mode && new.until_s >= known.until_s);
        let may_bypass = bypasses_governance && known.mode == RetentionMode::Governance;
        if lasts_longer || may_bypass { Ok(()) } else { Err(Refusal::Protected) }
    }
}

/// The conditions under which a version that may be removed is removed. The filer tests them by its own clock, in the
/// same step, so that neither a lock at the same moment nor a wrong clock here lets a version go.
pub(crate) fn conditions_of_removal(bypasses_governance: bool) -> [Condition; 2] {
    let only_if =
        bypasses_governance.then(|| (attributes::LOCK_MODE.to_owned(), RetentionMode::Compliance.as_str().to_owned()));
    [
        Condition::AttributeIsNot { name: attributes::LEGAL_HOLD.to_owned(), value: "ON".to_owned() },
        Condition::TimeHasCome { name: attributes::RETAIN_UNTIL.to_owned(), only_if },
    ]
}

/// When a default retention ends for an object that is written now, in seconds since 1970.
pub fn default_until(default: DefaultRetention, now_s: i64) -> i64 {
    now_s.saturating_add(i64::from(default.period.days()).saturating_mul(86_400))
}

/// Gives a new version the default retention, unless it has one.
pub(crate) fn retain_by_default(entry: &mut Entry, default: Option<DefaultRetention>, now_s: i64) {
    let Some(default) = default.filter(|_| !entry.extended.contains_key(attributes::LOCK_MODE)) else { return };
    if object::is_delete_marker(entry) {
        return;
    }
    let until = default_until(default, now_s);
    entry.extended.insert(attributes::LOCK_MODE.to_owned(), default.mode.as_str().into());
    entry.extended.insert(attributes::RETAIN_UNTIL.to_owned(), until.to_string().into_bytes());
}
