//! The IAM query API: authorizes a call, runs the command on what is stored, writes the result by compare-and-swap, and
//! waits until it is applied here and enforced everywhere.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex as Guarded, PoisonError};
use std::time::{Duration, Instant};

use iam::{Change, ChangeKind, DocumentKey, LastUsed, PolicyPlace, RolePlace, Snapshot, policy_name_of};
use iam_api::answer::Service;
use iam_api::command::Rename;
use iam_api::{Command, IamError, Params, command};
use ids::AccountId;
use policy::{Context, ResourceType};
use store::{FilerStore, ReadDocuments, StoreError};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::feed::{Follower, Watch};
use crate::fence::ListingCount;
use crate::last_used::Recorder;
use crate::query::{Call, PermittedCommand, QueryError, path_of};

/// How often a command is run again because another writer changed the same document.
const ATTEMPTS: usize = 30;
/// How long an answer waits for its change to come back through the feed.
const APPLIED_WITHIN: Duration = Duration::from_secs(3);

/// IAM's actions on this gateway.
pub struct IamApi {
    follower: Arc<Follower>,
    store: FilerStore,
    read_only: bool,
    recorder: Arc<Recorder>,
    /// Documents in memory have no compare-and-swap, so their writers take turns.
    in_memory: Mutex<()>,
    /// The kinds of changes that are answered without waiting for other gateways.
    unfenced: BTreeSet<ChangeKind>,
    /// Changes that are stored but were answered as not enforced yet. Repeating the call waits again.
    pending: Pending,
    pub(crate) costly: Costly,
}

/// Turns for expensive calls. Other calls are answered in the meantime.
pub(crate) struct Costly {
    /// A place for each call that runs or waits.
    places: Semaphore,
    running: Semaphore,
}

/// How many of them run at once, and how many run or wait.
const COSTLY_RUNNING: usize = 1;
pub(crate) const COSTLY_PLACES: usize = 32;

/// One answered call of the IAM API.
#[derive(Debug, PartialEq, Eq)]
pub struct QueryAnswer {
    /// The XML.
    pub xml: String,
    /// The gateways that may not enforce the change yet; empty if all do. Only a change that takes no permission away
    /// is answered with any.
    pub not_enforced: Vec<String>,
}

/// Calls, each with the answer that it will get.
#[derive(Default)]
struct Pending(Guarded<HashMap<u64, (Instant, String)>>);

/// How long a call that was not enforced is remembered.
const PENDING_FOR: Duration = Duration::from_secs(3600);
/// How many such calls are remembered.
const PENDING_AT_MOST: usize = 10_000;

impl IamApi {
    /// `read_only` is `-iam.readOnly`: all writes are refused. `unfenced` are the kinds of changes that are answered as
    /// soon as they are applied here.
    pub fn new(
        follower: Arc<Follower>,
        store: FilerStore,
        read_only: bool,
        recorder: Arc<Recorder>,
        unfenced: BTreeSet<ChangeKind>,
    ) -> Self {
        let (in_memory, pending, costly) = (Mutex::new(()), Pending::default(), Costly::new());
        Self { follower, store, read_only, recorder, in_memory, unfenced, pending, costly }
    }

