//! Every other operation. What is stored is shown, what does not exist is answered in AWS's "none" form, and what is not
//! supported yet is refused by name, so that nothing of it is lost meanwhile.

use access::Permit;
use filer::Entry;
use iam::{Bucket, Ownership, Versioning};
use ids::ObjectKey;
use s3::op::{Other, OtherOperation as Op};
use s3::{S3Error, S3ErrorCode, XmlWriter, iso8601};

use super::Call;
use super::answer::{self, Answer};
use super::find::no_such_key;
use super::version_listing::list_object_versions;
use crate::object::attribute;

/// Answers an operation on a bucket's or an object's configuration.
pub async fn other(call: &Call<'_>, permit: Permit<Other>) -> Answer {
    let input = permit.into_operation();
    let bucket = call.existing_bucket()?;
    if let Some(key) = &input.key {
        return of_object(call, bucket, &input, key).await;
    }
    match input.operation {
        Op::GetBucketVersioning => answer::document(versioning(bucket)),
        Op::GetBucketAcl => answer::document(acl(bucket.acl.as_deref(), &bucket.owner)),
        Op::GetBucketCors => cors(bucket),
        Op::GetBucketEncryption => encryption(bucket),
        Op::GetBucketLifecycleConfiguration => stored_lifecycle(bucket),
        Op::GetObjectLockConfiguration => object_lock(bucket),
        Op::GetBucketOwnershipControls => answer::document(ownership(bucket)),
        Op::GetBucketLogging => none_form("BucketLoggingStatus"),
        Op::GetBucketNotificationConfiguration => none_form("NotificationConfiguration"),
        Op::GetBucketAccelerateConfiguration => none_form("AccelerateConfiguration"),
        Op::GetBucketRequestPayment => {
            answer::document(one_value("RequestPaymentConfiguration", "Payer", "BucketOwner"))
        }
        Op::ListBucketAnalyticsConfigurations => empty_list("ListBucketAnalyticsConfigurationResult"),
        Op::ListBucketIntelligentTieringConfigurations => {
            empty_list("ListBucketIntelligentTieringConfigurationsResult")
        }
        Op::ListBucketInventoryConfigurations => empty_list("ListInventoryConfigurationsResult"),
        Op::ListBucketMetricsConfigurations => empty_list("ListMetricsConfigurationsResult"),
        Op::GetBucketWebsite => Err(none(bucket, S3ErrorCode::NoSuchWebsiteConfiguration)),
        Op::GetBucketReplication => Err(none(bucket, S3ErrorCode::ReplicationConfigurationNotFoundError)),
        Op::GetPublicAccessBlock => Err(none(bucket, S3ErrorCode::NoSuchPublicAccessBlockConfiguration)),
        Op::GetBucketAnalyticsConfiguration
        | Op::GetBucketIntelligentTieringConfiguration
        | Op::GetBucketInventoryConfiguration
        | Op::GetBucketMetricsConfiguration => Err(none(bucket, S3ErrorCode::NoSuchConfiguration)),
        Op::ListObjectVersions => list_object_versions(call, &input.bucket).await,
        refused => Err(not_implemented(refused)),
    }
}

async fn of_object(call: &Call<'_>, bucket: &Bucket, input: &Other, key: &ObjectKey) -> Answer {
    if !matches!(input.operation, Op::GetObjectAcl | Op::GetObjectLegalHold | Op::GetObjectRetention) {
        return Err(not_implemented(input.operation));
    }
    answer::refuse_version(input.version_id.as_ref(), bucket.keeps_versions())?;
    let entry = call.object_if_any(&input.bucket, key).await?.ok_or_else(|| no_such_key(key))?;
    match input.operation {
        Op::GetObjectAcl => {
            let owner = entry.extended_text(attribute::OWNER).unwrap_or(&bucket.owner);
            answer::document(acl(entry.extended_text(attribute::ACL), owner))
        }
        Op::GetObjectLegalHold => legal_hold(&entry),
        _ => retention(&entry),
    }
}

fn not_implemented(operation: Op) -> S3Error {
    let message =
        format!("The operation {} is not supported by this gateway yet; nothing was changed", operation.name());
    S3Error::with_message(S3ErrorCode::NotImplemented, message)
}

fn none(bucket: &Bucket, code: S3ErrorCode) -> S3Error {
    S3Error::new(code).field("BucketName", &*bucket.name)
}

fn none_form(root: &str) -> Answer {
    let mut xml = XmlWriter::document();
    xml.open_root(root);
    xml.close(root);
    answer::document(xml.finish())
}

fn empty_list(root: &str) -> Answer {
    answer::document(one_value(root, "IsTruncated", "false"))
}

fn one_value(root: &str, name: &str, value: &str) -> String {
    let mut xml = XmlWriter::document();
    xml.open_root(root);
    xml.text(name, value);
    xml.close(root);
    xml.finish()
}

fn versioning(bucket: &Bucket) -> String {
    let status = match bucket.versioning {
        Versioning::Off => None,
        Versioning::Enabled | Versioning::Unknown => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    };
    let mut xml = XmlWriter::document();
    xml.open_root("VersioningConfiguration");
    xml.optional("Status", status);
    xml.close("VersioningConfiguration");
    xml.finish()
}

fn ownership(bucket: &Bucket) -> String {
    let rule = match bucket.ownership {
        Ownership::BucketOwnerEnforced => "BucketOwnerEnforced",
        Ownership::BucketOwnerPreferred => "BucketOwnerPreferred",
        Ownership::ObjectWriter => "ObjectWriter",
    };
    let mut xml = XmlWriter::document();
    xml.open_root("OwnershipControls");
    xml.open("Rule");
    xml.text("ObjectOwnership", rule);
    xml.close("Rule");
    xml.close("OwnershipControls");
    xml.finish()
}

