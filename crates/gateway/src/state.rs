//! The state by which requests are decided, and waiting until a change is part of it: here, then on every gateway.

use std::sync::Arc;
use std::time::Duration;

use bucket::writer::RulesCheck;
use http::request::Parts;
use iam::{Bucket, Snapshot};
use ids::{BucketName, Stage};
use jiff::Timestamp;
use s3::{S3Error, S3ErrorCode};
use sigv4::{AuthForm, SigError};

use crate::errors;
use crate::fence::{Enforcement, FloorError, REVISION};
use crate::gateway::Gateway;

/// How long a written change may take to come back through the feed before the answer says that it has not.
const FEED_PATIENCE: Duration = Duration::from_secs(5);
/// The longest it usually takes.
const FEED_DELAY: Duration = Duration::from_millis(20);
/// The longest pause between two questions to the filer. The first ones are shorter.
const QUESTION_PAUSE_MAX: Duration = Duration::from_millis(250);

impl Gateway {
    /// The state by which a request is decided. It checks the lease first, then loads the state once: a lease that runs
    /// now covers every change answered before now, and a state loaded afterwards contains them.
    pub(crate) async fn state_for(
        &self,
        head: &Parts,
        form: &Result<AuthForm, SigError>,
        now: Timestamp,
    ) -> Result<Arc<Snapshot>, S3Error> {
        if let Some(floor) = head.headers.get(REVISION) {
            let floor = floor.to_str().map_err(|_| wrong("the header x-kelpgate-revision is not text".to_owned()))?;
            match self.fence.reach(floor).await {
                Ok(()) => {}
                Err(FloorError::Wrong(reason)) => return Err(wrong(reason)),
                Err(FloorError::Ahead) => return Err(ahead()),
            }
        }
        // A session made by another gateway is accepted here once this gateway knows its role.
        if let Ok(form) = form
            && let Some(revision) = self.authenticator.session_revision(form, now)
            && self.fence.reach(&revision).await == Err(FloorError::Ahead)
        {
            return Err(ahead());
        }
        if !self.fence.may_decide() {
            self.metrics.closed.inc();
            return Err(errors::unavailable(
                "This gateway may have missed changes of access rules, so it refuses requests until it has caught up. Try again.",
            ));
        }
        let loaded = self.snapshot.load_full();
        loaded.ok_or_else(|| errors::unavailable("This gateway has not loaded its access rules yet. Try again."))
    }

    /// Waits until a change of a bucket that was just written is in force, first here, then everywhere.
    ///
    /// Fails with `ChangeNotYetEnforced`. The change is then stored, and repeating the request waits again.
    pub async fn wait_until_enforced(
        &self,
        change: Box<dyn Enforcement>,
        bucket: &BucketName,
        shows: impl Fn(Option<&Bucket>) -> bool + Send + Sync,
    ) -> Result<(), S3Error> {
        self.wait_until_applied(bucket.as_str(), shows).await?;
        change.everywhere().await.map_err(|behind| {
            tracing::warn!(?behind, "a change of a bucket is stored but not enforced everywhere yet");
            let error = S3Error::new(S3ErrorCode::ChangeNotYetEnforced);
            if behind.is_empty() { error } else { error.field("Gateways", behind.join(", ")) }
        })
    }

    /// Like [`Self::wait_until_enforced`], for changes that take no permission away. Returns the names of the gateways that may not
    /// know the change yet, instead of failing.
    pub async fn wait_until_known(
        &self,
        change: Box<dyn Enforcement>,
        bucket: &BucketName,
        shows: impl Fn(Option<&Bucket>) -> bool + Send + Sync,
    ) -> Result<Vec<String>, S3Error> {
        self.wait_until_applied(bucket.as_str(), shows).await?;
        let behind = change.everywhere().await.err();
        Ok(behind
            .map(|behind| if behind.is_empty() { vec!["this gateway".to_owned()] } else { behind })
            .unwrap_or_default())
    }

    /// Whether this gateway knows that no one is deleting the bucket. It checks the lease first, then the state, as in
    /// [`Gateway::state_for`].
    pub(crate) fn is_known_active(&self, bucket: &Bucket) -> bool {
        self.fence.may_decide()
            && self
                .snapshot
                .load()
                .as_deref()
                .and_then(|snapshot| snapshot.bucket(&bucket.name))
                .is_some_and(|known| known.life.id == bucket.life.id && known.life.stage == Stage::Active)
    }

    /// Whether a bucket still has the versioning and the object lock for which a request was decided; unknown while this
    /// gateway may not decide. It checks the lease first, as in [`Gateway::state_for`].
    pub(crate) fn check_rules(&self, decided_for: &Bucket) -> RulesCheck {
        let snapshot = self.fence.may_decide().then(|| self.snapshot.load_full()).flatten();
        let Some(snapshot) = snapshot else { return RulesCheck::Unknown };
        let known = snapshot.bucket(&decided_for.name);
        let rules = |bucket: &Bucket| (bucket.versioning, bucket.object_lock, bucket.default_retention);
        // Whether the bucket is gone is another question.
        if known.is_none_or(|known| rules(known) == rules(decided_for)) {
            RulesCheck::Unchanged
        } else {
            RulesCheck::Changed
        }
    }

    /// Waits until this gateway's own snapshot contains a change of a bucket that was just written, or a later one.
    ///
    /// A snapshot may skip a change that another one replaces at once. So after a while this asks the filer what it
    /// holds by now: a snapshot that contains this is past the change.
    async fn wait_until_applied(&self, bucket: &str, shows: impl Fn(Option<&Bucket>) -> bool) -> Result<(), S3Error> {
        let began = tokio::time::Instant::now();
        let mut pause = Duration::from_micros(200);
        let mut ask_after = FEED_DELAY;
        let mut followed: Vec<Option<u64>> = Vec::new();
        loop {
            if let Some(snapshot) = self.snapshot.load().as_deref() {
                let known = snapshot.bucket(bucket);
                if shows(known.map(|bucket| &**bucket)) || followed.contains(&known.map(|bucket| bucket.version)) {
                    return Ok(());
                }
            }
            if began.elapsed() > FEED_PATIENCE {
                return Err(errors::unavailable(
                    "The change is stored, but has not come back through the change feed, so it is not in force on this gateway yet.",
                ));
            }
            let waited = began.elapsed();
            if waited >= ask_after {
                followed.push(self.stored_version(bucket).await?);
                // While a feed is late, many requests may wait.
                ask_after = waited + waited.min(QUESTION_PAUSE_MAX);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    /// The version of a bucket that the filer holds; `None` if the bucket is gone.
    async fn stored_version(&self, bucket: &str) -> Result<Option<u64>, S3Error> {
        let entry = self.directory(bucket).entry().await.map_err(errors::from_filer)?;
        Ok(entry.as_ref().map(bucket::settings::version))
    }
}

fn wrong(reason: String) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, reason)
}

fn ahead() -> S3Error {
    errors::unavailable("This gateway has not reached the revision that the request asks for. Try again.")
}