    /// Answers one call.
    ///
    /// A change is answered once it is durable and every gateway enforces it. If a gateway does not in time, a grant is
    /// answered all the same, naming that gateway. A revocation is refused with `ChangeNotYetEnforced`, and repeating
    /// the call waits again.
    pub async fn answer(&self, call: &Call<'_>, context: Context) -> Result<QueryAnswer, QueryError> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let account = call.caller.account;
        let params = with_own_policy_arn(call.params, account, &snapshot);
        let params = with_stored_names(params, account, &snapshot);
        let call = Call { params: &params, ..*call };
        call.check_version(Service::Iam)?;
        let command = &PermittedCommand::authorize(&call, context, &snapshot)?;
        if command.writes() && self.read_only && !command.is_of_s3() {
            let message =
                "IAM write operations are disabled on this server; start it with -iam.readOnly=false to allow them";
            return Err(QueryError::access_denied(message));
        }
        let last_used = if command.reads_last_used { self.recorder.read().await? } else { LastUsed::default() };
        let (caller, now_s, random) = (call.caller, call.now_s, call.random);
        let request = command::Request { params: call.params, caller, now_s, random, last_used: &last_used };
        if !command.writes() {
            let _turn = if command.is_costly { Some(self.costly.turn().await?) } else { None };
            let outcome = run_blocking(|| command.run(&request, &snapshot))?;
            return Ok(QueryAnswer { xml: command.respond(&outcome, call.request_id), not_enforced: Vec::new() });
        }
        let asked = fingerprint(&call);
        let before = self.follower.listing_count();
        let (outcome, is_applied) = match self.write(command, &request).await {
            Ok(written) => written,
            Err(error) => return self.failed(command, asked, error, before).await,
        };
        let xml = command.respond(&outcome, call.request_id);
        let behind =
            if is_applied { self.behind(command, &outcome, before).await } else { or_this_gateway(Vec::new()) };
        if behind.is_empty() {
            self.pending.remove(asked);
            return Ok(QueryAnswer { xml, not_enforced: behind });
        }
        tracing::warn!(command = command.action.name, ?behind, "a change is stored but not enforced everywhere yet");
        if command.revokes() {
            self.pending.insert(asked, xml);
            return Err(not_yet_enforced(&behind));
        }
        Ok(QueryAnswer { xml, not_enforced: behind })
    }

    /// The gateways that may not enforce a change that was just written.
    async fn behind(&self, command: &Command, outcome: &command::Outcome, before: Option<ListingCount>) -> Vec<String> {
        // A call that finds nothing to remove may repeat one that is stored but that other gateways do not enforce yet.
        let repeats = outcome.changes.is_empty() && command.revokes();
        // A change that stays in this gateway's memory does not concern the other gateways.
        let kinds = outcome.changes.iter().filter(|change| !is_local(change));
        if !repeats
            && kinds
                .map(|change| ChangeKind::of(change, command.is_about_keys))
                .all(|kind| self.unfenced.contains(&kind))
        {
            return Vec::new();
        }
        self.follower.enforced(before).await.err().map_or_else(Vec::new, or_this_gateway)
    }

    /// A call that fails now may repeat one that was carried out but not enforced in time, so it waits again. The
    /// answer that something to be removed does not exist is given once that is true on every gateway.
    async fn failed(
        &self,
        command: &Command,
        asked: u64,
        error: QueryError,
        before: Option<ListingCount>,
    ) -> Result<QueryAnswer, QueryError> {
        let pending = self.pending.find(asked);
        if pending.is_none() && !(command.revokes() && error.code == "NoSuchEntity") {
            return Err(error);
        }
        self.follower.enforced(before).await.map_err(|behind| not_yet_enforced(&or_this_gateway(behind)))?;
        self.pending.remove(asked);
        pending.map(|xml| QueryAnswer { xml, not_enforced: Vec::new() }).ok_or(error)
    }

    /// Writes the result of the command. Returns whether it is applied here.
    async fn write(
        &self,
        command: &PermittedCommand<'_>,
        request: &command::Request<'_>,
    ) -> Result<(command::Outcome, bool), QueryError> {
        self.finish_renames(request.now_s).await;
        let watch = self.follower.watch();
        for attempt in 0..ATTEMPTS {
            match self.attempt(command, request, &watch).await {
                Ok(written) => return Ok(written),
                Err(Failure::Conflict(path)) => {
                    tracing::debug!(path, attempt, "another writer was faster; running the command again");
                    tokio::time::sleep(back_off(request.random, attempt)).await;
                }
                Err(Failure::Refused(error)) => return Err(error),
            }
        }
        Err(IamError {
            code: "ConcurrentModification",
            status: 409,
            message: "The request was refused because many changes were made to the same entity at once; try again"
                .into(),
        }
        .into())
    }

    /// Finishes a renaming that a dead gateway left incomplete, before anything else is changed.
    async fn finish_renames(&self, now_s: i64) {
        while let Some(rename) = self.follower.current().and_then(|state| Rename::left_behind(&state, now_s)) {
            match self.finish(&rename, now_s).await {
                Ok(true) => tracing::info!(?rename, "finished an incomplete renaming"),
                Ok(false) => return,
                Err(error) => return tracing::warn!(?rename, %error, "an incomplete renaming could not be finished"),
            }
        }
    }

