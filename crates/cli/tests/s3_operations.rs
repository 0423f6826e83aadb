//! docs/s3-operations.md lists every operation where it belongs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use s3::op::OtherOperation;

#[test]
fn every_operation_stands_in_its_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/s3-operations.md")).unwrap();
    let answered = fs::read_to_string(root.join("crates/gateway/src/op/configuration.rs")).unwrap();
    let words: Vec<&str> = answered.split(|c: char| !c.is_alphanumeric() && c != ':').collect();
    let section = |title: &str| {
        let rest = page.split_once(title).unwrap_or_else(|| panic!("there is no section `{title}`")).1;
        rest.split("\n## ").next().unwrap_or(rest)
    };
    let (read, refused) = (section("## Read, with nothing to change yet"), section("## Refused by name"));
    for operation in OtherOperation::all() {
        let (name, action) = (operation.name(), operation.action(false));
        let is_answered = words.contains(&format!("Op::{name}").as_str());
        let (here, there) = if is_answered { (read, refused) } else { (refused, read) };
        let row = here.lines().find(|line| line.starts_with(&format!("| {name} |")));
        assert!(row.is_some_and(|row| row.contains(&format!("`{action}`"))), "{name} with {action}: {row:?}");
        assert!(!there.contains(&format!("| {name} |")), "{name} stands in two tables");
    }
}
