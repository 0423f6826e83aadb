//! What is stored and configured, read and written. A row is a text and what becomes of it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod broken;
mod documents;
mod files;
mod providers;
mod refusals;

use iam::{
    AccountAlias, GroupRecord, InlinePolicyRecord, InstanceProfile, OidcProvider, PolicyRecord, RoleRecord,
    ServiceAccount, UserRecord,
};
use iam_formats::{Facts, StoredDocument};

/// A document read and written again, with the facts beside it.
type Rewritten = Result<(String, Option<String>), String>;

fn rewrite<T: StoredDocument>(text: &str, facts: &str) -> Rewritten {
    let facts = if facts.is_empty() { Ok(Facts::default()) } else { Facts::parse(facts) };
    let entity = facts.and_then(|facts| T::parse(text, facts)).map_err(|error| error.to_string())?;
    Ok((entity.to_text(), entity.facts().to_text()))
}

/// Reads and writes a document of this kind.
fn rewritten(kind: &str, text: &str, facts: &str) -> Rewritten {
    let rewrite = match kind {
        "user" => rewrite::<UserRecord>,
        "group" => rewrite::<GroupRecord>,
        "role" => rewrite::<RoleRecord>,
        "policy" => rewrite::<PolicyRecord>,
        "inline policy" => rewrite::<InlinePolicyRecord>,
        "service account" => rewrite::<ServiceAccount>,
        "provider" => rewrite::<OidcProvider>,
        "profile" => rewrite::<InstanceProfile>,
        "alias" => rewrite::<AccountAlias>,
        other => panic!("no kind {other}"),
    };
    rewrite(text, facts)
}

/// The smallest document of each kind.
const SMALLEST: [(&str, &str); 7] = [
    ("user", r#"{"name":"al"}"#),
    ("group", r#"{"name":"g"}"#),
    ("role", r#"{"roleName":"R","trustPolicy":{},"attachedPolicies":[]}"#),
    ("service account", r#"{"id":"sa:al:1","parent_user":"al"}"#),
    ("provider", r#"{"arn":"a","url":"u","createdAt":"1970-01-01T00:00:00Z","updatedAt":"1970-01-01T00:00:00Z"}"#),
    ("profile", r#"{"name":"web","id":"","account":"1","path":"/","roles":[],"created":0}"#),
    ("alias", r#"{"account":"1","alias":"reef"}"#),
];
