use http::request::Parts;
use policy::Context;

use crate::body_facts::BodyFacts;
use crate::conditional::WriteCondition;
use crate::copy_source::CopySource;
use crate::object_headers::{AclHeaders, EncryptionHeaders, ObjectHeaders};
use crate::op::{MetadataDirective, Other, OtherOperation};
use crate::operation::Operation;
use crate::request::Request;
use crate::tagging::TagSet;
use crate::version_id::VersionId;
use crate::{S3Error, time};

/// Sets every `s3:*` key (and `aws:RequestTag`, `aws:TagKeys`) that the request itself carries.
///
/// Each key is set only by the operations that AWS lists it for: a parameter that an operation does not have cannot smuggle
/// a key in. `s3:authType`, `s3:signatureversion`, `s3:signatureAge`, `s3:TlsVersion`, `s3:ResourceAccount` and
/// `s3:ExistingObjectTag` are set by whoever knows them. `s3:VersionId` is that of the request or of the source of a copy;
/// each key of DeleteObjects has its own, in its [`Requirement`](crate::Requirement). `now` is seconds since 1970, for
/// `s3:object-lock-remaining-retention-days`. Source: Service Authorization Reference, "Condition keys for Amazon S3".
pub fn set_condition_keys(
    op: &Operation,
    head: &Parts,
    body: &BodyFacts,
    now: Option<i64>,
    context: &mut Context,
) -> Result<(), S3Error> {
    // What comes with a form is not held against the hash, and a parameter of a presigned URL is no header.
    let hash = head.headers.get("x-amz-content-sha256").filter(|_| !matches!(op, Operation::PostObject(_)));
    if let Some(hash) = hash.and_then(|value| value.to_str().ok()) {
        context.set("s3:x-amz-content-sha256", hash);
    }
    if let Some(version_id) = op.version_id() {
        context.set("s3:VersionId", version_id.as_str());
    }
    match op {
        Operation::GetObject(_) | Operation::HeadObject(_) => {}
        Operation::ListObjects(_) | Operation::ListObjectsV2(_) => listing(&Request::new(head)?, context),
        Operation::Other(other) => other_keys(other, &Request::new(head)?, body, now, context)?,
        Operation::CreateBucket(op) => {
            acl(&op.acl, context);
            optional("s3:x-amz-object-ownership", op.object_ownership.as_deref(), context);
            if let BodyFacts::CreateBucket(configuration) = body {
                optional("s3:LocationConstraint", configuration.location_constraint.as_deref(), context);
                resource_tags(&configuration.tags, context);
            }
        }
        Operation::PutBucketTagging(_) => {
            if let BodyFacts::Tags(tags) = body {
                resource_tags(tags, context);
            }
        }
        Operation::PutObjectTagging(_) => {
            if let BodyFacts::Tags(tags) = body {
                object_tags(tags, context);
            }
        }
        Operation::PostObject(_) => {
            if let BodyFacts::Form(put) = body {
                object(&put.object, now, context);
                context.set("s3:ObjectCreationOperation", "true");
            }
        }
        Operation::DeleteObject(op) => condition(&op.condition, &Request::new(head)?, context)?,
        _ => write_keys(op, &Request::new(head)?, now, context)?,
    }
    Ok(())
}

/// The keys of the operations that make objects.
fn write_keys(op: &Operation, request: &Request<'_>, now: Option<i64>, context: &mut Context) -> Result<(), S3Error> {
    let creates = match op {
        Operation::PutObject(op) => {
            object(&op.object, now, context);
            condition(&op.condition, request, context)?;
            "true"
        }
        Operation::CopyObject(op) => {
            headers(&op.object, now, context);
            // With COPY the header is ignored, so it answers nothing.
            if op.tagging_directive == MetadataDirective::Replace {
                request_tags(&op.object, context);
            }
            condition(&op.condition, request, context)?;
            copy_source(&op.source, context);
            optional("s3:x-amz-metadata-directive", request.header("x-amz-metadata-directive")?.as_deref(), context);
            "true"
        }
        Operation::CompleteMultipartUpload(op) => {
            condition(&op.condition, request, context)?;
            "true"
        }
        Operation::CreateMultipartUpload(op) => {
            object(&op.object, now, context);
            "false"
        }
        Operation::UploadPart(op) => {
            encryption(&op.encryption, context);
            "false"
        }
        Operation::UploadPartCopy(op) => {
            encryption(&op.encryption, context);
            copy_source(&op.source, context);
            "false"
        }
        _ => return Ok(()),
    };
    context.set("s3:ObjectCreationOperation", creates);
    Ok(())
}

