//! Returned means enforced: when a change is answered, no gateway decides by what was before it.
//!
//! Each gateway writes a small document, its [`Beat`], through every filer that it follows, and reads the beats of all gateways in the
//! same ordered streams that tell it of changes. Two rules make the promise:
//!
//! - **To renew is to have applied.** A gateway may decide ([`Fence::lease_until`]) only for a lease after the moment it began to write
//!   a beat that came back to it, on every filer, behind everything that the filer told before it.
//! - **An answer waits.** Whoever changed something writes a beat with a new number after it ([`Fence::ask`]) and answers when every
//!   gateway whose lease may still run has said in a beat of its own that it saw this number ([`Fence::progress`]), on every filer.
//!
//! Both rest on hearing of every change, and filers come and go while gateways notice at different times. So a gateway lists
//! everything again, and neither renews nor acknowledges before ([`Fence::must_list`]), when another one asks that follows a filer
//! which it does not, or that knows its change from a listing alone ([`Fence::ask_listed`]).
//!
//! Nothing here compares clocks of two machines: lengths of time alone count, each shortened or lengthened by five per cent.
//! This crate is pure: the time, what the streams tell and the ids are arguments, so that a model checker and a simulation run
//! the code that gateways run.

mod beat;
mod fence;
mod revision;
mod time;

pub use beat::{Beat, BeatError};
pub use fence::{Fence, GatewayView, Progress, Settings};
pub use revision::{Revision, RevisionError};
pub use time::{Moment, Span};

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One run of a gateway's process, a random text: whoever starts anew is somebody else.
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
