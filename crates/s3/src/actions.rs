use ids::{BucketName, ObjectKey};

use crate::body_facts::BodyFacts;
use crate::conditional::{EntityTags, WriteCondition};
use crate::copy_source::CopySource;
use crate::object_headers::ObjectHeaders;
use crate::op::{DeleteObjects, MetadataDirective, ObjectIdentifier, OtherOperation, PutObject};
use crate::operation::Operation;
use crate::version_id::VersionId;

/// One permission that a request needs: all of them must be allowed, each with the policies of its own bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// For example `s3:GetObject`.
    pub action: &'static str,
    /// The ARN, or `*` for actions without a resource.
    pub resource: String,
    /// The bucket whose policy counts; the source of a copy has another one than the request.
    pub bucket: Option<BucketName>,
    /// The object, whose tags may be asked for.
    pub key: Option<ObjectKey>,
    /// The version that the action is about: `s3:VersionId` of this evaluation.
    pub version_id: Option<VersionId>,
    /// The tags of this object, read where a policy asks for them: `s3:ExistingObjectTag` of this evaluation.
    pub existing_tags: Vec<(String, String)>,
}

/// A permission that is not needed for the request to go on, but changes what comes out.
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
    /// Needed when the write or delete compares a specific entity tag: whether it matches says what the object holds
    /// (S3 User Guide, "How to perform conditional deletes").
    CompareEntityTag,
    /// Needed when the source of the copy has tags and they are copied.
    CopyTags,
}

impl Effect {
    /// In words.
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

/// What AWS decides `s3:ListAllMyBuckets` on: a statement about all buckets covers it, one about some bucket does not.
const ALL_BUCKETS: &str = "arn:aws:s3:::*";

impl Requirement {
    /// The permission to see all buckets of an account.
    pub fn list_all_my_buckets() -> Self {
        Self::on_resource("s3:ListAllMyBuckets", ALL_BUCKETS.to_owned())
    }

    /// An action without a resource.
    fn any(action: &'static str) -> Self {
        Self::on_resource(action, String::from("*"))
    }

