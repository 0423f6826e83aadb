//! Determines which of several filers guards a conditional write.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::FilerError;

/// Lets conditional writes begin while all gateways name the same filers. Each filer has its own locks, so two writes
/// are safe from each other only on the same filer.
#[async_trait]
pub trait Guards: Send + Sync + 'static {
    /// Waits until all gateways name the same filers.
    ///
    /// Fails with [`FilerError::NotAgreed`] if they do not in time.
    async fn pass(self: Arc<Self>) -> Result<Pass, FilerError>;
}

/// Permission to make one conditional write. It is held until the write has ended; until then the filers do not change.
pub struct Pass {
    /// The filers, one of which guards the path.
    pub filers: Vec<String>,
    /// The write is valid only within this time, and is given up after it.
    pub time: Duration,
    _held: Box<dyn Send + Sync>,
}

impl Pass {
    /// A pass that drops `held` when it is dropped.
    pub fn new(filers: Vec<String>, time: Duration, held: impl Send + Sync + 'static) -> Self {
        Self { filers, time, _held: Box::new(held) }
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("filers", &self.filers).field("time", &self.time).finish_non_exhaustive()
    }
}
