//! A connection that is replaced when it stays silent. A cut network leaves connections behind on which nothing arrives
//! any more, and it takes most of a minute until their own signs of life say so.

use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::connection::{Channel, Endpoint};

/// How long a connection is kept at least: a process that is only slow is not flooded with new ones.
const KEPT: Duration = Duration::from_secs(1);

/// The way to one process.
pub(super) struct Line {
    current: RwLock<Current>,
    /// When a call was last answered.
    heard: Mutex<Instant>,
}

struct Current {
    channel: Channel,
    since: Instant,
}

impl Line {
    /// Connects with the first call.
    pub(super) fn new(endpoint: Endpoint) -> Line {
        let current = RwLock::new(Current::new(endpoint));
        Line { current, heard: Mutex::new(Instant::now()) }
    }

    /// Later calls use a connection of this endpoint. Calls in progress keep theirs.
    pub(super) fn renew(&self, endpoint: Endpoint) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current::new(endpoint);
    }

    /// The present connection.
    pub(super) fn channel(&self) -> Channel {
        self.current.read().unwrap_or_else(PoisonError::into_inner).channel.clone()
    }

    /// A call was answered.
    pub(super) fn was_heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// A call that began at this time has no answer. If no other call was answered since, later ones use a new
    /// connection. Calls in progress keep theirs. Returns whether the next call uses another connection than that one.
    pub(super) fn was_silent_since(&self, begun: Instant) -> bool {
        if *self.heard.lock().unwrap_or_else(PoisonError::into_inner) > begun {
            return false;
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.since <= begun && current.since.elapsed() >= KEPT {
            *current = Current::new(current.channel.endpoint().clone());
        }
        current.since > begun
    }
}

impl Current {
    fn new(endpoint: Endpoint) -> Self {
        Self { channel: Channel::new(endpoint), since: Instant::now() }
    }
}
