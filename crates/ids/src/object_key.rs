use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The key of an object. It is decoded exactly once and never normalised: authorization and storage see the same text.
///
/// 1 to 1024 bytes of UTF-8 without NUL. Segments such as `..` have no meaning in a key: the `bucket` crate makes paths of keys,
/// and none leads out of its bucket.
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
    /// NUL, which a filer cannot store.
    #[error("an object key cannot contain a NUL: choose another key")]
    Nul,
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
            return Err(ObjectKeyError::Nul);
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
    fn keys_are_any_text_without_nul() {
        for (key, good) in [
            ("a", true),
            ("a/b", true),
            ("a/", true),
            ("a\nb", true),
            ("a.b/..c", true),
            ("x/.uploads/y", true),
            ("", false),
            ("/", true),
            ("/a", true),
            ("a//b", true),
            ("a//", true),
            ("../a", true),
            ("a/./b", true),
            ("a\0b", false),
            (".uploads/x", true),
            ("a.versions/v_1", true),
            ("a.versions/", true),
            ("d/a.versions/b", true),
            (".versions", true),
            ("d/.versions", true),
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
