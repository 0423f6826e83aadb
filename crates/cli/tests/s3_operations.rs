//! docs/s3-operations.md lists every operation in the right table.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use s3::op::{Outcome, Unsupported};
use s3::{Configurations, KnownOperation, Operation, Routing, S3Operation};

/// Operations that are answered from what is stored, with nothing to change yet. Those of [`Unsupported`] are known
/// from the type.
const READ: [&str; 2] = ["GetBucketEncryption", "GetBucketLifecycleConfiguration"];

/// A request of the operation, routed.
fn example(known: &KnownOperation) -> Operation {
    let head = testkit::operations::example(known, false).unwrap();
    match s3::route(&head, None).unwrap() {
        Routing::S3(operation) => operation,
        other => panic!("{other:?}"),
    }
}

/// The title of the section that has an operation which is not supported.
fn place(operation: &Unsupported) -> &'static str {
    match operation.answer(None, &Configurations::new()) {
        _ if operation.is_kept() => "## Kept without effect",
        Ok(Outcome::NotSet) => "## Nothing to change",
        _ if operation.body_limit().is_some() => "## Nothing to change",
        Err(error) if error.code == s3::S3ErrorCode::NotImplemented => "## Refused by name",
        _ => "## Read-only",
    }
}

#[test]
fn every_operation_is_in_its_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/s3-operations.md")).unwrap();
    let section = |title: &str| {
        let rest = page.split_once(title).unwrap_or_else(|| panic!("there is no section `{title}`")).1;
        rest.split("\n## ").next().unwrap_or(rest)
    };
    let mut rows = 0;
    for known in KnownOperation::all() {
        let name = known.name;
        let listed = known.is_listed || READ.contains(&name);
        if !listed {
            continue;
        }
        let operation = example(&known);
        let here = match &operation {
            Operation::Unsupported(unsupported) => place(unsupported),
            _ if READ.contains(&name) => "## Read-only",
            _ => "## Refused by name",
        };
        let action = operation.needs()[0].action;
        let row = section(here).lines().find(|line| line.starts_with(&format!("| {name} |")));
        assert!(row.is_some_and(|row| row.contains(&format!("`{action}`"))), "{name} with {action}: {row:?}");
        assert_eq!(page.matches(&format!("| {name} |")).count(), 1, "{name} is in two tables");
        rows += 1;
    }
    assert!(rows > 40, "{rows} operations");
}
