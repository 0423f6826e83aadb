//! docs/s3-operations.md lists every operation where it belongs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use s3::op::Unsupported;
use s3::{KnownOperation, Operation, Routing};

/// Answered from what is stored, with nothing to change yet; those of [`Unsupported`] say it themselves.
const READ: [&str; 12] = [
    "GetBucketAcl",
    "GetBucketCors",
    "GetBucketEncryption",
    "GetBucketLifecycleConfiguration",
    "GetBucketOwnershipControls",
    "GetBucketRequestPayment",
    "GetBucketVersioning",
    "GetObjectAcl",
    "GetObjectLegalHold",
    "GetObjectLockConfiguration",
    "GetObjectRetention",
    "ListObjectVersions",
];
const REFUSED: [&str; 4] = ["PutBucketAcl", "PutObjectAcl", "PutObjectLegalHold", "PutObjectRetention"];

/// A request of the operation, routed.
fn example(known: &KnownOperation) -> Operation {
    let path = ["/", "/bkt", "/bkt/k"][known.path_names];
    let id = if known.has_id { "&id=one" } else { "" };
    let uri = format!("{path}?{}{id}", known.sub_resource.unwrap());
    let head = http::Request::builder().method(known.method).uri(uri).body(()).unwrap().into_parts().0;
    match s3::route(&head, None).unwrap() {
        Routing::S3(operation) => operation,
        other => panic!("{other:?}"),
    }
}

fn is_answered(operation: &Unsupported) -> bool {
    !matches!(operation.answer(), Err(error) if error.code == s3::S3ErrorCode::NotImplemented)
}

#[test]
fn every_operation_stands_in_its_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/s3-operations.md")).unwrap();
    let section = |title: &str| {
        let rest = page.split_once(title).unwrap_or_else(|| panic!("there is no section `{title}`")).1;
        rest.split("\n## ").next().unwrap_or(rest)
    };
    let (read, refused) = (section("## Read, with nothing to change yet"), section("## Refused by name"));
    let mut rows = 0;
    for known in KnownOperation::all() {
        let name = known.name;
        let listed = known.is_listed || READ.contains(&name) || REFUSED.contains(&name);
        if !listed {
            continue;
        }
        let operation = example(&known);
        let is_read = match &operation {
            Operation::Unsupported(unsupported) => is_answered(unsupported),
            _ => READ.contains(&name),
        };
        let action = operation.needs()[0].action;
        let (here, there) = if is_read { (read, refused) } else { (refused, read) };
        let row = here.lines().find(|line| line.starts_with(&format!("| {name} |")));
        assert!(row.is_some_and(|row| row.contains(&format!("`{action}`"))), "{name} with {action}: {row:?}");
        assert!(!there.contains(&format!("| {name} |")), "{name} stands in two tables");
        rows += 1;
    }
    assert!(rows > 60, "{rows} operations");
}
