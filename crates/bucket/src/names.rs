//! The names of a key's segments on a filer.
//!
//! A path cannot have an empty segment, `.` or `..`, and some names are taken: `.uploads`, and directories that end in
//! `.versions`. A segment of that kind is stored with a NUL after it. No key contains a NUL, so no two keys share a
//! path, and the NUL sorts before every other byte, so names sort as their segments do. Only a filer that
//! [holds every name](filer::FilerConfiguration::holds_every_name) is asked to store one.

use filer::{FilerConfiguration, FilerError};
use ids::ObjectKey;

/// Directory of multipart uploads, directly below the bucket.
pub const UPLOADS: &str = ".uploads";
/// Suffix of the directory that holds the versions of a key.
pub const VERSIONS_SUFFIX: &str = ".versions";

const MARK: char = '\0';

/// The path of a key below its bucket. The trailing slash of a directory marker's key is not part of it.
pub fn path_of(key: &str) -> String {
    let mut path = String::with_capacity(key.len() + 1);
    push_path(&mut path, key);
    path
}

/// Appends the path of a key, as [`path_of`] makes it.
pub(crate) fn push_path(path: &mut String, key: &str) {
    let (segments, last_is_directory) = match key.strip_suffix('/') {
        Some(directory) => (directory, true),
        None => (key, false),
    };
    if !may_have_marks(key) {
        return path.push_str(segments);
    }
    let last = segments.matches('/').count();
    for (position, segment) in segments.split('/').enumerate() {
        if position > 0 {
            path.push('/');
        }
        path.push_str(segment);
        if is_marked(segment, position == 0, position < last || last_is_directory) {
            path.push(MARK);
        }
    }
}

/// False for most keys: no segment is empty or begins with a dot, and no directory ends in `.versions`.
fn may_have_marks(key: &str) -> bool {
    let mut last = b'/';
    let mut bytes = key.bytes().enumerate();
    key.is_empty()
        || bytes.any(|(at, byte)| match (std::mem::replace(&mut last, byte), byte) {
            (b'/', b'/' | b'.') => true,
            (_, b'/') => key.get(..at).is_some_and(|before| before.ends_with(VERSIONS_SUFFIX)),
            _ => false,
        })
}

/// Fails with `NameNotHeld` for a key that the filer cannot store.
pub fn require_storable(configuration: &FilerConfiguration, key: &ObjectKey) -> Result<(), FilerError> {
    if configuration.holds_every_name || !path_of(key.as_str()).contains(MARK) {
        return Ok(());
    }
    Err(FilerError::NameNotHeld(key.to_string()))
}

/// The segment of a key that an entry's name stands for.
pub fn segment_of(name: &str) -> &str {
    name.strip_suffix(MARK).unwrap_or(name)
}

fn is_marked(segment: &str, is_first: bool, is_directory: bool) -> bool {
    match segment {
        "" | "." | ".." | VERSIONS_SUFFIX => true,
        UPLOADS => is_first,
        _ => is_directory && segment.ends_with(VERSIONS_SUFFIX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_paths_of_their_own() {
        for (key, path) in [
            ("a", "a"),
            ("a/b", "a/b"),
            ("a/", "a"),
            ("a.b/..c", "a.b/..c"),
            ("a/é/", "a/é"),
            ("", "\0"),
            ("x/.uploads/y", "x/.uploads/y"),
            ("a.versions", "a.versions"),
            ("d/a.versions", "d/a.versions"),
            ("/", "\0"),
            ("/a", "\0/a"),
            ("a//b", "a/\0/b"),
            ("a//", "a/\0"),
            ("//", "\0/\0"),
            (".", ".\0"),
            ("..", "..\0"),
            ("../a", "..\0/a"),
            ("a/./b", "a/.\0/b"),
            ("a/../../b/k", "a/..\0/..\0/b/k"),
            (".uploads", ".uploads\0"),
            (".uploads/x", ".uploads\0/x"),
            ("a.versions/v_1", "a.versions\0/v_1"),
            ("a.versions/", "a.versions\0"),
            ("d/a.versions/b", "d/a.versions\0/b"),
            (".versions", ".versions\0"),
            ("d/.versions", "d/.versions\0"),
        ] {
            assert_eq!(path_of(key), path, "{key:?}");
            let segments: Vec<&str> = path.split('/').map(segment_of).collect();
            assert_eq!(segments.join("/"), key.strip_suffix('/').unwrap_or(key), "{key:?}");
        }
    }
}