    /// False if it is not applied here yet, or another gateway is doing the same.
    async fn finish(&self, rename: &Rename, now_s: i64) -> Result<bool, QueryError> {
        let watch = self.follower.watch();
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let fresh = self.store.read(&rename.documents(&snapshot)).await?;
        let state = snapshot.apply(fresh.changes.iter().cloned());
        match self.store.commit(&fresh, &rename.changes(&state, None, now_s)?).await {
            Ok(written) => Ok(watch.applied(&written, APPLIED_WITHIN).await),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn attempt(
        &self,
        command: &PermittedCommand<'_>,
        request: &command::Request<'_>,
        watch: &Watch,
    ) -> Result<(command::Outcome, bool), Failure> {
        let in_memory = self.in_memory.lock().await;
        let (state, mut fresh, mut outcome) = self.run(command, request).await?;
        if !outcome.changes.iter().any(is_local) {
            drop(in_memory); // the compare-and-swap guards it
        }
        // Deletions are announced first: see `iam_api::command::Outcome::announcements`.
        let announcements = outcome.announcements(&state, request.now_s);
        if !announcements.is_empty() {
            let announced = self.store.commit(&fresh, &announcements).await?;
            if !watch.applied(&announced, APPLIED_WITHIN).await {
                return Err(Failure::Refused(QueryError::not_followed()));
            }
            let before = std::mem::take(&mut fresh);
            match self.run(command, request).await {
                // The command that removed the announcement relies on the document, and may not be in this Snapshot
                // yet.
                Ok((_, now, _)) if !self.store.is_unchanged(&now, &announced) => {
                    return Err(Failure::Conflict("the announcement of a deletion".to_owned()));
                }
                Ok((_, now, still)) => (fresh, outcome) = (now, still),
                Err(failure) => {
                    self.store.undo(&before, &announced).await?;
                    return Err(failure);
                }
            }
        }
        let (local, stored): (Vec<_>, Vec<_>) = outcome.changes.iter().cloned().partition(is_local);
        let written = self.store.commit(&fresh, &stored).await?;
        if !local.is_empty() {
            self.follower.apply_local(local).await;
        }
        let (exist, applied) =
            tokio::join!(self.store.confirm_references(&fresh, &written), watch.applied(&written, APPLIED_WITHIN));
        let collides = || self.follower.current().is_some_and(|now| outcome.collides(&state, &now));
        if !written.is_empty() && (!exist? || (applied && collides())) {
            self.store.undo(&fresh, &written).await?;
            return Err(Failure::Conflict(format!("what {} relies on, or a name like its own", command.action.name)));
        }
        Ok((outcome, applied))
    }

    /// Runs a command on what is stored now. Returns the state on which it ran, what was read for it, and its result.
    async fn run(
        &self,
        command: &PermittedCommand<'_>,
        request: &command::Request<'_>,
    ) -> Result<(Snapshot, ReadDocuments, command::Outcome), Failure> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let keys = command.documents(request, &snapshot)?;
        let fresh = self.store.read(&keys).await?;
        let state = snapshot.apply(fresh.changes.iter().cloned());
        command.authorize_again(&state)?;
        let outcome = command.run(request, &state)?;
        Ok((state, fresh, outcome))
    }
}

/// Why an attempt to write failed.
enum Failure {
    /// Another writer was faster. The command runs again.
    Conflict(String),
    /// The caller gets this error.
    Refused(QueryError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(path) => Self::Conflict(path),
            error => Self::Refused(error.into()),
        }
    }
}

impl From<IamError> for Failure {
    fn from(error: IamError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self::Refused(error)
    }
}

impl Costly {
    fn new() -> Self {
        Self { places: Semaphore::new(COSTLY_PLACES), running: Semaphore::new(COSTLY_RUNNING) }
    }

    /// Waits for a turn, which lasts until the result is dropped.
    ///
    /// Fails with `Throttling` while too many calls wait.
    pub(crate) async fn turn(&self) -> Result<[SemaphorePermit<'_>; 2], QueryError> {
        let busy = || {
            let message = "Too many simulations and checks of policies are being answered; try again shortly";
            QueryError::new(Service::Iam, "Throttling", 400, message)
        };
        let place = self.places.try_acquire().map_err(|_| busy())?;
        let running = self.running.acquire().await.map_err(|_| busy())?;
        Ok([place, running])
    }
}

