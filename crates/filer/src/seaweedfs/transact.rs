//! Translates transactions into SeaweedFS's messages, and its errors into ours.
//!
//! Measured on 4.48: the filer creates missing parents. If there is a *file* in place of a parent, it silently becomes
//! a directory that keeps the file's content and attributes. A failing step is reported only as text (`mutation N:
//! ..`); only a failing condition has an error code.
//!
//! Each filer has its own locks, and forwards a transaction to the filer that *it* considers the owner of the path.
//! Filers learn of each other at different times: for seconds after one joins or leaves, a path can have two owners. A
//! transaction with conditions therefore does not rely on forwarding. It goes directly to the owner among the filers on
//! which all gateways have agreed, and that filer is told not to forward it. The owner is computed as the filers do, so
//! once they agree, `weed s3` and unconditional writes use the same filer.

use std::sync::Arc;

use super::metrics::Call;
use super::picked::Pair;
use super::rpc::{CallError, Node, Replay};
use super::wire::{
    Clause, ClauseKind, ErrorCode, MutationType, ObjectMutation, ObjectTransactionRequest, ObjectTransactionResponse,
    Recompute, WriteCondition,
};
use super::{Shared, ring};
use crate::{Condition, FilerError, Guards, Mutation, Note, Transaction};

/// Runs a transaction on the owner of its lock key.
pub(super) async fn run(shared: &Shared, transaction: Transaction) -> Result<(), FilerError> {
    let paths = paths(&transaction);
    let request = request(transaction);
    let guards = shared.guards.get().filter(|_| request.condition.is_some());
    let answer = match guards {
        Some(guards) => by_guard(shared, Arc::clone(guards), request).await?,
        None => by_ring(shared, request).await?,
    };
    outcome(answer, &paths)
}

/// Sends the request to the owner among the filers that all gateways name. The pass is held while the filer may still
/// write.
async fn by_guard(
    shared: &Shared,
    guards: Arc<dyn Guards>,
    request: ObjectTransactionRequest,
) -> Result<ObjectTransactionResponse, FilerError> {
    let pass = guards.pass().await?;
    let owner = ring::owner(&pass.filers, &request.route_key).ok_or(CallError::NoFiler)?;
    let node = shared.ring.named(&shared.filers, owner)?;
    let request = ObjectTransactionRequest { is_moved: true, ..request };
    Ok(shared.filers.unary_within(pass.time, &node, Call::ObjectTransaction, request).await?)
}

/// Lets the filers determine the owner.
///
/// A dead filer stays in the ring for a while, and its peers cannot reach it. Then a peer runs a transaction without
/// conditions itself, at once if the owner is known to be silent: a peer would wait for it. A transaction with
/// conditions fails, because only the owner's lock makes its answer reliable.
async fn by_ring(
    shared: &Shared,
    mut request: ObjectTransactionRequest,
) -> Result<ObjectTransactionResponse, CallError> {
    let call = Call::ObjectTransaction;
    // What is computed from other entries needs the one lock.
    let is_plain = request.condition.is_none() && request.mutations.iter().all(|step| step.recompute.is_none());
    request.is_moved = is_plain && shared.ring.owner_is_silent(&request.route_key);
    let mut answer = shared.filers.unary(call, &request, Replay::OnlyUnsent).await;
    if request.condition.is_none() && answer.as_ref().is_err_and(CallError::owner_was_not_reached) {
        request.is_moved = true;
        answer = shared.filers.unary(call, &request, Replay::OnlyUnsent).await;
    }
    answer
}

/// Runs a transaction that needs no lock. Any filer may run it, not only the owner of its lock key. It is sent at most once.
pub(super) async fn run_anywhere(shared: &Shared, transaction: Transaction) -> Result<(), FilerError> {
    let paths = paths(&transaction);
    let request = ObjectTransactionRequest { is_moved: true, ..request(transaction) };
    outcome(shared.filers.unary(Call::ObjectTransaction, &request, Replay::OnlyUnsent).await?, &paths)
}

/// Runs a transaction on one process, even if that process does not own its lock key.
pub(super) async fn run_on(shared: &Shared, node: &Node, transaction: Transaction) -> Result<(), FilerError> {
    let paths = paths(&transaction);
    let request = ObjectTransactionRequest { is_moved: true, ..request(transaction) };
    outcome(shared.filers.unary_on(node, Call::ObjectTransaction, request).await?, &paths)
}

/// The prefix of route keys of object writes. Kelpgate and `weed s3` must name the same owner for the same path.
const ROUTE_PREFIX: &str = "s3.object.write:";

fn request(transaction: Transaction) -> ObjectTransactionRequest {
    let clauses: Vec<Clause> = transaction.conditions.into_iter().map(clause).collect();
    ObjectTransactionRequest {
        route_key: format!("{ROUTE_PREFIX}{}", transaction.lock_key),
        lock_key: transaction.lock_key,
        condition: (!clauses.is_empty()).then_some(WriteCondition { clauses }),
        condition_key: transaction.condition_key.unwrap_or_default(),
        mutations: transaction.mutations.into_iter().map(mutation).collect(),
        is_moved: false,
    }
}

