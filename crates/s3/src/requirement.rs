use ids::{AccessControlList, AccountId, BucketName, ObjectKey};

use crate::conditional::{EntityTags, WriteCondition};
use crate::copy_source::CopySource;
use crate::object_headers::ObjectHeaders;
use crate::target::{Addressed, Target};
use crate::version_id::VersionId;

/// One permission that a request needs. All of them must be allowed, each by the policies of its own bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// For example `s3:GetObject`.
    pub action: &'static str,
    /// The ARN, or `*` for actions without a resource.
    pub resource: String,
    /// The bucket whose policy counts. For the source of a copy it is not the bucket of the request.
    pub bucket: Option<BucketName>,
    /// The object, whose tags may be tested.
    pub key: Option<ObjectKey>,
    /// The version that the action is about: `s3:VersionId` in this decision.
    pub version_id: Option<VersionId>,
    /// The tags of this object, which are read if a policy tests them: `s3:ExistingObjectTag` in this decision.
    pub existing_tags: Vec<(String, String)>,
    /// The owner and the ACL of this object, which are read if they count in its bucket.
    pub existing_object: Option<ExistingObject>,
    /// The object is about to be written by this request, so the ACL of the bucket counts.
    pub is_of_new_object: bool,
    /// The prefix of the listing that would show what is asked: `s3:prefix` in this decision.
    pub prefix: Option<String>,
}

/// What decides about an object in a bucket whose objects have owners and ACLs of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingObject {
    /// The account that owns it.
    pub owner: AccountId,
    /// Its ACL.
    pub acl: AccessControlList,
}

/// A permission that the request does not need to proceed, but that changes the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionalRequirement {
    /// The permission.
    pub requirement: Requirement,
    /// What it changes.
    pub effect: Effect,
}

/// What a [`ConditionalRequirement`] changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Without it a missing key is `AccessDenied` (403), with it `NoSuchKey` (404).
    TellMissingKey,
    /// Needed if the write or delete compares a specific entity tag: whether it matches reveals something about the
    /// object's content (S3 User Guide, "How to perform conditional deletes").
    CompareEntityTag,
    /// Needed if the source of the copy has tags and they are copied.
    CopyTags,
}

impl Effect {
    /// The effect in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TellMissingKey => "without it a missing key answers 403 AccessDenied instead of 404 NoSuchKey",
            Self::CompareEntityTag => "needed for If-Match writes (S3 User Guide: conditional-writes)",
            Self::CopyTags => {
                "when the source has tags and they are copied (x-amz-tagging-directive COPY, the default)"
            }
        }
    }
}

/// The resource on which AWS decides `s3:ListAllMyBuckets`. A statement about all buckets covers it, one about a
/// particular bucket does not.
const ALL_BUCKETS: &str = "arn:aws:s3:::*";

impl Requirement {
    /// The permission to see all buckets of an account.
    pub fn list_all_my_buckets() -> Self {
        Self::on_resource("s3:ListAllMyBuckets", ALL_BUCKETS.to_owned())
    }

    /// The permission to list the bucket by the key as prefix, without a delimiter: such a listing shows whether the key
    /// exists. A caller without it cannot distinguish a missing key from one that it must not read.
    pub fn to_learn_whether_key_exists(bucket: &BucketName, key: &ObjectKey) -> Self {
        Self { prefix: Some(key.to_string()), ..Self::on_bucket("s3:ListBucket", bucket) }
    }

    /// An action on a resource that is neither a bucket nor an object.
    pub fn on_resource(action: &'static str, resource: String) -> Self {
        Self {
            action,
            resource,
            bucket: None,
            key: None,
            version_id: None,
            existing_tags: Vec::new(),
            existing_object: None,
            is_of_new_object: false,
            prefix: None,
        }
    }

    /// An action on a bucket.
    pub fn on_bucket(action: &'static str, bucket: &BucketName) -> Self {
        Self { bucket: Some(bucket.clone()), ..Self::on_resource(action, format!("arn:aws:s3:::{bucket}")) }
    }

