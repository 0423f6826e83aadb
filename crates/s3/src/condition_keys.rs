use http::header::AUTHORIZATION;
use http::request::Parts;
use ids::LegalHold;
use policy::Context;

use crate::S3Error;
use crate::conditional::WriteCondition;
use crate::copy_source::CopySource;
use crate::object_headers::{AclHeaders, EncryptionHeaders, ObjectHeaders, RequestedRetention};
use crate::op::MetadataDirective;
use crate::operation::Operation;
use crate::request::Request;
use crate::tagging::TagSet;
use crate::version_id::VersionId;

/// The hash of the body. This is the only `x-amz-*` header that a signature need not name.
const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// Sets every `s3:*` key (and `aws:RequestTag`, `aws:TagKeys`) that the request itself carries.
///
/// Each key is set only by the operations for which AWS lists it: a parameter that an operation does not have cannot
/// set a key. `s3:authType`, `s3:signatureversion`, `s3:signatureAge`, `s3:TlsVersion`, `s3:ResourceAccount` and
/// `s3:ExistingObjectTag` are set elsewhere, where they are known. `s3:VersionId` is that of the request or of the copy
/// source; each key of DeleteObjects has its own, in its [`Requirement`](crate::Requirement). `now` is in seconds since
/// 1970, for `s3:object-lock-remaining-retention-days`. Source: Service Authorization Reference, "Condition keys for
/// Amazon S3".
///
/// Fails for values that are too long.
pub fn set_condition_keys(
    op: &Operation,
    head: &Parts,
    now: Option<i64>,
    context: &mut Context,
) -> Result<(), S3Error> {
    // The body of a form is not compared with the hash.
    let hash = head.headers.get(CONTENT_SHA256).filter(|_| !matches!(op, Operation::PostObject(_)));
    if let Some(hash) = hash.and_then(|value| value.to_str().ok())
        // A signature in a header covers it, so the query need not be read.
        && (head.headers.contains_key(AUTHORIZATION) || Request::new(head)?.signs_header(CONTENT_SHA256))
    {
        context.set("s3:x-amz-content-sha256", hash);
    }
    if let Some(version_id) = op.version_id() {
        context.set("s3:VersionId", version_id.as_str());
    }
    op.set_condition_keys(&mut ConditionKeys { head, now, context })?;
    Ok(context.require_bounded()?)
}

/// The condition keys of a request while its operation sets them, one method for each kind of key.
pub struct ConditionKeys<'a> {
    head: &'a Parts,
    now: Option<i64>,
    context: &'a mut Context,
}

