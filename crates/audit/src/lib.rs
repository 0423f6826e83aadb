//! The audit log: encoders and sinks of audit records, and the chain that shows whether a file was changed.

mod auditing;
mod encoder;
mod filter;
mod metrics;
mod notes;
mod queue;
mod recent;
mod sink;
mod state;
mod strangers;
mod writer;

mod access_log;
mod cloudtrail;
mod line;
mod minio;
mod ocsf;
mod rest;
mod weed;

mod connection;
mod deliver;
mod fluentd;
mod network;
mod spool;
mod syslog;
mod webhook;

pub mod chain;
mod file;
pub mod query;
pub mod verify;

/// The directory of the filer with the last digest of each log, under its id.
pub const ANCHORS: &str = "/seaweedfs/kelpgate/audit";

pub use auditing::{Auditing, Head, Pending, Prepared, check_connection};
pub use cloudtrail::encode as cloudtrail;
pub use file::existing;
pub use line::is_control;

/// The name of this machine, as logs show it.
pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(char::is_ascii_graphic).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}
