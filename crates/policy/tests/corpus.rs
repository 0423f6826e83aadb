//! Runs the cases of `tests/corpus` and, if it is next to the workspace, the whole corpus. Every row has to agree.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the test reads files and reports what it ran"
)]

use std::fs;
use std::path::{Path, PathBuf};

use policy::cases::{answer_line, simulate_line, validate_line};
use serde_json::Value;

const DECISIONS: [&str; 3] = ["decisions-hand", "decisions-ruled", "decisions-generated"];
/// Rows from other projects' tests, which are not part of this repository.
const DERIVED: &str = "decisions-derived";

fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The whole corpus, if it is there.
fn shared() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/open");
    if !path.is_dir() {
        println!("no {}: only the rows of tests/corpus were run", path.display());
        return None;
    }
    Some(path)
}

/// Runs every row of a file. Returns the rows that do not agree, and the number of rows.
fn run(file: &Path, answer: fn(&str) -> String, field: &str) -> (Vec<String>, usize) {
    let text = fs::read_to_string(file).unwrap();
    let disagreements = text.lines().filter_map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let got: Value = serde_json::from_str(&answer(line)).unwrap();
        let codes_differ = got["error"].is_string() && row["error"].is_string() && got["error"] != row["error"];
        let wrong = got[field] != row["expected"] || codes_differ || got["id"] != row["id"];
        wrong.then(|| {
            format!(
                "{}: {} is expected ({}): {got}",
                row["id"],
                row["expected"],
                row["reason"].as_str().unwrap_or_default()
            )
        })
    });
    (disagreements.collect(), text.lines().count())
}

fn all_agree(directories: &[PathBuf], names: &[&str], answer: fn(&str) -> String, field: &str) {
    let mut wrong = Vec::new();
    for directory in directories {
        for name in names {
            let (disagreements, rows) = run(&directory.join(format!("{name}.jsonl")), answer, field);
            println!("{name}: {} of {rows} agree", rows - disagreements.len());
            assert!(rows > 20, "{name} has only {rows} rows");
            wrong.extend(disagreements);
        }
    }
    assert!(wrong.is_empty(), "{} rows disagree:\n{}", wrong.len(), wrong.join("\n"));
}

fn directories() -> Vec<PathBuf> {
    std::iter::once(own()).chain(shared()).collect()
}

#[test]
fn decisions_agree() {
    all_agree(&directories(), &DECISIONS, simulate_line, "decision");
    let shared: Vec<PathBuf> = shared().into_iter().collect();
    all_agree(&shared, &[DERIVED], simulate_line, "decision");
}

#[test]
fn validations_agree() {
    all_agree(&directories(), &["validation"], validate_line, "result");
}

#[test]
fn a_bad_row_gives_an_error_and_its_id() {
    for (line, id) in [
        ("", "null"),
        ("{\"id\":\"x\"}", "\"x\""),
        (
            r#"{"id":"y","request":{"principal":"nobody?","action":"a:b","resource":"*","resourceAccount":"111122223333"}}"#,
            "\"y\"",
        ),
        (r#"{"id":"z","request":{"principal":"anonymous","action":"a:b","resource":"*"}}"#, "\"z\""),
        (
            r#"{"id":"w","request":{"principal":"anonymous","action":"a:b","resource":"*","resourceAccount":"1"}}"#,
            "\"w\"",
        ),
        (
            r#"{"id":"v","request":{"principal":"anonymous","action":"a:b","resource":"*","resourceAccount":"111122223333"},"identityPolicies":[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Conditions":{}}]}]}"#,
            "\"v\"",
        ),
    ] {
        let answer: Value = serde_json::from_str(&simulate_line(line)).unwrap();
        assert!(answer["error"].is_string(), "{line}: {answer}");
        assert_eq!(answer["id"].to_string(), id, "{line}");
    }
    let answer: Value = serde_json::from_str(&validate_line(r#"{"id":1,"kind":"x","document":""}"#)).unwrap();
    assert!(answer["error"].is_string() && answer["id"] == 1 && answer["result"].is_null(), "{answer}");
}

/// With replacement characters, the decision about this row would be for a different key than the one it names.
#[test]
fn a_row_that_is_not_utf_8_is_a_bad_row() {
    let line = |key: &[u8]| -> Vec<u8> {
        let before =
            br#" {"id":"x","request":{"principal":"anonymous","action":"s3:GetObject","resource":"arn:aws:s3:::b/"#;
        let after = br#"","resourceAccount":"111122223333"}}"#;
        [&before[..], key, &after[..], b"\r"].concat()
    };
    let answer = |key| -> Value { serde_json::from_str(&answer_line(&line(key), simulate_line)).unwrap() };
    let bad = answer(b"\xff");
    assert_eq!((&bad["id"], &bad["decision"]), (&Value::from("x"), &Value::Null), "{bad}");
    assert!(bad["error"].as_str().unwrap().contains("not UTF-8: its byte 98 "), "{bad}");
    assert_eq!(answer("\u{e9}".as_bytes())["decision"], "ImplicitDeny");
}
