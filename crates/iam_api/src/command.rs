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
mod key_expiry;
mod managed_policy;
mod mfa_device;
mod oidc_provider;
mod params;
mod permissions_boundary;
mod policy_document;
mod public_access_block;
mod rename;
mod role;
mod service_account;
mod session_revocation;
mod simulation;
mod tagging;
mod tags;
mod uniqueness;
mod unsupported_credentials;
mod user;
mod validate_policy;

#[cfg(test)]
mod tests;

use iam::{Caller, Change, DocumentKey, LastUsed, Snapshot};

use crate::action::{Further, Key, Permission, QueryAction, Resource, ResourceOf};
use crate::answer::{self, Service};
use crate::error::IamError;
use crate::params::Params;
pub use rename::Rename;

/// A call of the IAM API.
pub struct Request<'a> {
    /// Its parameters. `Action` and `Version` may be included.
    pub params: &'a Params,
    /// The caller.
    pub caller: &'a Caller,
    /// Seconds since 1970.
    pub now_s: i64,
    /// Fresh random bytes for ids and keys.
    pub random: &'a [u8; 96],
    /// When keys and roles were last used; empty for commands that do not need it ([`Command::reads_last_used`]).
    pub last_used: &'a LastUsed,
}

/// The result of a command: documents to write, in an order in which it is safe to stop after any of them; and the
/// answer.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The changes to write, in order.
    pub changes: Vec<Change>,
    /// The content of `<...Result>`; `None` for actions without a result.
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

type Answer = Result<Outcome, IamError>;

/// How a command may affect permissions. It determines what the caller is told while the change is not enforced
/// everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    Reads,
    /// It only creates something new: a gateway with older state refuses, or answers as before.
    Grants,
    /// It may take a permission away: it removes or replaces something, or adds a policy, membership or tag that may
    /// cause a Deny.
    Revokes,
}

/// An action of the IAM API that Kelpgate runs.
pub struct Command {
    /// What is known of the action.
    pub action: QueryAction,
    /// How it may affect permissions.
    pub effect: Effect,
    /// Whether its cost also depends on documents in the call, and not only on what is stored.
    pub is_costly: bool,
    /// Whether it reports when keys or roles were last used, which only the store knows for all gateways.
    pub reads_last_used: bool,
    /// Whether it changes the access keys of a user, and nothing else of the user.
    pub is_about_keys: bool,
    documents: Documents,
    run: Run,
}

