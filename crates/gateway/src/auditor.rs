//! What the data plane needs from the audit log.

use std::sync::Arc;

use access::AuditRecord;
use async_trait::async_trait;

/// Keeps the audit records of requests.
#[async_trait]
pub trait Auditor: Send + Sync + 'static {
    /// Whether it takes the record of every request. If not, it takes those of refusals.
    fn takes_all(&self) -> bool;

    /// Whether a request may be carried out now. It may not while the audit log could not take its record although it must. The
    /// error says why, for the answer.
    fn ready(&self) -> Result<(), String>;

    /// Takes the record of a request whose client is gone, so that nobody waits.
    fn give(&self, record: AuditRecord);

    /// Takes a record, and waits until it is where it must be before the answer. It is kept even if the wait is given up.
    ///
    /// Error: why it is not there yet, for the answer.
    async fn take(&self, record: AuditRecord) -> Result<(), String>;

    /// The record of a request that was refused not long ago, as lines of JSON; `None` if it is not remembered.
    fn recall(&self, _request_id: &str) -> Option<String> {
        None
    }
}

/// Keeps no records.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAuditor;

#[async_trait]
impl Auditor for NoAuditor {
    fn takes_all(&self) -> bool {
        false
    }

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    fn give(&self, _record: AuditRecord) {}

    async fn take(&self, _record: AuditRecord) -> Result<(), String> {
        Ok(())
    }
}

/// An auditor that is shared.
pub type SharedAuditor = Arc<dyn Auditor>;
