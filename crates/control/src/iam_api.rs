//! The IAM query API: authorise, run the command on what is stored, write it by compare-and-swap, wait until it is applied here.

use std::sync::Arc;
use std::time::Duration;

use iam::{Change, Command, IamError, LastUsed, PolicyPlace, RolePlace, Snapshot, command, policy_name_of};
use policy::Context;
use store::{IamStore, StoreError};
use sts::xml::Service;
use tokio::sync::Mutex;

use crate::feed::Follower;
use crate::last_used::Recorder;
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
    recorder: Arc<Recorder>,
    /// Documents in memory have no compare-and-swap: their writers take turns.
    in_memory: Mutex<()>,
}

impl IamApi {
    /// `read_only` is `-iam.readOnly`: whatever writes is refused.
    pub fn new(follower: Arc<Follower>, store: Arc<dyn IamStore>, read_only: bool, recorder: Arc<Recorder>) -> Self {
        Self { follower, store, read_only, recorder, in_memory: Mutex::new(()) }
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
        let last_used = if command.reads_last_used() { self.recorder.read().await? } else { LastUsed::default() };
        let (caller, now_s, random) = (call.caller, call.now_s, call.random);
        let request = command::Request { params: &params, caller, now_s, random, last_used: &last_used };
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
            let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
            let keys = command.documents(request, &snapshot)?;
            let in_memory = self.in_memory.lock().await;
            let snapshot = self.follower.current().ok_or_else(QueryError::not_loaded)?;
            let fresh = self.store.read(&keys).await?;
            let state = snapshot.apply(fresh.changes.iter().cloned());
            let outcome = command.run(request, &state)?;
            let (local, stored): (Vec<_>, Vec<_>) = outcome.changes.iter().cloned().partition(is_local);
            if local.is_empty() {
                drop(in_memory); // the compare-and-swap guards it
            }
            match self.store.commit(&fresh, &stored).await {
                Ok(written) => {
                    if !local.is_empty() {
                        self.follower.apply_local(local).await;
                    }
                    if !watch.applied(&written, APPLIED_WITHIN).await {
                        tracing::warn!(
                            command = command.name,
                            "the change is stored but has not come back through the feed; this gateway may lag"
                        );
                    }
                    return Ok(outcome);
                }
                Err(StoreError::Conflict(path)) => {
                    tracing::debug!(path, attempt, "somebody else wrote first; running the command again");
                    let most_ms = 2u64 << attempt.min(5);
                    tokio::time::sleep(Duration::from_millis(rand::random_range(0..most_ms))).await;
                }
                Err(error) => return Err(error.into()),
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
