//! Returned means enforced: once a change is answered, no gateway decides by the state before it.
//!
//! Each gateway writes a small document, its [`Beat`], through every filer that it follows. It reads the beats of all
//! gateways from the same ordered streams that deliver changes. Two rules make the promise:
//!
//! - **A gateway that renews its lease has applied every earlier change.** It may decide ([`Fence::lease_until`]) only
//!   for the length of a lease, counted from when it began to write a beat that has come back on every filer's stream,
//!   after all earlier events.
//! - **An answer waits.** A gateway that changes something then writes a beat with a new number ([`Fence::ask`]). It
//!   answers once every gateway whose lease may still run has acknowledged this number, for every filer, in a beat of
//!   its own ([`Fence::progress`]).
//!
//! Both rules rely on every gateway seeing every change, but filers come and go, and gateways notice at different
//! times. A gateway therefore lists everything again, and neither renews nor acknowledges before it has done so
//! ([`Fence::must_list`]), in two cases: the gateway that asks follows a filer that this one does not follow, or it
//! knows its change only from a listing ([`Fence::ask_listed`]).
//!
//! Nothing here compares the clocks of two machines. Only durations matter, each shortened or lengthened by five per
//! cent. This crate is pure: the time, the events of the streams and the ids are arguments, so a model checker and a
//! simulation run the same code as gateways do.

mod beat;
mod fence;
mod revision;
mod time;

pub use beat::{Beat, BeatError};
pub use fence::{Fence, GatewayView, Listing, Progress, Settings};
pub use revision::{Revision, RevisionError};
pub use time::{Moment, Span};

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Identifies one run of a gateway's process; a random text. A restarted gateway has a new one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub Arc<str>);

/// A filer's address as every gateway of the cluster knows it: `host:port`, as the master lists it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FilerName(pub Arc<str>);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for FilerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for BootId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<&str> for FilerName {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}
