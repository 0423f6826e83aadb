//! The table of arrows in ARCHITECTURE.md matches the workspace, and the files that it names are there.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

type Arrows = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_table_of_arrows_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    assert_eq!(written(&text), real(root), "left: ARCHITECTURE.md, right: cargo metadata");
}

#[test]
fn the_files_of_a_get_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let list = text.split("<!-- get -->").nth(1).and_then(|rest| rest.split("<!-- /get -->").next()).unwrap();
    let files: Vec<&str> = list.lines().filter_map(|line| line.split('`').nth(1)).collect();
    assert!((5..=9).contains(&files.len()), "{files:?}");
    for file in files {
        assert!(root.join(file).is_file(), "{file}");
    }
}

fn written(text: &str) -> Arrows {
    let table = text.split("<!-- arrows -->").nth(1).and_then(|rest| rest.split("<!-- /arrows -->").next()).unwrap();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        Some((names(cells.get(1)?).pop_first()?, names(cells.get(2)?)))
    };
    table.lines().filter_map(row).collect()
}

fn real(root: &Path) -> Arrows {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(root)
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let arrows = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        let normal = all.filter(|dependency| dependency["kind"].is_null());
        let names = normal.map(|dependency| dependency["name"].as_str().unwrap());
        names.filter(|name| ours.contains(name)).map(str::to_owned).collect()
    };
    packages.iter().map(|package| (package["name"].as_str().unwrap().to_owned(), arrows(package))).collect()
}
