use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The key of an object. It is decoded exactly once and never normalised: authorization and storage see the same text.
///
/// 1 to 1024 bytes of UTF-8. Keys become paths on the filer, so keys that a path would change are refused: a leading
/// `/`, `//`, the segments `.` and `..`, and NUL. So are names that SeaweedFS reserves: `.uploads` as the first
/// segment, and directories whose names end in `.versions`, which hold the versions of a key. `x.versions` itself can be a
/// key where no versions are kept ([`ObjectKey::is_like_versions`]).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(Arc<str>);

/// The text is not a valid object key here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ObjectKeyError {
    /// The text is empty.
    #[error("an object key cannot be empty")]
    Empty,
    /// More than 1024 bytes.
    #[error("an object key has at most 1024 bytes of UTF-8; this one has {0}")]
    TooLong(usize),
    /// A path that the filer would change or reserves.
    #[error("the object key {0}; such keys cannot be stored on a filer: choose another key")]
    Path(&'static str),
}

impl ObjectKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `photos/`: the key of a directory marker.
    pub fn is_directory_marker(&self) -> bool {
        self.0.ends_with('/')
    }

    /// True for `x.versions`: where versions are kept, those of `x` are in a directory of this name.
    pub fn is_like_versions(&self) -> bool {
        self.0.ends_with(".versions")
    }
}

impl FromStr for ObjectKey {
    type Err = ObjectKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ObjectKeyError::Empty);
        }
        if text.len() > 1024 {
            return Err(ObjectKeyError::TooLong(text.len()));
        }
        if text.contains('\0') {
            return Err(ObjectKeyError::Path("contains a NUL"));
        }
        let path = text.strip_suffix('/').unwrap_or(text);
        let directories = text.matches('/').count();
        for (position, segment) in path.split('/').enumerate() {
            match segment {
                "" => return Err(ObjectKeyError::Path("has an empty path segment (`//` or a leading `/`)")),
                "." | ".." => return Err(ObjectKeyError::Path("has a path segment `.` or `..`")),
                ".uploads" if position == 0 => {
                    return Err(ObjectKeyError::Path("begins with the reserved segment `.uploads`"));
                }
                ".versions" => return Err(ObjectKeyError::Path("has the reserved path segment `.versions`")),
                _ if segment.ends_with(".versions") && position < directories => {
                    return Err(ObjectKeyError::Path("has a directory whose name ends in the reserved `.versions`"));
                }
                _ => {}
            }
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_a_path_would_change_are_refused() {
        for (key, good) in [
            ("a", true),
            ("a/b", true),
            ("a/", true),
            ("a\nb", true),
            ("a.b/..c", true),
            ("x/.uploads/y", true),
            ("", false),
            ("/", false),
            ("/a", false),
            ("a//b", false),
            ("a//", false),
            ("../a", false),
            ("a/./b", false),
            ("a\0b", false),
            (".uploads/x", false),
            ("a.versions/v_1", false),
            ("a.versions/", false),
            ("d/a.versions/b", false),
            (".versions", false),
            ("d/.versions", false),
            ("a.versions", true),
            ("d/a.versions", true),
            ("a.versions.versions", true),
        ] {
            assert_eq!(key.parse::<ObjectKey>().is_ok(), good, "{key:?}");
        }
        assert!("k".repeat(1024).parse::<ObjectKey>().is_ok());
        assert!("k".repeat(1025).parse::<ObjectKey>().is_err());
    }
}
