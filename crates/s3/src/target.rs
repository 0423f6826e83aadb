use ids::{AccountId, BucketName, BucketNameError, ObjectKey, ObjectKeyError};

use crate::version_id::VersionId;
use crate::{S3Error, S3ErrorCode};

/// The object that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// The version; the current one when absent.
    pub version_id: Option<VersionId>,
}

/// A bucket whose tags a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedBucket {
    /// The bucket.
    pub name: BucketName,
    /// The account that the client expects to own it.
    pub account: AccountId,
}

/// What a request names: nothing, a bucket, or an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addressed<'a> {
    /// The bucket.
    pub bucket: Option<&'a BucketName>,
    /// The key. A form and DeleteObjects have their keys in the body.
    pub key: Option<&'a ObjectKey>,
    /// The version.
    pub version_id: Option<&'a VersionId>,
}

impl<'a> From<&'a BucketName> for Addressed<'a> {
    fn from(bucket: &'a BucketName) -> Self {
        Self { bucket: Some(bucket), ..Self::default() }
    }
}

impl<'a> From<&'a TaggedBucket> for Addressed<'a> {
    fn from(bucket: &'a TaggedBucket) -> Self {
        (&bucket.name).into()
    }
}

impl<'a> From<&'a Target> for Addressed<'a> {
    fn from(target: &'a Target) -> Self {
        Self { bucket: Some(&target.bucket), key: Some(&target.key), version_id: target.version_id.as_ref() }
    }
}

/// An account is no resource of S3: permissions about it are on `*`.
impl From<&AccountId> for Addressed<'_> {
    fn from(_account: &AccountId) -> Self {
        Self::default()
    }
}

/// How deep the path of an operation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Service,
    Bucket,
    Object,
    /// Not a path of S3, but of S3 Control, about a bucket.
    Control,
    /// A path of S3 Control about an account.
    Account,
}

/// What the path of a request names.
#[derive(Clone, Debug)]
pub(crate) enum Path {
    Service,
    Bucket(BucketName),
    Object(Target),
    Control(TaggedBucket),
    Account(AccountId),
}

impl Path {
    pub(crate) fn level(&self) -> Level {
        match self {
            Self::Service => Level::Service,
            Self::Bucket(_) => Level::Bucket,
            Self::Object(_) => Level::Object,
            Self::Control(_) => Level::Control,
            Self::Account(_) => Level::Account,
        }
    }
}

/// What an operation takes from the path: `()`, a bucket or an object.
pub(crate) trait FromPath: Sized {
    const LEVEL: Level;

    /// `None` for a path at another level.
    fn from_path(path: Path) -> Option<Self>;
}

impl FromPath for () {
    const LEVEL: Level = Level::Service;

    fn from_path(path: Path) -> Option<Self> {
        matches!(path, Path::Service).then_some(())
    }
}

impl FromPath for BucketName {
    const LEVEL: Level = Level::Bucket;

    fn from_path(path: Path) -> Option<Self> {
        if let Path::Bucket(bucket) = path { Some(bucket) } else { None }
    }
}

impl FromPath for Target {
    const LEVEL: Level = Level::Object;

    fn from_path(path: Path) -> Option<Self> {
        if let Path::Object(target) = path { Some(target) } else { None }
    }
}

impl FromPath for TaggedBucket {
    const LEVEL: Level = Level::Control;

    fn from_path(path: Path) -> Option<Self> {
        if let Path::Control(bucket) = path { Some(bucket) } else { None }
    }
}

impl FromPath for AccountId {
    const LEVEL: Level = Level::Account;

    fn from_path(path: Path) -> Option<Self> {
        if let Path::Account(account) = path { Some(account) } else { None }
    }
}

/// Parses a bucket name from decoded text. The error names the rule that it breaks.
pub(crate) fn bucket_name(text: &str) -> Result<BucketName, S3Error> {
    text.parse().map_err(|rule: BucketNameError| {
        let message = format!("{} It breaks a rule: {rule}.", S3ErrorCode::InvalidBucketName.message());
        S3Error::with_message(S3ErrorCode::InvalidBucketName, message).field("BucketName", text)
    })
}

/// Parses a key from decoded text, with S3's errors.
pub(crate) fn object_key(text: &str) -> Result<ObjectKey, S3Error> {
    text.parse().map_err(|error: ObjectKeyError| match error {
        ObjectKeyError::TooLong(bytes) => {
            S3Error::new(S3ErrorCode::KeyTooLongError).field("Size", bytes.to_string()).field("MaxSizeAllowed", "1024")
        }
        other => S3Error::with_message(S3ErrorCode::InvalidArgument, other.to_string()).field("ArgumentName", "key"),
    })
}