    /// An action on an object.
    pub fn on_object(
        action: &'static str,
        bucket: &BucketName,
        key: &ObjectKey,
        version_id: Option<&VersionId>,
    ) -> Self {
        Self {
            bucket: Some(bucket.clone()),
            key: Some(key.clone()),
            version_id: version_id.cloned(),
            ..Self::on_resource(action, format!("arn:aws:s3:::{bucket}/{key}"))
        }
    }
}

impl ConditionalRequirement {
    /// The permission to learn that the key is missing.
    pub(crate) fn tell_missing_key(target: &Target) -> Vec<Self> {
        let requirement = Requirement::to_learn_whether_key_exists(&target.bucket, &target.key);
        vec![Self { requirement, effect: Effect::TellMissingKey }]
    }

    /// The permission to read the object, if a specific entity tag is compared.
    pub(crate) fn compare_tag(condition: &WriteCondition, bucket: &BucketName, key: &ObjectKey) -> Vec<Self> {
        match condition {
            WriteCondition::IfMatch(EntityTags::OneOf(_)) => {
                let requirement = Requirement::on_object("s3:GetObject", bucket, key, None);
                vec![Self { requirement, effect: Effect::CompareEntityTag }]
            }
            // `*` tests whether the object exists, not its content.
            WriteCondition::IfMatch(EntityTags::Any) | WriteCondition::Always | WriteCondition::IfAbsent => Vec::new(),
        }
    }
}

/// The permissions to write an object with these headers.
pub(crate) fn write_object(target: &Target, object: &ObjectHeaders) -> Vec<Requirement> {
    let mut actions = vec!["s3:PutObject"];
    if object.acl.is_requested() {
        actions.push("s3:PutObjectAcl");
    }
    if object.tagging.is_some() {
        actions.push("s3:PutObjectTagging");
    }
    if object.lock.retention.is_some() {
        actions.push("s3:PutObjectRetention");
    }
    if object.lock.legal_hold.is_some() {
        actions.push("s3:PutObjectLegalHold");
    }
    actions.into_iter().map(|action| Requirement { is_of_new_object: true, ..target.need(action) }).collect()
}

/// The permission to read the source of a copy.
pub(crate) fn read_source(source: &CopySource) -> Requirement {
    let version = source.version_id.as_ref();
    let action = if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
    Requirement::on_object(action, &source.bucket, &source.key, version)
}

/// The permissions to delete one object.
pub(crate) fn delete_object(
    bucket: &BucketName,
    key: &ObjectKey,
    version_id: Option<&VersionId>,
    bypass_governance_retention: bool,
) -> Vec<Requirement> {
    let action = if version_id.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
    let mut all = vec![Requirement::on_object(action, bucket, key, version_id)];
    if bypass_governance_retention {
        all.push(Requirement::on_object("s3:BypassGovernanceRetention", bucket, key, version_id));
    }
    all
}

/// The permission on all keys of a bucket, for a request whose keys are in a body that was not read.
pub(crate) fn all_keys(action: &'static str, bucket: &BucketName) -> Vec<Requirement> {
    vec![Requirement { resource: format!("arn:aws:s3:::{bucket}/*"), ..Requirement::on_bucket(action, bucket) }]
}

impl Target {
    /// A permission on the object.
    pub(crate) fn need(&self, action: &'static str) -> Requirement {
        Addressed::from(self).need(action)
    }

    /// A permission on the object that has a different name if the request names a version.
    pub(crate) fn need_of_version(&self, action: &'static str, of_version: &'static str) -> Requirement {
        Addressed::from(self).need_of_version(action, of_version)
    }
}

impl Addressed<'_> {
    /// A permission on what the request names.
    pub(crate) fn need(self, action: &'static str) -> Requirement {
        match (self.bucket, self.key) {
            (Some(bucket), Some(key)) => Requirement::on_object(action, bucket, key, self.version_id),
            (Some(bucket), None) => Requirement::on_bucket(action, bucket),
            (None, _) => Requirement::on_resource(action, String::from("*")),
        }
    }

    /// A permission that has a different name if a version is named.
    pub(crate) fn need_of_version(self, action: &'static str, of_version: &'static str) -> Requirement {
        self.need(if self.version_id.is_some() { of_version } else { action })
    }
}
