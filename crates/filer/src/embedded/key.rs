//! Paths as keys of the entry table.
//!
//! Keys sort like listings: by name, with each directory's content right after its name. So `/` is stored as byte 0,
//! which sorts before everything that a name can contain; the rare bytes 0 and 1 in names are escaped in a way that
//! preserves the order. A file is stored under its path, a directory under its path and a separator, so `a` and `a/b`
//! can exist side by side.

use crate::filer::FilerError;

/// Separates path components in a key.
const SEPARATOR: u8 = 0;
/// Precedes an escaped byte. It is also the first byte that can follow a whole subtree.
const ESCAPE: u8 = 1;
/// The longest path, in bytes. S3 keys have at most 1024 bytes; the rest is for buckets, uploads and IAM documents.
const PATH_BYTES_MAX: usize = 4096;

/// A checked absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// Without a slash at the end; empty for the root.
    text: String,
    /// Whether the caller wrote a slash at the end. It then means the directory, even if a file of the same name
    /// exists.
    names_directory: bool,
}

impl Path {
    /// `/a/b` or, for the directory, `/a/b/`.
    pub(super) fn parse(path: &str) -> Result<Path, FilerError> {
        if path.len() > PATH_BYTES_MAX {
            return Err(FilerError::NameTooLong(path.to_owned()));
        }
        let (text, names_directory) = match path.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (path, false),
        };
        if !text.is_empty() && !text.starts_with('/') || path.is_empty() {
            return Err(FilerError::Other(format!("`{path}` is not an absolute path; it has to begin with `/`")));
        }
        Ok(Path { text: text.to_owned(), names_directory })
    }

    /// A directory, written without a slash at the end; the root is `/` or nothing.
    ///
    /// `/a/` is not `/a`: it is the directory with the empty name in `/a`, which S3 keys such as `a//b` need.
    pub(super) fn directory(directory: &str) -> Result<Path, FilerError> {
        if matches!(directory, "" | "/") {
            return Ok(Path { text: String::new(), names_directory: true });
        }
        Ok(Path { names_directory: true, ..Path::parse(&format!("{directory}/"))? })
    }

    /// A name in a directory. A slash at the end of the name means the directory with that name.
    pub(super) fn child(directory: &str, name: &str) -> Result<Path, FilerError> {
        let (bare, slash) = name.strip_suffix('/').map_or((name, false), |bare| (bare, true));
        if bare.contains('/') {
            return Err(FilerError::Other(format!("`{name}` in `{directory}` is not a valid name: it contains `/`")));
        }
        let parent = Path::directory(directory)?;
        let text = format!("{}/{bare}", parent.text);
        if text.len() > PATH_BYTES_MAX {
            return Err(FilerError::NameTooLong(text));
        }
        Ok(Path { text, names_directory: slash || bare.is_empty() })
    }

    /// Whether the slash at the end was written.
    pub(super) fn names_directory(&self) -> bool {
        self.names_directory
    }

    /// The path without a slash at the end; `/` for the root.
    pub(super) fn text(&self) -> &str {
        if self.text.is_empty() { "/" } else { &self.text }
    }

    /// The last component.
    pub(super) fn name(&self) -> &str {
        self.text.rsplit_once('/').map_or("", |(_, name)| name)
    }

    /// Where the file of this path is stored.
    pub(super) fn file_key(&self) -> Vec<u8> {
        escaped(&self.text)
    }

    /// Where the directory of this path is stored. The keys of everything below it begin with this.
    pub(super) fn directory_key(&self) -> Vec<u8> {
        let mut key = escaped(&self.text);
        key.push(SEPARATOR);
        key
    }
}

/// The bytes of a path, or of one name, as they are written in a key.
pub(super) fn escaped(text: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'/' => key.push(SEPARATOR),
            0 | 1 => key.extend([ESCAPE, byte + 1]),
            byte => key.push(byte),
        }
    }
    key
}

