//! The refusals of the last time, in memory, so that a `DecisionId` can be explained where no file keeps it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use access::AuditRecord;

/// How many bytes they may take, about.
const BYTES_MAX: usize = 8 << 20;

/// The last refusals, as many as have room.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<Arc<AuditRecord<'static>>>,
    bytes: usize,
}

impl Recent {
    pub(crate) fn keep(&self, record: Arc<AuditRecord<'static>>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += record.weight_bytes();
        kept.records.push_back(record);
        while kept.bytes > BYTES_MAX
            && let Some(oldest) = kept.records.pop_front()
        {
            kept.bytes -= oldest.weight_bytes();
        }
    }

    pub(crate) fn find(&self, request_id: &str) -> Option<Arc<AuditRecord<'static>>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.records.iter().rev().find(|record| record.request_id == request_id).map(Arc::clone)
    }
}
