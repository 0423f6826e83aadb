//! Sessions whose tokens were verified, as many as fit into a bounded piece of memory.

use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::Session;

/// How many bytes the sessions take together.
const CACHE_BYTES_MAX: u64 = 64 << 20;
/// How many small sessions these are, about.
const SESSIONS: usize = 10_000;
/// The pieces of the cache. Each has to hold the largest session: its own policy and ten managed ones.
const PIECES: usize = 8;

/// Sessions by their complete token, because a shortened one could be the key of another session. The oldest ones are dropped.
pub(super) struct KnownSessions(Cache<Arc<str>, Known, ByBytes>);

#[derive(Clone)]
struct Known {
    session: Arc<Session>,
    /// Its size when it was inserted: the cache needs a weight that does not change.
    bytes: u64,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Arc<str>, Known> for ByBytes {
    fn weight(&self, _token: &Arc<str>, known: &Known) -> u64 {
        known.bytes
    }
}

impl KnownSessions {
    pub(super) fn new() -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(SESSIONS)
            .weight_capacity(CACHE_BYTES_MAX)
            .shards(PIECES)
            .build()
            .expect("both capacities are given");
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self(Cache::with_options(options, ByBytes, hasher, lifecycle))
    }

    pub(super) fn get(&self, token: &str) -> Option<Arc<Session>> {
        Some(self.0.get(token)?.session)
    }

    /// Inserts the session with its present size.
    pub(super) fn insert(&self, token: &str, session: &Arc<Session>) {
        self.0.insert(token.into(), Known { session: Arc::clone(session), bytes: bytes_of(token, session) });
    }

    /// Whether the cache has it with its present size.
    pub(super) fn has_size_of(&self, token: &str, session: &Session) -> bool {
        self.0.get(token).is_some_and(|known| known.bytes == bytes_of(token, session))
    }

    pub(super) fn remove(&self, token: &str) {
        self.0.remove(token);
    }
}

/// An upper estimate of what a session takes: the token, what it says, its policies.
fn bytes_of(token: &str, session: &Session) -> u64 {
    2048 + 4 * token.len() as u64 + session.policy_bytes()
}

/// An upper estimate of what a compiled policy takes, measured on the two worst kinds: almost nothing but short values, and almost
/// nothing but short patterns.
pub(super) fn bytes_of_policy(text: &str) -> u64 {
    let wildcards = text.bytes().filter(|byte| matches!(byte, b'*' | b'?')).count();
    28 * text.len() as u64 + 256 * wildcards as u64
}
