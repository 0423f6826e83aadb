//! When keys, roles and sessions were last used, for GetAccessKeyLastUsed, GetRole, the credential report and ListSessions.

use std::collections::BTreeMap;
use std::sync::Arc;

/// One use of a key or role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Seconds since 1970, exact to the minute.
    pub at_s: i64,
    /// The called service: `s3`, `iam` or `sts`.
    pub service: Arc<str>,
    /// The region for which the request was signed.
    pub region: Arc<str>,
    /// What was used, if it is a session.
    pub session: Option<Arc<SessionUse>>,
}

/// What is known of a session that was used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionUse {
    /// Its ARN.
    pub arn: String,
    /// The account in which it acts.
    pub account: String,
    /// The ARN of its role; empty for a session that a user made without one.
    pub role_arn: String,
    /// The ARN of the identity provider whose user has it; may be empty.
    pub provider_arn: String,
    /// The user there; may be empty.
    pub subject: String,
    /// When it was issued, seconds since 1970.
    pub issued_s: i64,
    /// Its end, seconds since 1970.
    pub expires_s: i64,
    /// The address from which it was used.
    pub address: String,
}

/// The last use of each access key, by its id, of each role, by its `AROA...` id, and of each session, by its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastUsed(BTreeMap<Arc<str>, Use>);

impl LastUsed {
    /// When the key or role with this id was last used; `None` if that is unknown.
    pub fn of(&self, id: &str) -> Option<&Use> {
        self.0.get(id)
    }

    /// Records a use. One that is older than the known one changes nothing. Returns whether it was new.
    pub fn note(&mut self, id: &Arc<str>, used: Use) -> bool {
        match self.0.get_mut(id) {
            Some(known) if known.at_s >= used.at_s => false,
            Some(known) => {
                *known = used;
                true
            }
            None => {
                self.0.insert(id.clone(), used);
                true
            }
        }
    }

    /// Takes over newer uses from another record. Returns whether there were any.
    pub fn merge(&mut self, other: Self) -> bool {
        other.0.into_iter().fold(false, |news, (id, used)| self.note(&id, used) | news)
    }

    /// Moves uses that are later than `now_s` to `now_s`. A clock that was ahead has recorded them.
    pub fn not_after(&mut self, now_s: i64) {
        self.0.values_mut().for_each(|used| used.at_s = used.at_s.min(now_s));
    }

    /// Removes uses for which `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(&str, &Use) -> bool) {
        self.0.retain(|id, used| keep(id, used));
    }

    /// Keeps at most so many sessions: those that were used last.
    pub fn keep_sessions(&mut self, most: usize) {
        let mut times: Vec<i64> = self.0.values().filter(|used| used.session.is_some()).map(|used| used.at_s).collect();
        if times.len() <= most {
            return;
        }
        times.sort_unstable_by(|one, other| other.cmp(one));
        let oldest = times.get(most).copied().unwrap_or(i64::MAX);
        self.0.retain(|_, used| used.session.is_none() || used.at_s > oldest);
    }

    /// All uses, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Use)> {
        self.0.iter()
    }

    /// How many ids have a use.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no uses.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Arc<str>, Use)> for LastUsed {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Use)>>(uses: I) -> Self {
        Self(uses.into_iter().collect())
    }
}