impl Command {
    /// The command for an action.
    ///
    /// Fails with `NotImplemented`, by name, for any other action.
    pub fn find(action: &str) -> Result<&'static Self, IamError> {
        let found = Self::all().find(|command| command.action.name == action);
        found.ok_or_else(|| IamError::not_implemented(&format!("the IAM action `{action}`")))
    }

    /// All commands.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        const TABLES: &[&[Command]] = &[
            user::COMMANDS,
            access_key::COMMANDS,
            inline_policy::COMMANDS,
            managed_policy::COMMANDS,
            attachment::COMMANDS,
            role::COMMANDS,
            group::COMMANDS,
            simulation::COMMANDS,
            validate_policy::COMMANDS,
            tagging::COMMANDS,
            permissions_boundary::COMMANDS,
            oidc_provider::COMMANDS,
            service_account::COMMANDS,
            instance_profile::COMMANDS,
            entities_for_policy::COMMANDS,
            account_summary::COMMANDS,
            account_alias::COMMANDS,
            credential_report::COMMANDS,
            access_key_last_used::COMMANDS,
            account_authorization_details::COMMANDS,
            unsupported_credentials::COMMANDS,
            session_revocation::COMMANDS,
            mfa_device::COMMANDS,
            public_access_block::COMMANDS,
        ];
        TABLES.iter().copied().flatten()
    }

    /// Whether it is about buckets, like their settings, and not about IAM. `-iam.readOnly` does not concern it.
    pub fn is_of_s3(&self) -> bool {
        matches!(self.action.permission, Permission::Named(name) if name.starts_with("s3:"))
    }

    /// Whether it changes anything.
    pub fn writes(&self) -> bool {
        self.effect != Effect::Reads
    }

    /// Whether it may take a permission away, see [`Effect::Revokes`].
    pub fn revokes(&self) -> bool {
        self.effect == Effect::Revokes
    }

    /// The documents to read again before [`Command::run`]; empty for commands that only read.
    pub fn documents(&self, request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
        if self.writes() { (self.documents)(request, state) } else { Ok(Vec::new()) }
    }

    /// Runs on a state to which the documents have been applied.
    pub fn run(&self, request: &Request<'_>, state: &Snapshot) -> Result<Outcome, IamError> {
        (self.run)(request, state)
    }

    const fn new(name: &'static str, effect: Effect, documents: Documents, run: Run) -> Self {
        let action = QueryAction::iam(name);
        Self { action, effect, is_costly: false, reads_last_used: false, is_about_keys: false, documents, run }
    }

    /// It is an action of SeaweedFS that needs this permission.
    const fn needing(self, permission: &'static str) -> Self {
        let action = QueryAction { permission: Permission::Named(permission), ..self.action };
        Self { action, ..self }
    }

    /// It makes the entity that it is about.
    const fn making(self) -> Self {
        let action = QueryAction { resource: Resource::New, ..self.action };
        Self { action, ..self }
    }

    /// It is about the resource whose ARN this parameter has.
    const fn about_arn(self, parameter: &'static str) -> Self {
        let action = QueryAction { resource: Resource::Arn(parameter), ..self.action };
        Self { action, ..self }
    }

    /// It is about the resource that this function reads from a call.
    const fn about(self, resource: ResourceOf) -> Self {
        let action = QueryAction { resource: Resource::By(resource), ..self.action };
        Self { action, ..self }
    }

    /// It needs more permissions than its own.
    const fn also_needing(self, further: Further) -> Self {
        let action = QueryAction { further: Some(further), ..self.action };
        Self { action, ..self }
    }

    /// It needs this permission too if the call has tags.
    const fn tagging(self, permission: &'static str) -> Self {
        let action = QueryAction { tagging: Some(permission), ..self.action };
        Self { action, ..self }
    }

    /// It sets these condition keys.
    const fn setting(self, keys: &'static [Key]) -> Self {
        let action = QueryAction { keys, ..self.action };
        Self { action, ..self }
    }

    /// Its condition key `iam:PermissionsBoundary` is the present boundary of the user or role.
    const fn with_boundary(self) -> Self {
        let action = QueryAction { has_boundary_of_entity: true, ..self.action };
        Self { action, ..self }
    }

    const fn costly(self) -> Self {
        Self { is_costly: true, ..self }
    }

    const fn reading_last_used(self) -> Self {
        Self { reads_last_used: true, ..self }
    }

    const fn about_keys(self) -> Self {
        Self { is_about_keys: true, ..self }
    }

    /// The complete answer.
    pub fn respond(&self, outcome: &Outcome, request_id: &str) -> String {
        answer::response(Service::Iam, self.action.name, outcome.result.as_deref(), request_id)
    }
}

fn reads_nothing(_: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    Ok(Vec::new())
}

type Documents = fn(&Request<'_>, &Snapshot) -> Result<Vec<DocumentKey>, IamError>;
type Run = fn(&Request<'_>, &Snapshot) -> Answer;

const fn read(name: &'static str, run: Run) -> Command {
    Command::new(name, Effect::Reads, reads_nothing, run)
}

const fn grant(name: &'static str, documents: Documents, run: Run) -> Command {
    Command::new(name, Effect::Grants, documents, run)
}

const fn revoke(name: &'static str, documents: Documents, run: Run) -> Command {
    Command::new(name, Effect::Revokes, documents, run)
}
