//! The IAM actions: (Snapshot, Request) -> what to write and what to answer. Pure; the store makes it durable.

mod access_key;
mod access_key_last_used;
mod account_alias;
mod account_authorization_details;
mod account_summary;
mod attachment;
mod credential_report;
mod deletion;
mod entities_for_policy;
mod group;
mod inline_policy;
mod instance_profile;
mod managed_policy;
mod never_there;
mod oidc_provider;
mod params;
mod permissions_boundary;
mod rename;
mod role;
mod service_account;
mod simulation;
mod tags;
mod uniqueness;
mod user;
mod validate_policy;
mod xml;

#[cfg(test)]
mod tests;

use crate::caller::Caller;
use crate::change::{Change, DocumentKey};
use crate::last_used::LastUsed;
use crate::snapshot::Snapshot;

pub use params::Params;
pub(crate) use params::is_name;
pub use rename::Rename;

/// One call of the IAM API.
pub struct Request<'a> {
    /// Its parameters, `Action` and `Version` included or not.
    pub params: &'a Params,
    /// Who calls.
    pub caller: &'a Caller,
    /// Seconds since 1970.
    pub now_s: i64,
    /// Fresh random bytes for ids and keys.
    pub random: &'a [u8; 96],
    /// When keys and roles were last used; empty for commands that do not ask ([`Command::reads_last_used`]).
    pub last_used: &'a LastUsed,
}

/// What a command does: documents to write, in this order, each prefix of which is safe; and the answer.
#[derive(Debug, Default)]
pub struct Outcome {
    /// To write, in order.
    pub changes: Vec<Change>,
    /// What stands inside `<...Result>`; `None` for actions without a result.
    pub result: Option<String>,
}

impl Outcome {
    /// The answer of a command that only reads.
    fn answer(result: String) -> Self {
        Self { result: Some(result), ..Self::default() }
    }

    /// Changes, and an answer without a result.
    fn of(changes: Vec<Change>) -> Self {
        Self { changes, ..Self::default() }
    }
}

/// Why a command is refused: AWS's code and HTTP status, and a message that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct IamError {
    /// For example `NoSuchEntity`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// For people.
    pub message: String,
}

impl IamError {
    pub(crate) fn new(code: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self { code, status, message: message.into() }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationError", 400, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidInput", 400, message)
    }

    pub(crate) fn no_such_entity(message: impl Into<String>) -> Self {
        Self::new("NoSuchEntity", 404, message)
    }

    pub(crate) fn exists(message: impl Into<String>) -> Self {
        Self::new("EntityAlreadyExists", 409, message)
    }

    pub(crate) fn delete_conflict(message: impl Into<String>) -> Self {
        Self::new("DeleteConflict", 409, message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new("LimitExceeded", 409, message)
    }

    pub(crate) fn unmodifiable(message: impl Into<String>) -> Self {
        Self::new("UnmodifiableEntity", 400, message)
    }

    /// The answer to anything that Kelpgate does not do, by name.
    pub fn not_implemented(what: &str) -> Self {
        Self::new("NotImplemented", 501, format!("{what} is not implemented by this server"))
    }
}

type Answer = Result<Outcome, IamError>;

/// What a command may do to anybody's rights: it decides what its caller is told while the change is not enforced everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    Reads,
    /// It only makes something new: whoever is asked by an older state is refused, or gets what he had.
    Grants,
    /// It may take a right from somebody: it removes, or replaces, or adds a policy, membership or tag, through which a Deny may come.
    Revokes,
}

/// One action of the IAM API.
pub struct Command {
    /// Its name, without `iam:`.
    pub name: &'static str,
    /// What it may do to anybody's rights.
    pub effect: Effect,
    documents: Documents,
    run: Run,
}

impl Command {
    /// The command for an action.
    ///
    /// Error: `NotImplemented` for any other, by name.
    pub fn find(action: &str) -> Result<&'static Self, IamError> {
        let found = Self::all().find(|command| command.name == action);
        found.ok_or_else(|| IamError::not_implemented(&format!("the IAM action `{action}`")))
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        let tables = [user::COMMANDS, access_key::COMMANDS, inline_policy::COMMANDS, managed_policy::COMMANDS];
        let tables = tables.into_iter().chain([attachment::COMMANDS, role::COMMANDS, group::COMMANDS]);
        let tables = tables.chain([
            simulation::COMMANDS,
            validate_policy::COMMANDS,
            tags::COMMANDS,
            permissions_boundary::COMMANDS,
        ]);
        let tables = tables.chain([oidc_provider::COMMANDS, service_account::COMMANDS, instance_profile::COMMANDS]);
        let tables = tables.chain([entities_for_policy::COMMANDS, account_summary::COMMANDS, account_alias::COMMANDS]);
        let tables = tables.chain([credential_report::COMMANDS, access_key_last_used::COMMANDS]);
        tables.chain([account_authorization_details::COMMANDS, never_there::COMMANDS]).flatten()
    }

    /// Whether it changes anything.
    pub fn writes(&self) -> bool {
        self.effect != Effect::Reads
    }

    /// Whether it may take a right from somebody, see [`Effect::Revokes`].
    pub fn revokes(&self) -> bool {
        self.effect == Effect::Revokes
    }

    /// The documents to read afresh before [`Command::run`]; none for commands that only read.
    pub fn documents(&self, request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
        if self.writes() { (self.documents)(request, state) } else { Ok(Vec::new()) }
    }

    /// Runs on a state into which the documents were applied.
    pub fn run(&self, request: &Request<'_>, state: &Snapshot) -> Result<Outcome, IamError> {
        (self.run)(request, state)
    }

    /// Whether its cost depends on more than what is stored: on documents of the call.
    pub fn is_costly(&self) -> bool {
        self.name == "ValidatePolicy"
            || ["Simulate", "GetContextKeys"].iter().any(|prefix| self.name.starts_with(prefix))
    }

    /// Whether it tells when keys or roles were last used, which only the store knows for all gateways.
    pub fn reads_last_used(&self) -> bool {
        ["GetAccessKeyLastUsed", "GetCredentialReport", "GetRole", "GetAccountAuthorizationDetails"]
            .contains(&self.name)
    }

    /// The whole answer.
    pub fn respond(&self, outcome: &Outcome, request_id: &str) -> String {
        xml::response(self.name, outcome.result.as_deref(), request_id)
    }
}

fn reads_nothing(_: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    Ok(Vec::new())
}

type Documents = fn(&Request<'_>, &Snapshot) -> Result<Vec<DocumentKey>, IamError>;
type Run = fn(&Request<'_>, &Snapshot) -> Answer;

const fn read(name: &'static str, run: Run) -> Command {
    Command { name, effect: Effect::Reads, documents: reads_nothing, run }
}

const fn grant(name: &'static str, documents: Documents, run: Run) -> Command {
    Command { name, effect: Effect::Grants, documents, run }
}

const fn revoke(name: &'static str, documents: Documents, run: Run) -> Command {
    Command { name, effect: Effect::Revokes, documents, run }
}
