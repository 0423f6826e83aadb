//! Keeps the keys of all providers up to date, and fetches those of one provider sooner if a token names a key that it does not
//! have yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use futures_util::future::join_all;
use iam::{Change, DocumentKey, IdentityProvider, OidcKeys, Snapshot};
use iam_formats::OidcSettings;
use jiff::Timestamp;
use store::{FilerStore, StoreError};
use tokio::sync::{Semaphore, watch};

use crate::discovery::fetch;

/// Keys are fetched again after this time, in seconds.
const REFRESH_S: i64 = 3600;
/// A random part of this time is added, so that gateways do not all fetch at the same moment.
const SPREAD_S: i64 = 300;
/// A provider is asked at most once in this time, whatever tokens name.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// How many providers are asked at the same time.
const AT_ONCE: usize = 8;
/// How many calls wait for keys at once. Others are told to try again.
const WAITERS: usize = 64;
/// How long fetched keys may take to come back through the feed.
const APPLIED_WITHIN: Duration = Duration::from_secs(2);

/// Tells the keeper about unknown keys that tokens name. It remembers only for which provider they were asked, so that
/// invented names cost nothing.
pub struct KeyDemand {
    providers: Mutex<BTreeMap<Arc<str>, Asked>>,
    rounds: watch::Sender<u64>,
    waiters: Semaphore,
}

#[derive(Default)]
struct Asked {
    last: Option<Instant>,
    wanted: bool,
}

impl Default for KeyDemand {
    fn default() -> Self {
        let (rounds, _) = watch::channel(0);
        Self { providers: Mutex::default(), rounds, waiters: Semaphore::new(WAITERS) }
    }
}

