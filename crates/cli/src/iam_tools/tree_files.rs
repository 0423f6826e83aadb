//! A tree of IAM state on disk. Nothing outside of the tree's directory is read or written, whatever the tree contains.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use transfer::tree::{MARKER, Tree};

/// The largest file. The longest policies have 20 KB.
const FILE_BYTES: u64 = 1 << 20;
/// The largest tree of one file.
const TREE_BYTES: u64 = 1 << 28;
/// The most files.
const FILES: usize = 200_000;
/// What version control keeps in directories that are otherwise empty.
const KEPT_EMPTY: [&str; 2] = [".gitkeep", ".gitignore"];

/// Whether the path is a tree, of files or of one.
pub fn is_tree(path: &Path) -> bool {
    if path.is_dir() {
        return path.join(MARKER).symlink_metadata().is_ok();
    }
    let format = |text: String| {
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(value.get("format")?.as_str()? == transfer::tree::FORMAT)
    };
    text(path, TREE_BYTES).ok().and_then(format).unwrap_or(false)
}

/// Reads a tree: a directory, or one file.
pub fn read(path: &Path) -> Result<Tree, String> {
    let shown = path.display();
    let metadata = fs::metadata(path).map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
    if !metadata.is_dir() {
        let tree = Tree::from_json(&text(path, TREE_BYTES)?).map_err(|error| format!("`{shown}`: {error}"))?;
        if tree.kinds.is_empty() && path.file_name() == Some(MARKER.as_ref()) {
            return Err(format!("`{shown}` only marks the directory that it is in as a tree; name the directory"));
        }
        return Ok(tree);
    }
    // Before the files, each of which may be of something else.
    if !is_tree(path) {
        let nothing = Tree::from_files(&BTreeMap::new(), &BTreeSet::new());
        return nothing.map_err(|error| format!("`{shown}`: {error}"));
    }
    let (mut files, mut directories) = (BTreeMap::new(), BTreeSet::new());
    for (name, is_directory) in entries(path)? {
        let inner = path.join(&name);
        if name != MARKER && (name.starts_with('.') || name.starts_with("README")) {
            continue;
        }
        if !is_directory {
            files.insert(name, text(&inner, FILE_BYTES)?);
            continue;
        }
        for (file, is_directory) in entries(&inner)? {
            if is_directory {
                return Err(format!("`{}` is a directory; an entity is a file", inner.join(&file).display()));
            }
            if !KEPT_EMPTY.contains(&file.as_str()) {
                let content = text(&inner.join(&file), FILE_BYTES)?;
                files.insert(format!("{name}/{file}"), content);
            }
            if files.len() > FILES {
                return Err(format!("`{shown}` has more than {FILES} files"));
            }
        }
        directories.insert(name);
    }
    Tree::from_files(&files, &directories).map_err(|error| format!("`{shown}`: {error}"))
}

/// The names in a directory, and which of them are directories. Anything but files and directories is refused.
fn entries(directory: &Path) -> Result<Vec<(String, bool)>, String> {
    let problem = |error: std::io::Error| format!("`{}` cannot be read: {error}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(problem)? {
        let entry = entry.map_err(problem)?;
        let kind = entry.file_type().map_err(problem)?;
        let name = entry.file_name().into_string().map_err(|name| {
            format!("`{}`: the name of this file is not UTF-8; rename it", directory.join(name).display())
        })?;
        if !kind.is_dir() && !kind.is_file() {
            return Err(format!(
                "`{}` is a link or not a regular file; a tree has only files, so that nothing outside it is exposed",
                directory.join(name).display()
            ));
        }
        found.push((name, kind.is_dir()));
    }
    found.sort();
    Ok(found)
}

/// The text of a file. A link that takes its place meanwhile is noticed.
fn text(path: &Path, most: u64) -> Result<String, String> {
    let shown = path.display();
    let problem = |error: &dyn std::fmt::Display| format!("`{shown}` cannot be read: {error}");
    let seen = fs::metadata(path).map_err(|error| problem(&error))?;
    if !seen.is_file() {
        return Err(problem(&"it is not a file"));
    }
    let file = File::open(path).map_err(|error| problem(&error))?;
    let opened = file.metadata().map_err(|error| problem(&error))?;
    if (seen.dev(), seen.ino()) != (opened.dev(), opened.ino()) {
        return Err(problem(&"it was replaced meanwhile; try again"));
    }
    let mut text = String::new();
    file.take(most + 1).read_to_string(&mut text).map_err(|error| problem(&error))?;
    if text.len() as u64 > most {
        return Err(problem(&format!("it has more than {most} bytes")));
    }
    Ok(text)
}

/// Writes a tree to a directory that does not exist or is empty, so that nothing is replaced and no link is followed.
pub fn write(directory: &Path, tree: &Tree) -> Result<(), String> {
    let shown = directory.display();
    match fs::create_dir(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            if !entries(directory)?.is_empty() {
                return Err(format!(
                    "`{shown}` is not empty; name a new directory, or remove what is in it first: `git rm -rq {shown}`"
                ));
            }
        }
        Err(error) => return Err(format!("`{shown}` cannot be made: {error}")),
    }
    for kind in tree.kinds.keys() {
        let inner = directory.join(kind.directory());
        fs::create_dir(&inner).map_err(|error| format!("`{}` cannot be made: {error}", inner.display()))?;
    }
    for (path, text) in tree.to_files() {
        let path = directory.join(path);
        let problem = |error| format!("`{}` cannot be written: {error}", path.display());
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(problem)?;
        file.write_all(text.as_bytes()).map_err(problem)?;
    }
    Ok(())
}
