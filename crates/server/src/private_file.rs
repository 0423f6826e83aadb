//! Files that only their owner can read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Access, access};

/// Writes a file with mode 0600, in one step: readers see either the old content or the new.
pub fn write(path: &Path, content: &str) -> Result<(), String> {
    let problem = |error: std::io::Error| format!("`{}` cannot be written: {error}", path.display());
    let temporary = path.with_extension("new");
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).map_err(problem)?;
    file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).map_err(problem)?;
    fs::rename(&temporary, path).map_err(problem)
}

/// Whether a file can be written, or made. It is left as it is.
pub fn check_writable(path: &Path) -> Result<(), String> {
    if path.is_dir() {
        return Err(format!("`{}` is a directory; name a file", path.display()));
    }
    let (asked, needed) = match (path.exists(), path.parent()) {
        (false, Some(directory)) => (directory.join("."), Access::WRITE_OK | Access::EXEC_OK),
        _ => (path.to_owned(), Access::WRITE_OK),
    };
    access(&asked, needed)
        .map_err(|error| format!("`{}` cannot be written: {}", path.display(), std::io::Error::from(error)))
}

/// Whether files can be made in a directory, or in one that is made for them. Nothing is made.
pub fn check_directory(path: &Path) -> Result<(), String> {
    let there = path.ancestors().find(|directory| directory.exists()).unwrap_or(path);
    check_writable(&there.join("new")).map_err(|_| {
        let why = if there.is_dir() { "cannot be written" } else { "is not a directory" };
        format!("no files can be made in `{}`: `{}` {why}", path.display(), there.display())
    })
}

/// The content of a file, or `None` if there is none. A file that others can read is refused.
pub fn read(path: &Path) -> Result<Option<String>, String> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("`{}` cannot be read: {error}", path.display())),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let path = path.display();
        return Err(format!("`{path}` holds a secret and can be read by others; run: chmod 600 {path}"));
    }
    fs::read_to_string(path).map(Some).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))
}
