//! Counters of calls to filers and volume servers, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A kind of call that is counted: one per RPC and per kind of volume request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after the call it counts")]
pub enum Call {
    GetFilerConfiguration,
    LookupDirectoryEntry,
    ListEntries,
    ObjectTransaction,
    AssignVolume,
    LookupVolume,
    DeleteCollection,
    SubscribeLocalMetadata,
    ListClusterNodes,
    VolumeGet,
    VolumePut,
    VolumeDelete,
}

impl Call {
    /// Every call, in the order of the counters.
    pub const ALL: [Call; 12] = [
        Call::GetFilerConfiguration,
        Call::LookupDirectoryEntry,
        Call::ListEntries,
        Call::ObjectTransaction,
        Call::AssignVolume,
        Call::LookupVolume,
        Call::DeleteCollection,
        Call::SubscribeLocalMetadata,
        Call::ListClusterNodes,
        Call::VolumeGet,
        Call::VolumePut,
        Call::VolumeDelete,
    ];

    /// Whether sending it twice does the same as sending it once. A place that is assigned twice is only lost.
    pub(super) fn is_repeatable(self) -> bool {
        match self {
            Call::GetFilerConfiguration
            | Call::LookupDirectoryEntry
            | Call::ListEntries
            | Call::AssignVolume
            | Call::LookupVolume
            | Call::SubscribeLocalMetadata
            | Call::ListClusterNodes => true,
            Call::ObjectTransaction
            | Call::DeleteCollection
            | Call::VolumeGet
            | Call::VolumePut
            | Call::VolumeDelete => false,
        }
    }

    /// Whether a filer that is well may take seconds: it waits while volumes are created.
    pub(super) fn may_take_long(self) -> bool {
        self == Call::AssignVolume
    }

    /// The label: SeaweedFS's name of the RPC, `Volume..` for HTTP requests to volume servers.
    pub fn name(self) -> &'static str {
        match self {
            Call::GetFilerConfiguration => "GetFilerConfiguration",
            Call::LookupDirectoryEntry => "LookupDirectoryEntry",
            Call::ListEntries => "ListEntries",
            Call::ObjectTransaction => "ObjectTransaction",
            Call::AssignVolume => "AssignVolume",
            Call::LookupVolume => "LookupVolume",
            Call::DeleteCollection => "DeleteCollection",
            Call::SubscribeLocalMetadata => "SubscribeLocalMetadata",
            Call::ListClusterNodes => "ListClusterNodes",
            Call::VolumeGet => "VolumeGet",
            Call::VolumePut => "VolumePut",
            Call::VolumeDelete => "VolumeDelete",
        }
    }
}

/// One row of [`FilerMetrics::rows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallCounts {
    /// The kind of call.
    pub call: Call,
    /// Attempts; a failover counts twice.
    pub calls: u64,
    /// Attempts without a usable answer: transport errors, timeouts, error statuses. "No such entry" is a usable
    /// answer.
    pub errors: u64,
    /// The total time until the answers (for streams: their heads), in nanoseconds.
    pub nanoseconds: u64,
}

#[derive(Debug, Default)]
struct Counters {
    calls: AtomicU64,
    errors: AtomicU64,
    nanoseconds: AtomicU64,
}

/// Counters since the start of the process. Reading them takes no lock.
#[derive(Debug, Default)]
pub struct FilerMetrics {
    counters: [Counters; Call::ALL.len()],
}

impl FilerMetrics {
    /// Counts one attempt, and shows it in the trace of its request.
    pub(crate) fn count(&self, call: Call, took: Duration, failed: bool) {
        if let Some(row) = self.counters.get(call as usize) {
            row.calls.fetch_add(1, Ordering::Relaxed);
            row.errors.fetch_add(u64::from(failed), Ordering::Relaxed);
            row.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        traces::called(call.name(), took, failed);
    }

    /// The current counters, one row per call.
    pub fn rows(&self) -> Vec<CallCounts> {
        let rows = Call::ALL.into_iter().zip(&self.counters);
        rows.map(|(call, row)| CallCounts {
            call,
            calls: row.calls.load(Ordering::Relaxed),
            errors: row.errors.load(Ordering::Relaxed),
            nanoseconds: row.nanoseconds.load(Ordering::Relaxed),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_its_own_row() {
        let metrics = FilerMetrics::default();
        for (index, call) in Call::ALL.into_iter().enumerate() {
            assert_eq!(call as usize, index, "{}", call.name());
            metrics.count(call, Duration::from_nanos(5), index % 2 == 0);
        }
        for (index, row) in metrics.rows().into_iter().enumerate() {
            assert_eq!(
                (row.calls, row.errors, row.nanoseconds),
                (1, u64::from(index % 2 == 0), 5),
                "{}",
                row.call.name()
            );
        }
    }
}
