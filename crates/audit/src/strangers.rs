//! A bound on the records of requests that were allowed nothing, of callers whom the gateway does not know. Such requests cost their
//! senders nothing, and without a bound they could fill the disk, or push every other record out of the files that are kept. Beyond the
//! bound they are counted, and a record tells their number.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use access::AuditRecord;
use jiff::Timestamp;

use crate::notes;

/// How many seconds of the bound may be used at once.
const BURST_S: f64 = 1024.0;

/// Counts records against the bound.
#[derive(Debug)]
pub(crate) struct Strangers(Mutex<Budget>);

#[derive(Debug)]
struct Budget {
    /// `None`: no bound.
    bytes_per_s: Option<f64>,
    bytes: f64,
    at: Instant,
    left_out: u64,
    since: Timestamp,
}

impl Default for Strangers {
    fn default() -> Self {
        let (at, since) = (Instant::now(), Timestamp::UNIX_EPOCH);
        Self(Mutex::new(Budget { bytes_per_s: None, bytes: 0.0, at, left_out: 0, since }))
    }
}

impl Strangers {
    /// Changes the bound; 0 for none.
    pub(crate) fn bound(&self, bytes_per_s: u32) {
        let mut budget = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = (bytes_per_s > 0).then(|| f64::from(bytes_per_s));
        if budget.bytes_per_s != rate {
            budget.bytes = rate.unwrap_or(0.0) * BURST_S;
            budget.bytes_per_s = rate;
        }
    }

    /// Whether the record is kept. One that is not is counted.
    pub(crate) fn admits(&self, record: &AuditRecord) -> bool {
        if record.caller.access_key_id.is_some() || !is_refused(record) {
            return true;
        }
        let mut budget = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rate) = budget.bytes_per_s else { return true };
        let now = Instant::now();
        let earned = now.saturating_duration_since(budget.at).as_secs_f64() * rate;
        (budget.bytes, budget.at) = ((budget.bytes + earned).min(rate * BURST_S), now);
        let weight = f64::from(u32::try_from(record.weight_bytes()).unwrap_or(u32::MAX));
        if budget.bytes >= weight {
            budget.bytes -= weight;
            return true;
        }
        if budget.left_out == 0 {
            budget.since = record.time;
        }
        budget.left_out += 1;
        false
    }

    /// The record that tells how many were left out since the last one; `None` if none was.
    pub(crate) fn summary(&self) -> Option<AuditRecord<'static>> {
        let mut budget = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = std::mem::take(&mut budget.left_out);
        (count > 0).then(|| notes::further_refused_requests(count, budget.since))
    }
}

/// Whether nothing was done for the request. The status does not say it: a client that goes away, or a filer that fails, may leave behind
/// what an allowed permission did, and a website may answer a refusal with a redirect.
fn is_refused(record: &AuditRecord) -> bool {
    let is_allowed_nothing = record.decisions.iter().all(|decided| !decided.decision.is_allow());
    is_allowed_nothing && (record.status >= 400 || !record.decisions.is_empty())
}
