//! What the data plane needs from the audit log.

use std::pin::Pin;
use std::sync::Arc;

use access::AuditRecord;
use ids::AccountId;

/// Ends when a record is where it must be before the answer. The error says why it is not there yet, for the answer.
pub type RecordWritten = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Keeps the audit records of requests.
pub trait Auditor: Send + Sync + 'static {
    /// Whether it takes the record of every request. If not, it takes those of refusals.
    fn takes_all(&self) -> bool;

    /// Whether a request may be carried out now. It may not while the audit log could not take its record although it must. The
    /// error says why, for the answer.
    fn ready(&self) -> Result<(), String>;

    /// Takes a record. It is kept even if nobody waits, and that of a refusal is remembered for [`recall`](Self::recall). `None` if the
    /// answer need not wait for it.
    fn take(&self, record: &AuditRecord) -> Option<RecordWritten>;

    /// The record of a request that was refused not long ago, as lines of JSON: what this account may read of it, or all without one.
    /// `None` if it is not remembered, or the account may read nothing.
    fn recall(&self, _request_id: &str, _reader: Option<AccountId>) -> Option<String> {
        None
    }
}

/// Keeps no records.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAuditor;

impl Auditor for NoAuditor {
    fn takes_all(&self) -> bool {
        false
    }

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    fn take(&self, _record: &AuditRecord) -> Option<RecordWritten> {
        None
    }
}

/// An auditor that is shared.
pub type SharedAuditor = Arc<dyn Auditor>;
