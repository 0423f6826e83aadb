use ids::{BucketName, ObjectKey};

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::condition_keys::ConditionKeys;
use crate::copy_source::CopySource;
use crate::request::Request;
use crate::requirement::{ConditionalRequirement, Effect, Requirement};
use crate::target::Addressed;
use crate::version_id::VersionId;

/// Everything that the other crates need from an operation, except running it.
///
/// [`needs`](Self::needs) has no default: an operation without permissions does not compile. If the decision depends on
/// the body, the operation reads it with [`read_body`](Self::read_body) and keeps it, so that it does exactly what was
/// decided.
pub trait S3Operation {
    /// Bucket, key and version that the request names.
    fn addressed(&self) -> Addressed<'_>;

    /// The permissions that are all required before the operation runs.
    /// Source: S3 User Guide, "Required permissions for Amazon S3 API operations".
    fn needs(&self) -> Vec<Requirement>;

    /// Permissions that only change the operation's answer.
    fn conditional(&self) -> Vec<ConditionalRequirement> {
        Vec::new()
    }

    /// The permissions of which the caller needs at least one, whatever the body says. They are checked before a body
    /// is read.
    fn first_needs(&self) -> Vec<Requirement> {
        let mut needs = self.needs();
        needs.truncate(1);
        needs
    }

    /// Sets the condition keys that this operation has on AWS. A header that the operation ignores sets no key.
    /// Source: Service Authorization Reference, "Condition keys for Amazon S3".
    fn set_condition_keys(&self, _keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        Ok(())
    }

    /// The largest body in bytes, if it must be read before the decision; `None` if the decision needs no body.
    fn body_limit(&self) -> Option<usize> {
        None
    }

    /// Reads the body of an operation that has a [`body_limit`](Self::body_limit).
    fn read_body(&mut self, _body: &[u8]) -> Result<(), S3Error> {
        Ok(())
    }

    /// What the body is checked against.
    fn checksums(&self) -> Option<&BodyChecksums> {
        None
    }

    /// The lengths that the head of an upload names; `None` for operations that store no body.
    fn upload(&self) -> Option<UploadLength> {
        None
    }

    /// The object that is read, if another one is written.
    fn copy_source(&self) -> Option<&CopySource> {
        None
    }

    /// Whether it writes an object, so that `-autoCreateBucket` creates a missing bucket.
    fn makes_missing_bucket(&self) -> bool {
        false
    }

    /// Whether only identities of the account that owns the bucket may call it, whatever the bucket policy grants to
    /// others.
    ///
    /// Source: S3 API Reference, `PutBucketPolicy`, `GetBucketPolicy`, `DeleteBucketPolicy`: callers who have the
    /// permission but belong to another account get 405 `MethodNotAllowed`. AWS does not document this for ownership
    /// controls and the public access block. They can open a bucket just as a policy can, so the same rule applies to
    /// them here.
    fn is_for_owners_account(&self) -> bool {
        false
    }
}

impl dyn S3Operation + '_ {
    /// The bucket that is addressed, if any.
    pub fn bucket(&self) -> Option<&BucketName> {
        self.addressed().bucket
    }

    /// The key that is addressed, if any.
    pub fn key(&self) -> Option<&ObjectKey> {
        self.addressed().key
    }

    /// The version that is addressed, if any.
    pub fn version_id(&self) -> Option<&VersionId> {
        self.addressed().version_id
    }
}

/// Something that needs permissions and says which ones.
pub trait Needs {
    /// All of them are required.
    fn permissions(&self) -> Vec<Requirement>;
}

impl<Op: S3Operation> Needs for Op {
    fn permissions(&self) -> Vec<Requirement> {
        permissions(self)
    }
}

/// The permissions of the operation, and those of the conditions with which it is sent.
pub(crate) fn permissions(op: &dyn S3Operation) -> Vec<Requirement> {
    let compares = |also: &ConditionalRequirement| also.effect == Effect::CompareEntityTag;
    let mut needs = op.needs();
    needs.extend(op.conditional().into_iter().filter(compares).map(|also| also.requirement));
    needs
}

/// The lengths in the head of an upload, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadLength {
    /// `Content-Length`: the bytes on the wire, including the framing of aws-chunked.
    pub on_the_wire: Option<u64>,
    /// `x-amz-decoded-content-length`: the bytes of the object in an aws-chunked body.
    pub decoded: Option<u64>,
}

impl UploadLength {
    pub(crate) fn parse(request: &Request<'_>) -> Result<Self, S3Error> {
        Ok(Self {
            on_the_wire: request.length("content-length")?,
            decoded: request.length("x-amz-decoded-content-length")?,
        })
    }

    /// The size of the object, if the head gives it.
    pub fn object_bytes(self) -> Option<u64> {
        self.decoded.or(self.on_the_wire)
    }
}
