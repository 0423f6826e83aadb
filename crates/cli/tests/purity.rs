//! The crates that ARCHITECTURE.md calls pure are linted as such: `clippy-pure.toml` bans clock, environment, randomness and files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What brings sockets, threads, random numbers or a log with it.
const IMPURE: [&str; 10] =
    ["async-trait", "futures-util", "getrandom", "hyper", "hyper-util", "rand", "redb", "rustix", "tokio", "tracing"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// The crates of the sentence "Pure crates stay pure".
fn pure() -> BTreeSet<String> {
    let text = read("ARCHITECTURE.md");
    let (_, rest) = text.split_once("**Pure crates stay pure.**").unwrap();
    let (crates, _) = rest.split_once("use no ").unwrap();
    crates.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn pure_crates_and_no_others_have_the_lints_of_pure_crates() {
    let lints = read("clippy-pure.toml");
    assert!(lints.contains("std::time::SystemTime::now"), "clippy-pure.toml is missing");
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().file_name());
    let names = crates.map(|name| name.into_string().unwrap());
    let linted: BTreeSet<String> = names.filter(|name| read(&format!("crates/{name}/clippy.toml")) == lints).collect();
    assert_eq!(linted, pure(), "left: crates/*/clippy.toml that are links to clippy-pure.toml, right: ARCHITECTURE.md");
}

#[test]
fn lints_of_all_crates_are_lints_of_pure_crates_too() {
    let pure = read("clippy-pure.toml");
    let missing: Vec<String> =
        read("clippy.toml").lines().filter(|line| !pure.contains(line)).map(str::to_owned).collect();
    assert!(missing.is_empty(), "clippy.toml has lines that clippy-pure.toml has not: {missing:?}");
}

#[test]
fn pure_crates_depend_on_nothing_impure() {
    for name in pure() {
        let manifest = read(&format!("crates/{name}/Cargo.toml"));
        let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        let named = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned();
        let impure: Vec<String> =
            dependencies.lines().map(named).filter(|line| IMPURE.contains(&line.as_str())).collect();
        assert!(impure.is_empty(), "{name} depends on {impure:?}");
    }
}
