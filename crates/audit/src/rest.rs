//! The names that S3's access logs give to operations: `REST.GET.OBJECT`.

use access::AuditRecord;

/// The resource names of S3's access logs, by what the name of an operation contains. The first match counts.
const RESOURCES: &[(&str, &str)] = &[
    ("ObjectTagging", "OBJECTTAGGING"),
    ("BucketTagging", "TAGGING"),
    ("Acl", "ACL"),
    ("BucketPolicyStatus", "POLICY_STATUS"),
    ("BucketPolicy", "BUCKETPOLICY"),
    ("Lifecycle", "LIFECYCLE"),
    ("Cors", "CORS"),
    ("Encryption", "ENCRYPTION"),
    ("PublicAccessBlock", "PUBLIC_ACCESS_BLOCK"),
    ("OwnershipControls", "OWNERSHIP_CONTROLS"),
    ("Versioning", "VERSIONING"),
    ("ObjectVersions", "BUCKETVERSIONS"),
    ("ObjectLockConfiguration", "OBJECT_LOCK_CONFIGURATION"),
    ("LegalHold", "OBJECT_LOCK_LEGALHOLD"),
    ("Retention", "OBJECT_LOCK_RETENTION"),
    ("Location", "LOCATION"),
    ("Notification", "NOTIFICATION"),
    ("Logging", "LOGGING_STATUS"),
    ("RequestPayment", "REQUEST_PAYMENT"),
    ("UploadPart", "PART"),
    ("MultipartUploads", "UPLOADS"),
    ("CreateMultipartUpload", "UPLOADS"),
    ("MultipartUpload", "UPLOAD"),
    ("ListParts", "UPLOAD"),
];

/// The name of S3's access logs. DeleteObjects has another one in SeaweedFS's log.
pub(crate) fn operation(record: &AuditRecord, delete_objects: &str) -> String {
    let (name, method) = (record.operation, &record.request.method);
    if name == "DeleteObjects" {
        return delete_objects.to_owned();
    }
    let whole = match (&record.target.bucket, &record.target.key) {
        (_, Some(_)) => "OBJECT",
        (Some(_), None) => "BUCKET",
        (None, None) => "SERVICE",
    };
    let part = RESOURCES.iter().find(|(word, _)| name.contains(word)).map_or(whole, |(_, resource)| resource);
    format!("REST.{method}.{part}")
}