    /// An action on a resource that is neither a bucket nor an object.
    pub fn on_resource(action: &'static str, resource: String) -> Self {
        Self { action, resource, bucket: None, key: None, version_id: None, existing_tags: Vec::new() }
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

/// Every permission that the operation needs. Source: S3 User Guide, "Required permissions for Amazon S3 API operations".
///
/// Only CorsPreflight, which browsers send without credentials, needs none. Query stands for the IAM and STS APIs, whose
/// permissions come from `query_requirements`: here it needs one that no policy of S3 grants.
/// DeleteObjects without [`BodyFacts::Delete`] and PostObject without [`BodyFacts::Form`] need the permission on all keys;
/// a DeleteObjects of which no key can exist needs none, and answers an error for each.
pub fn requirements(op: &Operation, body: &BodyFacts) -> Vec<Requirement> {
    match op {
        Operation::CorsPreflight(_) => Vec::new(),
        Operation::Query(_) => vec![Requirement::any("kelpgate:Query")],
        Operation::ListBuckets(_) => vec![Requirement::list_all_my_buckets()],
        Operation::CreateBucket(_) => create_bucket(op, body),
        Operation::DeleteObjects(op) => match body {
            BodyFacts::Delete(request) => request
                .objects
                .iter()
                .filter_map(|object| object.key.as_ref().ok().map(|key| (key, object)))
                .flat_map(|(key, object)| delete_identified(op, key, object))
                .collect(),
            _ => all_keys("s3:DeleteObject", &op.bucket),
        },
        Operation::PostObject(op) => match body {
            BodyFacts::Form(put) => put_object(put),
            _ => all_keys("s3:PutObject", &op.bucket),
        },
        Operation::PutObject(put) => put_object(put),
        Operation::CreateMultipartUpload(op) => write_object(&op.bucket, &op.key, &op.object),
        Operation::CopyObject(op) => {
            let mut all = vec![read_source(&op.source)];
            all.extend(write_object(&op.bucket, &op.key, &op.object));
            all
        }
        Operation::UploadPartCopy(op) => {
            vec![read_source(&op.source), Requirement::on_object("s3:PutObject", &op.bucket, &op.key, None)]
        }
        Operation::DeleteObject(op) => {
            delete_object(&op.bucket, &op.key, op.version_id.as_ref(), op.bypass_governance_retention)
        }
        Operation::GetObjectAttributes(op) => {
            let version = op.version_id.as_ref();
            let actions = match version {
                None => ["s3:GetObject", "s3:GetObjectAttributes"],
                Some(_) => ["s3:GetObjectVersion", "s3:GetObjectVersionAttributes"],
            };
            actions.map(|action| Requirement::on_object(action, &op.bucket, &op.key, version)).to_vec()
        }
        Operation::Other(op) => {
            let action = op.operation.action(op.version_id.is_some());
            let Some(key) = &op.key else { return vec![Requirement::on_bucket(action, &op.bucket)] };
            let version = op.version_id.as_ref();
            let mut all = vec![Requirement::on_object(action, &op.bucket, key, version)];
            if op.operation == OtherOperation::PutObjectRetention && op.bypass_governance_retention {
                all.push(Requirement::on_object("s3:BypassGovernanceRetention", &op.bucket, key, version));
            }
            all
        }
        _ => vec![single(op)],
    }
}

/// The operations that need one permission on what their path addresses.
fn single(op: &Operation) -> Requirement {
    let versioned = |plain, of_version| if op.version_id().is_some() { of_version } else { plain };
    let action = match op {
        Operation::HeadBucket(_) | Operation::ListObjects(_) | Operation::ListObjectsV2(_) => "s3:ListBucket",
        Operation::DeleteBucket(_) => "s3:DeleteBucket",
        Operation::GetBucketLocation(_) => "s3:GetBucketLocation",
        Operation::GetBucketTagging(_) => "s3:GetBucketTagging",
        // Deleting needs the permission to put: there is no s3:DeleteBucketTagging.
        Operation::PutBucketTagging(_) | Operation::DeleteBucketTagging(_) => "s3:PutBucketTagging",
        Operation::GetBucketPolicy(_) => "s3:GetBucketPolicy",
        Operation::PutBucketPolicy(_) => "s3:PutBucketPolicy",
        Operation::DeleteBucketPolicy(_) => "s3:DeleteBucketPolicy",
        Operation::GetBucketPolicyStatus(_) => "s3:GetBucketPolicyStatus",
        Operation::ListMultipartUploads(_) => "s3:ListBucketMultipartUploads",
        Operation::GetObject(_) | Operation::HeadObject(_) => versioned("s3:GetObject", "s3:GetObjectVersion"),
        Operation::GetObjectTagging(_) => versioned("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
        Operation::PutObjectTagging(_) => versioned("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
        Operation::DeleteObjectTagging(_) => versioned("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
        Operation::UploadPart(_) | Operation::CompleteMultipartUpload(_) => "s3:PutObject",
        Operation::AbortMultipartUpload(_) => "s3:AbortMultipartUpload",
        Operation::ListParts(_) => "s3:ListMultipartUploadParts",
        // Handled by the caller; a name that no policy of S3 grants closes what would be forgotten here.
        _ => "kelpgate:Unknown",
    };
    match (op.bucket(), op.key()) {
        (Some(bucket), Some(key)) => Requirement::on_object(action, bucket, key, op.version_id()),
        (Some(bucket), None) => Requirement::on_bucket(action, bucket),
        (None, _) => Requirement::any(action),
    }
}

fn create_bucket(op: &Operation, body: &BodyFacts) -> Vec<Requirement> {
    let Operation::CreateBucket(op) = op else { return vec![single(op)] };
    let mut actions = vec!["s3:CreateBucket"];
    if op.acl.is_requested() {
        actions.push("s3:PutBucketAcl");
    }
    if op.object_lock_enabled {
        actions.extend(["s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"]);
    }
    if op.object_ownership.is_some() {
        actions.push("s3:PutBucketOwnershipControls");
    }
    if matches!(body, BodyFacts::CreateBucket(configuration) if !configuration.tags.is_empty()) {
        actions.push("s3:TagResource");
    }
    actions.into_iter().map(|action| Requirement::on_bucket(action, &op.bucket)).collect()
}

fn put_object(op: &PutObject) -> Vec<Requirement> {
    write_object(&op.bucket, &op.key, &op.object)
}

fn write_object(bucket: &BucketName, key: &ObjectKey, object: &ObjectHeaders) -> Vec<Requirement> {
    let mut actions = vec!["s3:PutObject"];
    if object.acl.is_requested() {
        actions.push("s3:PutObjectAcl");
    }
    if object.tagging.is_some() {
        actions.push("s3:PutObjectTagging");
    }
    if object.lock.mode.is_some() {
        actions.push("s3:PutObjectRetention");
    }
    if object.lock.legal_hold.is_some() {
        actions.push("s3:PutObjectLegalHold");
    }
    actions.into_iter().map(|action| Requirement::on_object(action, bucket, key, None)).collect()
}

fn read_source(source: &CopySource) -> Requirement {
    let version = source.version_id.as_ref();
    let action = if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
    Requirement::on_object(action, &source.bucket, &source.key, version)
}

/// The permissions to delete one object of DeleteObjects, at the key that its identifier stands for.
pub fn delete_identified(op: &DeleteObjects, key: &ObjectKey, object: &ObjectIdentifier) -> Vec<Requirement> {
    let mut all = delete_object(&op.bucket, key, object.version_id.as_ref(), op.bypass_governance_retention);
    let compares = compare_tag(&object.condition(), &op.bucket, key);
    all.extend(compares.into_iter().map(|also| also.requirement));
    all
}

/// The permissions to delete one object.
fn delete_object(
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

fn all_keys(action: &'static str, bucket: &BucketName) -> Vec<Requirement> {
    vec![Requirement { resource: format!("arn:aws:s3:::{bucket}/*"), ..Requirement::on_bucket(action, bucket) }]
}

/// Further permissions that change what the operation answers.
pub fn conditional(op: &Operation) -> Vec<ConditionalRequirement> {
    let with = |effect, requirement| ConditionalRequirement { requirement, effect };
    match op {
        Operation::GetObject(_) | Operation::HeadObject(_) | Operation::GetObjectAttributes(_) => {
            let list = op.bucket().map(|bucket| Requirement::on_bucket("s3:ListBucket", bucket));
            list.map(|list| with(Effect::TellMissingKey, list)).into_iter().collect()
        }
        Operation::PutObject(put) => compare_tag(&put.condition, &put.bucket, &put.key),
        Operation::CompleteMultipartUpload(op) => compare_tag(&op.condition, &op.bucket, &op.key),
        Operation::DeleteObject(op) => compare_tag(&op.condition, &op.bucket, &op.key),
        Operation::CopyObject(op) => {
            let mut all = compare_tag(&op.condition, &op.bucket, &op.key);
            if op.tagging_directive == MetadataDirective::Copy {
                let source = &op.source;
                let version = source.version_id.as_ref();
                let read = if version.is_some() { "s3:GetObjectVersionTagging" } else { "s3:GetObjectTagging" };
                all.push(with(Effect::CopyTags, Requirement::on_object(read, &source.bucket, &source.key, version)));
                all.push(with(
                    Effect::CopyTags,
                    Requirement::on_object("s3:PutObjectTagging", &op.bucket, &op.key, None),
                ));
            }
            all
        }
        _ => Vec::new(),
    }
}

fn compare_tag(condition: &WriteCondition, bucket: &BucketName, key: &ObjectKey) -> Vec<ConditionalRequirement> {
    match condition {
        WriteCondition::IfMatch(EntityTags::OneOf(_)) => vec![ConditionalRequirement {
            requirement: Requirement::on_object("s3:GetObject", bucket, key, None),
            effect: Effect::CompareEntityTag,
        }],
        // `*` asks whether there is an object, not what is in it.
        WriteCondition::IfMatch(EntityTags::Any) | WriteCondition::Always | WriteCondition::IfAbsent => Vec::new(),
    }
}
