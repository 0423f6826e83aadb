//! Transactions in SeaweedFS's words, and its errors in ours.
//!
//! Measured on 4.48: parents are made by the filer; a *file* in the way of a parent is silently turned into a directory that
//! keeps the file's content and attributes; a failing step is told by text alone (`mutation N: ..`), only a failing condition
//! has an error code.
//!
//! A filer locks paths for itself alone, and passes a transaction on to the filer that *it* takes for the owner of the path. Filers learn
//! of each other at different times: for seconds after one joins or leaves, two of them are the owner of one path. So a transaction with
//! conditions does not rely on it, but goes to the owner among the filers that all gateways have agreed on, which is asked to pass
//! nothing on. Their order is the filers' own, so that once they have settled `weed s3` and unconditional writes meet it there.

use std::sync::Arc;

use super::metrics::Call;
use super::rpc::{CallError, Node, Replay};
use super::wire::{
    Clause, ClauseKind, ErrorCode, MutationType, ObjectMutation, ObjectTransactionRequest, ObjectTransactionResponse,
    WriteCondition,
};
use super::{Shared, ring};
use crate::{Condition, FilerError, Guards, Mutation, Transaction};

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

/// The owner is the one of the filers that all gateways name. The pass is held while the filer may still write.
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

/// The owner is the one that the filers name.
///
/// A filer that died stays in the ring for a while, and its peers cannot reach it. Then a transaction without conditions is
/// run by the peer itself; one with conditions fails, because only the owner's lock makes its answer true.
async fn by_ring(
    shared: &Shared,
    mut request: ObjectTransactionRequest,
) -> Result<ObjectTransactionResponse, CallError> {
    let call = Call::ObjectTransaction;
    let mut answer = shared.filers.unary(call, &request, Replay::OnlyUnsent).await;
    if request.condition.is_none() && answer.as_ref().is_err_and(CallError::owner_was_not_reached) {
        request.is_moved = true;
        answer = shared.filers.unary(call, &request, Replay::OnlyUnsent).await;
    }
    answer
}

/// Runs a transaction on one process, whoever owns its lock key.
pub(super) async fn run_on(shared: &Shared, node: &Node, transaction: Transaction) -> Result<(), FilerError> {
    let paths = paths(&transaction);
    let request = ObjectTransactionRequest { is_moved: true, ..request(transaction) };
    outcome(shared.filers.unary_on(node, Call::ObjectTransaction, request).await?, &paths)
}

/// The prefix of route keys of object writes: gateways of both kinds must name the same owner for the same path.
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

/// The filer compares `*` as if it were an ETag, so that it is asked for existence instead.
fn clause(condition: Condition) -> Clause {
    let any = |etags: &[String]| etags.iter().any(|etag| etag == "*");
    let (kind, etags, unix_time) = match condition {
        Condition::NotExists => (ClauseKind::IfNotExists, Vec::new(), 0),
        Condition::Exists => (ClauseKind::IfExists, Vec::new(), 0),
        Condition::EtagMatches(etags) if any(&etags) => (ClauseKind::IfExists, Vec::new(), 0),
        Condition::EtagMatches(etags) => (ClauseKind::IfEtagMatch, etags, 0),
        Condition::EtagDiffers(etags) if any(&etags) => (ClauseKind::IfNotExists, Vec::new(), 0),
        Condition::EtagDiffers(etags) => (ClauseKind::IfEtagNotMatch, etags, 0),
        Condition::UnmodifiedSince(seconds) => (ClauseKind::IfUnmodifiedSince, Vec::new(), seconds),
        Condition::ModifiedSince(seconds) => (ClauseKind::IfModifiedSince, Vec::new(), seconds),
    };
    Clause { kind: kind.into(), etags, unix_time, allow_weak: false }
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
    }
}

/// Reads the answer; `paths` are the paths of the steps, to name the one that failed.
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
    let join = |directory: &str, name: &str| format!("{}/{name}", directory.trim_end_matches('/'));
    let path = |step: &Mutation| match step {
        Mutation::Put { directory, entry } => join(directory, &entry.name),
        Mutation::Delete { directory, name, .. } | Mutation::Patch { directory, name, .. } => join(directory, name),
    };
    transaction.mutations.iter().map(path).collect()
}