impl KeyDemand {
    /// Asks for the keys of a provider, and waits until they were fetched. False if they were fetched a moment ago, if too many
    /// wait already, or if it takes longer than `at_most`.
    pub async fn fetched(&self, provider: &IdentityProvider, at_most: Duration) -> bool {
        let mut rounds = self.rounds.subscribe();
        let Ok(_place) = self.waiters.try_acquire() else { return false };
        let stem = provider.keys_stem();
        if !self.want(&stem) {
            return false;
        }
        let served = async {
            while self.is_wanted(&stem) {
                if rounds.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(at_most, served).await.is_ok()
    }

    /// Notes that the keys of a provider are wanted. False if it was asked less than 30 seconds ago.
    pub fn want(&self, stem: &Arc<str>) -> bool {
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = providers.entry(stem.clone()).or_default();
        asked.wanted = asked.wanted || asked.last.is_none_or(|last| last.elapsed() >= ASK_AGAIN);
        asked.wanted
    }

    fn is_wanted(&self, stem: &Arc<str>) -> bool {
        let providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        providers.get(stem).is_some_and(|asked| asked.wanted)
    }

    /// Whether a provider may be asked now.
    fn may_ask(&self, stem: &Arc<str>) -> bool {
        let providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        providers.get(stem).and_then(|asked| asked.last).is_none_or(|last| last.elapsed() >= ASK_AGAIN)
    }

    fn begin(&self, stem: &Arc<str>) {
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        providers.entry(stem.clone()).or_default().last = Some(Instant::now());
    }

    fn end(&self, stem: &Arc<str>) {
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        providers.entry(stem.clone()).or_default().wanted = false;
        drop(providers);
        self.rounds.send_modify(|round| *round += 1);
    }

    /// Forgets providers that are gone.
    fn retain(&self, stems: &[Arc<str>]) {
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        providers.retain(|stem, _| stems.contains(stem));
    }
}

/// Fetches keys that are missing, old or wanted, and writes them to the filer for all gateways.
pub struct KeyKeeper {
    store: FilerStore,
    snapshot: Arc<ArcSwapOption<Snapshot>>,
    demand: Arc<KeyDemand>,
    settings: OidcSettings,
    refresh_s: i64,
}

impl KeyKeeper {
    /// A keeper of the providers in this Snapshot.
    pub fn new(
        store: FilerStore,
        snapshot: Arc<ArcSwapOption<Snapshot>>,
        demand: Arc<KeyDemand>,
        settings: OidcSettings,
    ) -> Self {
        let refresh_s = REFRESH_S + rand::random_range(0..SPREAD_S);
        Self { store, snapshot, demand, settings, refresh_s }
    }

    /// One round over all providers. The error names those whose keys could not be fetched; their last keys stay.
    pub async fn round(&self) -> Result<(), String> {
        let Some(snapshot) = self.snapshot.load_full() else { return Ok(()) };
        let providers = || snapshot.identity_providers().iter().filter(|provider| provider.has_tokens());
        let stems: Vec<Arc<str>> = providers().map(|provider| provider.keys_stem()).collect();
        self.demand.retain(&stems);
        let mut due = Vec::new();
        for (provider, stem) in providers().zip(&stems) {
            if self.is_due(provider, stem, &snapshot) && self.demand.may_ask(stem) {
                due.push((Arc::clone(provider), stem.clone()));
            }
        }
        let mut failures = Vec::new();
        for some in due.chunks(AT_ONCE) {
            let mut renewals = Vec::new();
            for (provider, stem) in some {
                renewals.push(self.renew_counted(provider, stem, &snapshot));
            }
            failures.extend(join_all(renewals).await.into_iter().flatten());
        }
        self.drop_stale(&stems, &snapshot).await;
        if failures.is_empty() { Ok(()) } else { Err(format!("keys could not be fetched: {}", failures.join("; "))) }
    }

    fn is_due(&self, provider: &IdentityProvider, stem: &Arc<str>, snapshot: &Snapshot) -> bool {
        let age = snapshot.oidc_keys(provider).map(|keys| now_s().saturating_sub(keys.fetched_s));
        age.is_none_or(|age| age >= self.refresh_s) || self.demand.is_wanted(stem)
    }

    /// The failure, if it fails.
    async fn renew_counted(&self, provider: &IdentityProvider, stem: &Arc<str>, snapshot: &Snapshot) -> Option<String> {
        self.demand.begin(stem);
        let renewed = self.renew(provider, stem, snapshot).await;
        self.demand.end(stem);
        renewed.err().map(|why| format!("`{}`: {why}", provider.issuer))
    }

    async fn renew(&self, provider: &IdentityProvider, stem: &Arc<str>, snapshot: &Snapshot) -> Result<(), String> {
        let fetched = fetch(provider, &self.settings).await.map_err(|error| error.to_string())?;
        for why in fetched.keys.passed_over() {
            tracing::debug!(issuer = provider.issuer, "a key of an identity provider is not used: {why}");
        }
        let known = snapshot.oidc_keys(provider);
        let is_new = known.is_none_or(|known| *known.jwks != *fetched.jwks || known.issuer != fetched.issuer);
        if is_new {
            tracing::info!(
                issuer = fetched.issuer,
                keys = fetched.keys.len(),
                "the keys of an identity provider changed"
            );
        }
        let fetched_s = now_s();
        let keys = OidcKeys { issuer: fetched.issuer, jwks: fetched.jwks.into(), keys: fetched.keys, fetched_s };
        self.write(stem, Some(keys)).await.map_err(|error| format!("they were fetched, but {error}"))?;
        self.applied(provider, fetched_s).await;
        Ok(())
    }

    async fn write(&self, stem: &Arc<str>, keys: Option<OidcKeys>) -> Result<(), StoreError> {
        let seen = self.store.read(&[DocumentKey::OidcKeys(stem.clone())]).await?;
        let written = self.store.commit(&seen, &[Change::OidcKeys(stem.clone(), keys.map(Ok))]).await;
        match written {
            // Another gateway has just fetched the same keys.
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits until this gateway knows what was written.
    async fn applied(&self, provider: &IdentityProvider, fetched_s: i64) {
        let began = Instant::now();
        let is_applied = || {
            let snapshot = self.snapshot.load_full();
            snapshot.is_some_and(|now| now.oidc_keys(provider).is_some_and(|keys| keys.fetched_s >= fetched_s))
        };
        while !is_applied() && began.elapsed() < APPLIED_WITHIN {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Removes keys that can no longer be used: those of providers that are gone, and those that are too old. A gateway whose configuration lacks a
    /// provider must not take away the keys that others use.
    async fn drop_stale(&self, stems: &[Arc<str>], snapshot: &Snapshot) {
        for (stem, keys) in snapshot.all_oidc_keys() {
            if !stems.contains(stem)
                && keys.is_stale(now_s())
                && let Err(error) = self.write(stem, None).await
            {
                tracing::warn!(%error, issuer = keys.issuer, "keys of a provider that is gone could not be removed");
            }
        }
    }
}

fn now_s() -> i64 {
    Timestamp::now().as_second()
}
