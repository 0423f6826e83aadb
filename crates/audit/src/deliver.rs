//! The seam between the queue of a sink and its protocol.

use std::io;

/// Sends lines. What it returned `Ok` for has arrived as far as the protocol can tell.
pub(crate) trait Deliver: Send {
    fn send(&mut self, lines: &[u8]) -> Result<(), Undelivered>;
}

/// Why lines have not arrived.
#[derive(Debug)]
pub(crate) enum Undelivered {
    /// The receiver is away or in trouble: they may arrive the next time.
    Failed(io::Error),
    /// The receiver answered that it does not want them, in these words.
    Refused(String),
}

impl From<io::Error> for Undelivered {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}
