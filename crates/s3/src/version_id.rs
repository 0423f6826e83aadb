use std::fmt;
use std::str::FromStr;

use crate::{S3Error, S3ErrorCode};

/// The version of an object that a request names: `null`, or 1 to 1024 letters, digits, `_`, `-` and `.`, with no `..`.
///
/// Versions become file names on the filer, so a text that could change a path is not a version.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VersionId(String);

impl VersionId {
    /// The version as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `null`: the version of objects written while the bucket had no versioning.
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }
}

impl FromStr for VersionId {
    type Err = S3Error;

    fn from_str(text: &str) -> Result<Self, S3Error> {
        if is_file_name(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(S3Error::invalid_argument("versionId", text, "Invalid version id specified"))
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a multipart upload: 1 to 1024 letters, digits, `_`, `-` and `.`, with no `..`.
///
/// Uploads are directories on the filer. With any other text, the upload does not exist.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct UploadId(String);

impl UploadId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UploadId {
    type Err = S3Error;

    fn from_str(text: &str) -> Result<Self, S3Error> {
        if is_file_name(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(S3Error::new(S3ErrorCode::NoSuchUpload).field("UploadId", text))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_file_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=1024).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('.') && !text.contains("..")
}
