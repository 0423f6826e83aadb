//! A connection that is replaced when it stays silent. A cut network leaves connections behind on which nothing arrives
//! any more, and it takes most of a minute until their own signs of life say so.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use tonic::transport::{Channel, Endpoint};

/// How long a connection is kept at least: a process that is only slow is not flooded with new ones.
const KEPT: Duration = Duration::from_secs(1);

/// The way to one process.
pub(super) struct Line {
    endpoint: Endpoint,
    current: RwLock<(Channel, Instant)>,
}

impl Line {
    /// Connects with the first call. Needs a tokio runtime.
    pub(super) fn new(endpoint: Endpoint) -> Line {
        let current = RwLock::new((endpoint.connect_lazy(), Instant::now()));
        Line { endpoint, current }
    }

    /// The present connection.
    pub(super) fn channel(&self) -> Channel {
        self.current.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// A call that began at this time got no answer: later ones use a new connection. Calls in progress keep theirs.
    pub(super) fn was_silent_since(&self, begun: Instant) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.1 <= begun && current.1.elapsed() >= KEPT {
            *current = (self.endpoint.connect_lazy(), Instant::now());
        }
    }
}