impl Pending {
    fn insert(&self, asked: u64, xml: String) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|_, (since, _)| since.elapsed() < PENDING_FOR);
        if calls.len() < PENDING_AT_MOST {
            calls.insert(asked, (Instant::now(), xml));
        }
    }

    fn find(&self, asked: u64) -> Option<String> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.get(&asked).map(|(_, xml)| xml.clone())
    }

    fn remove(&self, asked: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&asked);
    }
}

/// How long to wait before the command is run again, so that calls that collided once do not collide again. It uses
/// those of the call's random bytes from which ids are made, which are not secret.
fn back_off(random: &[u8; 96], attempt: usize) -> Duration {
    let mut hasher = DefaultHasher::new();
    (random.first_chunk::<16>(), attempt).hash(&mut hasher);
    Duration::from_millis(hasher.finish() % (2 << attempt.min(5)))
}

/// The same number for the same call of the same caller.
fn fingerprint(call: &Call<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    call.caller.arn.hash(&mut hasher);
    call.params.hash(&mut hasher);
    hasher.finish()
}

fn or_this_gateway(behind: Vec<String>) -> Vec<String> {
    if behind.is_empty() { vec!["this gateway".to_owned()] } else { behind }
}

/// A client that gets this repeats the call. Until then it is not told that what it removed is gone.
fn not_yet_enforced(behind: &[String]) -> QueryError {
    let message = format!(
        "The change is stored, but these gateways may not enforce it yet: {}. Repeat the call to wait for them",
        behind.join(", ")
    );
    QueryError::new(Service::Iam, "ChangeNotYetEnforced", 409, message)
}

/// Whether the document exists only in this process.
fn is_local(change: &Change) -> bool {
    matches!(change, Change::Role(_, RolePlace::Memory, _) | Change::Policy(_, PolicyPlace::Memory, _))
}

/// weed's policy ARNs have no account; the policy's own ARN takes their place before anything is decided by it. Policies of other
/// accounts are not looked up.
fn with_own_policy_arn<'p>(params: &'p Params, account: AccountId, snapshot: &Snapshot) -> Cow<'p, Params> {
    let weeds = params.get("PolicyArn").filter(|arn| arn.starts_with("arn:aws:iam:::policy/"));
    let policy = weeds.and_then(|arn| snapshot.policy(policy_name_of(arn)));
    match policy.filter(|policy| policy.account.is_none_or(|own| own == account)) {
        Some(policy) => Cow::Owned(params.clone().with("PolicyArn", &policy.arn)),
        None => Cow::Borrowed(params),
    }
}

/// The document of an entity with this name.
type Document = fn(Arc<str>) -> DocumentKey;

/// The parameters that name an entity which exists.
const NAMES: [(&str, Document, ResourceType); 4] = [
    ("UserName", DocumentKey::User, ResourceType::IamUser),
    ("GroupName", DocumentKey::Group, ResourceType::IamGroup),
    ("RoleName", DocumentKey::Role, ResourceType::IamRole),
    ("InstanceProfileName", DocumentKey::InstanceProfile, ResourceType::IamInstanceProfile),
];

/// Names are unique without regard to case, so they are found that way too. The stored spelling takes their place before anything
/// is decided by it: a Deny for `alice` has to meet `ALICE`. Entities of other accounts are not looked up.
fn with_stored_names<'p>(mut params: Cow<'p, Params>, account: AccountId, snapshot: &Snapshot) -> Cow<'p, Params> {
    for (parameter, key, kind) in NAMES {
        let stored = params.get(parameter).and_then(|name| snapshot.other_spelling(&key(name.into())));
        if let Some(stored) = stored.filter(|stored| path_of(kind, stored, account, snapshot).is_some()) {
            params = Cow::Owned(params.into_owned().with(parameter, &stored));
        }
    }
    params
}

/// Runs something that may take long, such as a simulation over many policies, without delaying other requests.
pub(crate) fn run_blocking<T>(run: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(run),
        _ => run(),
    }
}
