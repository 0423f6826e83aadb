//! The IAM query API: authorise, run the command on what is stored, write it by compare-and-swap, wait until it is applied here.

use std::sync::Arc;
use std::time::Duration;

use iam::{Change, Command, IamError, PolicyPlace, RolePlace, Snapshot, command, policy_name_of};
use policy::Context;
use store::{Fresh, IamStore, StoreError};
use sts::xml::Service;
use tokio::sync::Mutex;

use crate::feed::{Follower, Watch};
use crate::query::{Call, QueryError, authorise};

/// How often a command is run again because somebody else wrote the same document.
const ATTEMPTS: usize = 30;
/// How long an answer waits for its change to come back through the feed.
const APPLIED_WITHIN: Duration = Duration::from_secs(3);

/// IAM's actions on this gateway.
pub struct IamApi {
    follower: Arc<Follower>,
    store: Arc<dyn IamStore>,
    read_only: bool,
    /// Documents in memory have no compare-and-swap: their writers take turns.
    in_memory: Mutex<()>,
}

impl IamApi {
    /// `read_only` is `-iam.readOnly`: whatever writes is refused.
    pub fn new(follower: Arc<Follower>, store: Arc<dyn IamStore>, read_only: bool) -> Self {
        Self { follower, store, read_only, in_memory: Mutex::new(()) }
    }

    /// Answers one call with its XML.
    ///
    /// A change is answered when it is durable and applied on this gateway.
    pub async fn answer(&self, call: &Call<'_>, mut context: Context) -> Result<String, QueryError> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let params = with_own_policy_arn(call.params, &snapshot);
        let call = Call { params: &params, ..*call };
        call.check_version(Service::Iam)?;
        authorise(&call, &mut context, &snapshot)?;
        let command = Command::find(call.action()?)?;
        if command.writes() && self.read_only {
            return Err(QueryError::access_denied("IAM write operations are disabled on this server"));
        }
        let params: iam::Params = call.params.iter().cloned().collect();
        let request = command::Request { params: &params, caller: call.caller, now_s: call.now_s, random: call.random };
        let outcome = if command.writes() {
            self.write(command, &request).await?
        } else {
            at_length(|| command.run(&request, &snapshot))?
        };
        Ok(command.respond(&outcome, call.request_id))
    }

    async fn write(&self, command: &Command, request: &command::Request<'_>) -> Result<command::Outcome, QueryError> {
        let watch = self.follower.watch();
        for attempt in 0..ATTEMPTS {
            match self.attempt(command, request, &watch).await {
                Ok(outcome) => return Ok(outcome),
                Err(Failure::Conflict(path)) => {
                    tracing::debug!(path, attempt, "somebody else wrote first; running the command again");
                    let most_ms = 2u64 << attempt.min(5);
                    tokio::time::sleep(Duration::from_millis(rand::random_range(0..most_ms))).await;
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

    async fn attempt(
        &self,
        command: &Command,
        request: &command::Request<'_>,
        watch: &Watch,
    ) -> Result<command::Outcome, Failure> {
        let in_memory = self.in_memory.lock().await;
        let (state, mut fresh, mut outcome) = self.run(command, request).await?;
        if !outcome.changes.iter().any(is_local) {
            drop(in_memory); // the compare-and-swap guards it
        }
        // Deletions are announced first: see `iam::command::Outcome::announcements`.
        let announcements = outcome.announcements(&state, request.now_s);
        if !announcements.is_empty() {
            let announced = self.store.commit(&fresh, &announcements).await?;
            if !watch.applied(&announced, APPLIED_WITHIN).await {
                return Err(Failure::Refused(QueryError::not_followed()));
            }
            let before = std::mem::take(&mut fresh);
            match self.run(command, request).await {
                Ok((_, now, still)) => (fresh, outcome) = (now, still),
                Err(failure) => {
                    self.store.take_back(&before, &announced).await?;
                    return Err(failure);
                }
            }
        }
        let (local, stored): (Vec<_>, Vec<_>) = outcome.changes.iter().cloned().partition(is_local);
        let written = self.store.commit(&fresh, &stored).await?;
        if !local.is_empty() {
            self.follower.apply_local(local).await;
        }
        let (stands, applied) =
            tokio::join!(self.store.stands(&fresh, &written), watch.applied(&written, APPLIED_WITHIN));
        if !written.is_empty() && !stands? {
            self.store.take_back(&fresh, &written).await?;
            return Err(Failure::Conflict(format!("what {} relies on", command.name)));
        }
        if !applied {
            tracing::warn!(
                command = command.name,
                "the change is stored but has not come back through the feed; this gateway may lag"
            );
        }
        Ok(outcome)
    }

    /// Runs a command on what is stored at this moment: the state it ran on, what was read for it, and what it wants.
    async fn run(
        &self,
        command: &Command,
        request: &command::Request<'_>,
    ) -> Result<(Snapshot, Fresh, command::Outcome), Failure> {
        let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
        let keys = command.documents(request, &snapshot)?;
        let fresh = self.store.read(&keys).await?;
        let state = snapshot.apply(fresh.changes.iter().cloned());
        let outcome = command.run(request, &state)?;
        Ok((state, fresh, outcome))
    }
}

/// Why an attempt to write did not succeed.
enum Failure {
    /// Somebody else was first; the command runs again.
    Conflict(String),
    /// The caller is told.
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

/// Lives in this process alone.
fn is_local(change: &Change) -> bool {
    matches!(change, Change::Role(_, RolePlace::Memory, _) | Change::Policy(_, PolicyPlace::Memory, _))
}

/// weed's policy ARNs have no account; the policy's own ARN takes their place before anything is decided by it.
fn with_own_policy_arn(params: &[(String, String)], snapshot: &Snapshot) -> Vec<(String, String)> {
    let own = |(name, value): &(String, String)| {
        let weeds = value.strip_prefix("arn:aws:iam:::policy/").filter(|_| name == "PolicyArn");
        let policy = weeds.and_then(|_| snapshot.policy(policy_name_of(value)));
        (name.clone(), policy.map_or_else(|| value.clone(), |policy| policy.arn.to_string()))
    };
    params.iter().map(own).collect()
}

/// Runs what may take long, such as a simulation over many policies, without holding up other requests.
fn at_length<T>(run: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(run),
        _ => run(),
    }
}