/// A condition in SeaweedFS's form. The filer compares `*` as if it were an ETag, so `*` becomes a test for existence.
fn clause(condition: Condition) -> Clause {
    let any = |etags: &[String]| etags.iter().any(|etag| etag == "*");
    let of = |kind: ClauseKind| Clause { kind: kind.into(), ..Clause::default() };
    match condition {
        Condition::NotExists => of(ClauseKind::IfNotExists),
        Condition::Exists => of(ClauseKind::IfExists),
        Condition::EtagMatches(etags) if any(&etags) => of(ClauseKind::IfExists),
        Condition::EtagMatches(etags) => Clause { etags, ..of(ClauseKind::IfEtagMatch) },
        Condition::EtagDiffers(etags) if any(&etags) => of(ClauseKind::IfNotExists),
        Condition::EtagDiffers(etags) => Clause { etags, ..of(ClauseKind::IfEtagNotMatch) },
        Condition::UnmodifiedSince(unix_time) => Clause { unix_time, ..of(ClauseKind::IfUnmodifiedSince) },
        Condition::ModifiedSince(unix_time) => Clause { unix_time, ..of(ClauseKind::IfModifiedSince) },
        Condition::AttributeIsNot { name, value } => {
            Clause { ext_key: name, ext_value: value, ..of(ClauseKind::IfExtendedNotEqual) }
        }
        Condition::TimeHasCome { name, only_if } => {
            let (gate_key, gate_value) = only_if.unwrap_or_default();
            Clause { ext_key: name, gate_key, gate_value, ..of(ClauseKind::IfExtendedTimeElapsed) }
        }
    }
}

fn mutation(step: Mutation) -> ObjectMutation {
    match step {
        Mutation::Put { directory, entry } => ObjectMutation {
            r#type: MutationType::Put.into(),
            name: entry.name.clone(),
            directory,
            entry: Some(entry),
            ..Default::default()
        },
        Mutation::Delete { directory, name, delete_data, recursive } => ObjectMutation {
            r#type: MutationType::Delete.into(),
            directory,
            name,
            is_delete_data: delete_data,
            is_recursive: recursive,
            ..Default::default()
        },
        Mutation::Patch { directory, name, set, remove, content } => ObjectMutation {
            r#type: MutationType::PatchExtended.into(),
            directory,
            name,
            set_extended: set,
            delete_extended: remove,
            set_content: content.is_some(),
            content: content.unwrap_or_default(),
            ..Default::default()
        },
        Mutation::Note(note) => ObjectMutation {
            r#type: MutationType::RecomputeLatest.into(),
            directory: note.directory.clone(),
            name: note.name.clone(),
            recompute: Some(Box::new(recompute(*note))),
            ..Default::default()
        },
    }
}

fn recompute(note: Note) -> Recompute {
    let (demote_key, demote_value) = note.displaced.unwrap_or_default();
    Recompute {
        scan_dir: join(&note.directory, &note.name),
        descending: note.last,
        copy_extended: note.copied.into_iter().map(|(to, from)| Pair::of(to, from)).collect(),
        name_to_key: note.name_to,
        size_to_key: note.size_to,
        mtime_to_key: note.mtime_to,
        demote_key,
        demote_value,
        exclude_name: note.except.unwrap_or_default(),
    }
}

/// Reads the answer. `paths` are the paths of the steps, to name the one that failed.
fn outcome(answer: ObjectTransactionResponse, paths: &[String]) -> Result<(), FilerError> {
    let code = answer.error_code();
    let text = answer.error;
    if text.is_empty() && code == ErrorCode::Ok {
        return Ok(());
    }
    let step =
        text.strip_prefix("mutation ").and_then(|rest| rest.split(':').next()).and_then(|n| n.parse::<usize>().ok());
    let path = paths.get(step.unwrap_or(0)).cloned().unwrap_or_default();
    let says = |needle: &str| text.contains(needle);
    Err(match code {
        ErrorCode::PreconditionFailed => FilerError::PreconditionFailed,
        ErrorCode::EntryNameTooLong => FilerError::NameTooLong(path),
        ErrorCode::ParentIsFile => FilerError::ParentIsFile(path),
        ErrorCode::ExistingIsDirectory => FilerError::ExistingIsDirectory(path),
        ErrorCode::ExistingIsFile => FilerError::ExistingIsFile(path),
        ErrorCode::Ok | ErrorCode::EntryAlreadyExists if says("existing entry is a directory") => {
            FilerError::ExistingIsDirectory(path)
        }
        ErrorCode::Ok | ErrorCode::EntryAlreadyExists if says("existing entry is a file") => {
            FilerError::ExistingIsFile(path)
        }
        ErrorCode::Ok | ErrorCode::EntryAlreadyExists if says("parent path is a file") => {
            FilerError::ParentIsFile(path)
        }
        ErrorCode::Ok | ErrorCode::EntryAlreadyExists if says("non-empty folder") => FilerError::NotEmpty(path),
        ErrorCode::Ok | ErrorCode::EntryAlreadyExists if says("entry name too long") => FilerError::NameTooLong(path),
        ErrorCode::Ok | ErrorCode::EntryAlreadyExists => FilerError::Other(text),
    })
}

/// The paths of the steps, in order.
fn paths(transaction: &Transaction) -> Vec<String> {
    let path = |step: &Mutation| match step {
        Mutation::Put { directory, entry } => join(directory, &entry.name),
        Mutation::Delete { directory, name, .. } | Mutation::Patch { directory, name, .. } => join(directory, name),
        Mutation::Note(note) => join(&note.directory, &note.name),
    };
    transaction.mutations.iter().map(path).collect()
}

fn join(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}