impl ConditionKeys<'_> {
    pub(crate) fn optional(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.context.set(key, value);
        }
    }

    /// Prefix, delimiter and page size. If an empty prefix is sent, the key is present with an empty value.
    pub(crate) fn listing(&mut self) -> Result<(), S3Error> {
        let request = Request::new(self.head)?;
        for (parameter, key) in [("prefix", "s3:prefix"), ("delimiter", "s3:delimiter"), ("max-keys", "s3:max-keys")] {
            self.optional(key, request.param(parameter));
        }
        Ok(())
    }

    /// What the request says about an object that is written, including its tags.
    pub(crate) fn object(&mut self, object: &ObjectHeaders) {
        self.object_headers(object);
        if let Some(tags) = &object.tagging {
            self.object_tags(tags);
        }
    }

    /// What the request says about a copy. With the directive COPY the tagging header is ignored, so it sets no key.
    pub(crate) fn copied_object(&mut self, object: &ObjectHeaders, tagging: MetadataDirective) -> Result<(), S3Error> {
        match tagging {
            MetadataDirective::Replace => self.object(object),
            MetadataDirective::Copy => self.object_headers(object),
        }
        let directive = Request::new(self.head)?.owned_header("x-amz-metadata-directive")?;
        self.optional("s3:x-amz-metadata-directive", directive.as_deref());
        Ok(())
    }

    /// Everything but the tags.
    fn object_headers(&mut self, object: &ObjectHeaders) {
        self.acl(&object.acl);
        self.encryption(&object.encryption);
        self.optional("s3:x-amz-storage-class", object.storage_class.as_deref());
        self.optional("s3:x-amz-website-redirect-location", object.website_redirect_location.as_deref());
        self.retention(object.lock.retention.as_ref());
        self.optional("s3:object-lock-legal-hold", object.lock.legal_hold.map(LegalHold::as_str));
    }

    pub(crate) fn acl(&mut self, acl: &AclHeaders) {
        self.optional("s3:x-amz-acl", acl.canned.as_deref());
        for (name, value) in &acl.grants {
            self.context.set(format!("s3:{name}"), value.as_str());
        }
    }

    pub(crate) fn encryption(&mut self, encryption: &EncryptionHeaders) {
        self.optional("s3:x-amz-server-side-encryption", encryption.algorithm.as_deref());
        self.optional("s3:x-amz-server-side-encryption-aws-kms-key-id", encryption.kms_key_id.as_deref());
        let customer = encryption.customer_algorithm.as_deref();
        self.optional("s3:x-amz-server-side-encryption-customer-algorithm", customer);
    }

    pub(crate) fn object_tags(&mut self, tags: &TagSet) {
        for (key, value) in tags.iter() {
            self.context.add(format!("s3:RequestObjectTag/{key}"), value);
        }
        self.context.set_many("s3:RequestObjectTagKeys", tags.iter().map(|(key, _)| key.to_owned()));
    }

    pub(crate) fn resource_tags(&mut self, tags: &TagSet) {
        if tags.is_empty() {
            return;
        }
        for (key, value) in tags.iter() {
            self.context.add(format!("aws:RequestTag/{key}"), value);
        }
        self.tag_keys(tags.iter().map(|(key, _)| key));
    }

    pub(crate) fn tag_keys<'t>(&mut self, keys: impl Iterator<Item = &'t str>) {
        self.context.set_many("aws:TagKeys", keys.map(str::to_owned));
    }

    pub(crate) fn retention(&mut self, requested: Option<&RequestedRetention>) {
        let Some(RequestedRetention { retention, retain_until_date }) = requested else { return };
        self.context.set("s3:object-lock-mode", retention.mode.as_str());
        self.context.set("s3:object-lock-retain-until-date", retain_until_date.as_str());
        if let Some(now) = self.now {
            // Days are rounded up: a date in 36 hours is two days away.
            let days = retention.until_s.saturating_sub(now).max(0).saturating_add(86_399) / 86_400;
            self.context.set("s3:object-lock-remaining-retention-days", days.to_string());
        }
    }

    pub(crate) fn write_condition(&mut self, condition: &WriteCondition) -> Result<(), S3Error> {
        match condition {
            WriteCondition::Always => {}
            WriteCondition::IfAbsent => self.context.set("s3:if-none-match", "*"),
            WriteCondition::IfMatch(_) => {
                let value = Request::new(self.head)?.joined_header("if-match")?;
                self.optional("s3:if-match", value.as_deref());
            }
        }
        Ok(())
    }

    /// Whether a whole object is created, or only a part.
    pub(crate) fn creates_object(&mut self, creates: bool) {
        self.context.set("s3:ObjectCreationOperation", if creates { "true" } else { "false" });
    }

    /// The copy source in one spelling, however the header spells it: a slash, bucket and key, nothing encoded. If it
    /// has a version, the key has two values, with and without the version, because a Deny for the object also covers
    /// each of its versions. `s3:VersionId` is that of the source: the object that is written has none.
    pub(crate) fn copy_source(&mut self, source: &CopySource) {
        let object = format!("/{}/{}", source.bucket, source.key);
        if let Some(version) = source.version_id.as_ref().map(VersionId::as_str) {
            self.context.set("s3:VersionId", version);
            self.context.set("s3:x-amz-copy-source", format!("{object}?versionId={version}"));
        }
        self.context.add("s3:x-amz-copy-source", object);
    }
}