fn cors(bucket: &Bucket) -> Answer {
    if bucket.cors_rules().is_empty() {
        return Err(none(bucket, S3ErrorCode::NoSuchCORSConfiguration));
    }
    answer::document(super::cors::of_bucket(bucket).to_xml())
}

fn encryption(bucket: &Bucket) -> Answer {
    let stored = bucket.metadata.as_ref().ok().and_then(|metadata| metadata.encryption.as_ref());
    let Some(stored) = stored.filter(|stored| !stored.sse_algorithm.is_empty()) else {
        return Err(none(bucket, S3ErrorCode::ServerSideEncryptionConfigurationNotFoundError));
    };
    let mut xml = XmlWriter::document();
    xml.open_root("ServerSideEncryptionConfiguration");
    xml.open("Rule");
    xml.open("ApplyServerSideEncryptionByDefault");
    xml.text("SSEAlgorithm", &stored.sse_algorithm);
    xml.optional("KMSMasterKeyID", Some(stored.kms_key_id.as_str()).filter(|id| !id.is_empty()));
    xml.close("ApplyServerSideEncryptionByDefault");
    xml.value("BucketKeyEnabled", stored.bucket_key_enabled);
    xml.close("Rule");
    xml.close("ServerSideEncryptionConfiguration");
    answer::document(xml.finish())
}

fn stored_lifecycle(bucket: &Bucket) -> Answer {
    let stored = bucket.lifecycle.as_ref().ok_or_else(|| none(bucket, S3ErrorCode::NoSuchLifecycleConfiguration))?;
    answer::document(stored.to_string())
}

fn object_lock(bucket: &Bucket) -> Answer {
    if !bucket.object_lock {
        return Err(none(bucket, S3ErrorCode::ObjectLockConfigurationNotFoundError));
    }
    let mut xml = XmlWriter::document();
    xml.open_root("ObjectLockConfiguration");
    xml.text("ObjectLockEnabled", "Enabled");
    if let Some(default) = &bucket.default_retention {
        xml.open("Rule");
        xml.open("DefaultRetention");
        xml.text("Mode", &default.mode);
        match (default.days, default.years) {
            (0, years) => xml.value("Years", years),
            (days, _) => xml.value("Days", days),
        }
        xml.close("DefaultRetention");
        xml.close("Rule");
    }
    xml.close("ObjectLockConfiguration");
    answer::document(xml.finish())
}

fn legal_hold(entry: &Entry) -> Answer {
    match entry.extended_text(attribute::LEGAL_HOLD) {
        Some(status) => answer::document(one_value("LegalHold", "Status", status)),
        None => Err(S3Error::new(S3ErrorCode::NoSuchObjectLockConfiguration)),
    }
}

fn retention(entry: &Entry) -> Answer {
    let mode = entry.extended_text(attribute::LOCK_MODE);
    let until = entry.extended_text(attribute::RETAIN_UNTIL).and_then(|text| text.parse().ok());
    let (Some(mode), Some(until)) = (mode, until) else {
        return Err(S3Error::new(S3ErrorCode::NoSuchObjectLockConfiguration));
    };
    let mut xml = XmlWriter::document();
    xml.open_root("Retention");
    xml.text("Mode", mode);
    xml.text("RetainUntilDate", &iso8601(until));
    xml.close("Retention");
    answer::document(xml.finish())
}

/// One grant as SeaweedFS stores it.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Grant {
    grantee: Grantee,
    #[serde(default)]
    permission: Option<String>,
}

#[derive(serde::Deserialize)]
struct Grantee {
    #[serde(rename = "ID", default)]
    id: Option<String>,
    #[serde(rename = "DisplayName", default)]
    display_name: Option<String>,
    #[serde(rename = "URI", default)]
    uri: Option<String>,
    #[serde(rename = "Type", default)]
    kind: Option<String>,
}

/// The stored grants, or the owner's full control where none are stored (or they cannot be read).
fn acl(stored: Option<&str>, owner: &str) -> String {
    let stored: Vec<Grant> = stored.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let mut xml = XmlWriter::document();
    xml.open_root("AccessControlPolicy");
    xml.open("Owner");
    xml.text("ID", owner);
    xml.text("DisplayName", owner);
    xml.close("Owner");
    xml.open("AccessControlList");
    if stored.is_empty() {
        write_grant(&mut xml, "CanonicalUser", Some(owner), Some(owner), None, "FULL_CONTROL");
    }
    for grant in &stored {
        let to = &grant.grantee;
        let kind = to.kind.as_deref().unwrap_or("CanonicalUser");
        let permission = grant.permission.as_deref().unwrap_or_default();
        write_grant(&mut xml, kind, to.id.as_deref(), to.display_name.as_deref(), to.uri.as_deref(), permission);
    }
    xml.close("AccessControlList");
    xml.close("AccessControlPolicy");
    xml.finish()
}

fn write_grant(
    xml: &mut XmlWriter,
    kind: &str,
    id: Option<&str>,
    display_name: Option<&str>,
    uri: Option<&str>,
    permission: &str,
) {
    xml.open("Grant");
    let namespace = ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance");
    xml.open_with("Grantee", &[namespace, ("xsi:type", kind)]);
    xml.optional("ID", id);
    xml.optional("DisplayName", display_name);
    xml.optional("URI", uri);
    xml.close("Grantee");
    xml.text("Permission", permission);
    xml.close("Grant");
}