fn other_keys(
    other: &Other,
    request: &Request<'_>,
    body: &BodyFacts,
    now: Option<i64>,
    context: &mut Context,
) -> Result<(), S3Error> {
    match other.operation {
        OtherOperation::ListObjectVersions => listing(request, context),
        OtherOperation::PutBucketAcl | OtherOperation::PutObjectAcl => acl(&other.acl, context),
        OtherOperation::PutObjectRetention => {
            if let BodyFacts::Retention { mode, retain_until_date } = body {
                retention(mode.as_deref(), retain_until_date.as_deref(), now, context);
            }
        }
        OtherOperation::PutObjectLegalHold => {
            if let BodyFacts::LegalHold(status) = body {
                context.set("s3:object-lock-legal-hold", status.as_str());
            }
        }
        _ => {}
    }
    Ok(())
}

/// An empty prefix that was sent is a prefix: the key is there with an empty value.
fn listing(request: &Request<'_>, context: &mut Context) {
    for (parameter, key) in [("prefix", "s3:prefix"), ("delimiter", "s3:delimiter"), ("max-keys", "s3:max-keys")] {
        optional(key, request.param(parameter), context);
    }
}

fn object(object: &ObjectHeaders, now: Option<i64>, context: &mut Context) {
    headers(object, now, context);
    request_tags(object, context);
}

fn request_tags(object: &ObjectHeaders, context: &mut Context) {
    if let Some(tags) = &object.tagging {
        object_tags(tags, context);
    }
}

/// Everything but the tags.
fn headers(object: &ObjectHeaders, now: Option<i64>, context: &mut Context) {
    acl(&object.acl, context);
    encryption(&object.encryption, context);
    optional("s3:x-amz-storage-class", object.storage_class.as_deref(), context);
    optional("s3:x-amz-website-redirect-location", object.website_redirect_location.as_deref(), context);
    retention(object.lock.mode.as_deref(), object.lock.retain_until_date.as_deref(), now, context);
    optional("s3:object-lock-legal-hold", object.lock.legal_hold.as_deref(), context);
}

fn acl(acl: &AclHeaders, context: &mut Context) {
    optional("s3:x-amz-acl", acl.canned.as_deref(), context);
    for (name, value) in &acl.grants {
        context.set(&format!("s3:{name}"), value.as_str());
    }
}

fn encryption(encryption: &EncryptionHeaders, context: &mut Context) {
    optional("s3:x-amz-server-side-encryption", encryption.algorithm.as_deref(), context);
    optional("s3:x-amz-server-side-encryption-aws-kms-key-id", encryption.kms_key_id.as_deref(), context);
    optional("s3:x-amz-server-side-encryption-customer-algorithm", encryption.customer_algorithm.as_deref(), context);
}

fn object_tags(tags: &TagSet, context: &mut Context) {
    for (key, value) in tags.iter() {
        context.add(&format!("s3:RequestObjectTag/{key}"), value);
    }
    context.set_many("s3:RequestObjectTagKeys", tags.iter().map(|(key, _)| key.to_owned()));
}

fn resource_tags(tags: &TagSet, context: &mut Context) {
    if tags.is_empty() {
        return;
    }
    for (key, value) in tags.iter() {
        context.add(&format!("aws:RequestTag/{key}"), value);
    }
    context.set_many("aws:TagKeys", tags.iter().map(|(key, _)| key.to_owned()));
}

fn retention(mode: Option<&str>, until: Option<&str>, now: Option<i64>, context: &mut Context) {
    optional("s3:object-lock-mode", mode, context);
    optional("s3:object-lock-retain-until-date", until, context);
    if let (Some(until), Some(now)) = (until.and_then(time::parse_date), now) {
        // Days that have begun count: a date in 36 hours is two days away.
        let days = until.saturating_sub(now).max(0).saturating_add(86_399) / 86_400;
        context.set("s3:object-lock-remaining-retention-days", days.to_string());
    }
}

fn condition(condition: &WriteCondition, request: &Request<'_>, context: &mut Context) -> Result<(), S3Error> {
    match condition {
        WriteCondition::Always => {}
        WriteCondition::IfAbsent => context.set("s3:if-none-match", "*"),
        WriteCondition::IfMatch(_) => optional("s3:if-match", request.joined_header("if-match")?.as_deref(), context),
    }
    Ok(())
}

/// What is copied, spelled in one way however the header spells it: a slash, bucket and key, nothing encoded. With a version it
/// is there with the version and without: a Deny of the object is about each of its versions. `s3:VersionId` is that of the
/// source: what is written has none.
fn copy_source(source: &CopySource, context: &mut Context) {
    let object = format!("/{}/{}", source.bucket, source.key);
    if let Some(version) = source.version_id.as_ref().map(VersionId::as_str) {
        context.set("s3:VersionId", version);
        context.set("s3:x-amz-copy-source", format!("{object}?versionId={version}"));
    }
    context.add("s3:x-amz-copy-source", object);
}

fn optional(key: &str, value: Option<&str>, context: &mut Context) {
    if let Some(value) = value {
        context.set(key, value);
    }
}
