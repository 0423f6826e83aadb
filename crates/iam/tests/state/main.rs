//! IAM state through its public surface. Entities are written as the documents that SeaweedFS would store.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod aws_managed;
mod buckets;
mod callers;
mod changes;
mod federation;
mod lookups;
mod policy_ids;
mod snapshot;

/// What is wrong with a subject, by its text.
fn problem(state: &iam::Snapshot, about: &str) -> Option<String> {
    state.problems().find(|(subject, _)| subject.to_string() == about).map(|(_, why)| why.to_owned())
}