/// Undoes [`escaped`]: the path or name of a key, without a separator at the end.
pub(super) fn unescaped(key: &[u8]) -> String {
    let key = key.strip_suffix(&[SEPARATOR]).unwrap_or(key);
    let mut text = Vec::with_capacity(key.len());
    let mut bytes = key.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            SEPARATOR => text.push(b'/'),
            ESCAPE => text.push(bytes.next().map_or(0, |escaped| escaped.saturating_sub(1))),
            byte => text.push(byte),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The first key after a directory, that is, after its own entry and everything below it. `prefix` is the directory's
/// key without the separator.
pub(super) fn behind(mut prefix: Vec<u8>) -> Vec<u8> {
    prefix.push(ESCAPE);
    prefix
}

/// The first component of what follows a directory's key, and whether it is a directory; `None` for the directory
/// itself.
pub(super) fn child_of(rest: &[u8]) -> Option<Child<'_>> {
    if rest.is_empty() {
        return None;
    }
    match rest.iter().position(|byte| *byte == SEPARATOR) {
        None => Some(Child { name: rest, kind: ChildKind::File }),
        Some(at) => {
            let own = at + 1 == rest.len();
            let kind = if own { ChildKind::Directory } else { ChildKind::Below };
            Some(Child { name: rest.get(..at).unwrap_or_default(), kind })
        }
    }
}

/// Whether the key is that of a directory's own entry.
pub(super) fn is_directory(key: &[u8]) -> bool {
    key.last() == Some(&SEPARATOR)
}

/// What a key says about the directory in whose listing it appears.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Child<'a> {
    /// The escaped name.
    pub(super) name: &'a [u8],
    /// What the key stands for.
    pub(super) kind: ChildKind,
}

/// What a key stands for, seen from a directory above it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ChildKind {
    /// A file in the directory.
    File,
    /// A directory's own entry.
    Directory,
    /// Something below a directory, which may have no entry of its own.
    Below,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_like_listings() {
        let sorted = [
            ("/", true),
            ("/a", false),
            ("/a", true),
            ("/a/", true),
            ("/a/x", false),
            ("/a/\u{0}", false),
            ("/a\u{0}", false),
            ("/a\u{1}", false),
            ("/a\u{2}", false),
            ("/a!", false),
            ("/a-b", true),
            ("/a-b/c", false),
            ("/a0", false),
            ("/b", false),
        ];
        let key = |(path, directory): (&str, bool)| {
            let parsed = if directory { Path::directory(path) } else { Path::parse(path) }.unwrap();
            if directory { parsed.directory_key() } else { parsed.file_key() }
        };
        let mut keys: Vec<Vec<u8>> = sorted.into_iter().map(key).collect();
        // `/a/\0` sorts before `/a/x`. It is listed here because of its escape, not its position.
        keys.swap(4, 5);
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
        for (path, directory) in sorted {
            let plain = if path == "/" { "" } else { path };
            assert_eq!(unescaped(&key((path, directory))), plain, "`{path}`");
        }
    }

    #[test]
    fn paths() {
        for (path, want) in [
            ("/", Some(("/", "", true))),
            ("/a", Some(("/a", "a", false))),
            ("/a/", Some(("/a", "a", true))),
            ("/a//", Some(("/a/", "", true))),
            ("/a//b", Some(("/a//b", "b", false))),
            ("", None),
            ("a", None),
            ("a/b", None),
        ] {
            let parsed = Path::parse(path);
            let seen = parsed.as_ref().ok().map(|path| (path.text(), path.name(), path.names_directory()));
            assert_eq!(seen, want, "`{path}`");
        }
        for (directory, name, want) in [
            ("/", "a", Some("/a")),
            ("", "a", Some("/a")),
            ("/a", "b", Some("/a/b")),
            ("/a/", "b", Some("/a//b")),
            ("/a", "b/", Some("/a/b")),
            ("/a", "", Some("/a/")),
            ("/a", "b/c", None),
            ("a", "b", None),
        ] {
            let child = Path::child(directory, name);
            assert_eq!(child.as_ref().ok().map(Path::text), want, "`{name}` in `{directory}`");
        }
        assert!(matches!(Path::parse(&format!("/{}", "x".repeat(4096))), Err(FilerError::NameTooLong(_))));
    }

    #[test]
    fn what_a_key_says() {
        for (rest, want) in [
            (&b""[..], None),
            (b"a", Some((&b"a"[..], ChildKind::File))),
            (b"a\0", Some((b"a", ChildKind::Directory))),
            (b"a\0b", Some((b"a", ChildKind::Below))),
            (b"\0b", Some((b"", ChildKind::Below))),
        ] {
            let child = child_of(rest).map(|child| (child.name, child.kind));
            assert_eq!(child, want, "{rest:?}");
        }
    }
}
