use ids::{BucketName, ObjectKey};

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::object_headers::{AclHeaders, ObjectLockHeaders};
use crate::request::Request;
use crate::version_id::VersionId;

/// What a path addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Bucket,
    Object,
}

/// Whether the parameter `id` tells two operations of one sub-resource apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    /// It does not matter.
    Any,
    /// The operation is about one configuration: `id` must be there.
    With,
    /// The operation lists the configurations: `id` must not be there.
    Without,
}

struct Row {
    operation: OtherOperation,
    name: &'static str,
    method: &'static str,
    level: Level,
    sub_resource: &'static str,
    id: Id,
    action: &'static str,
    version_action: &'static str,
}

macro_rules! other_operations {
    ($($name:ident $method:ident $level:ident $sub:literal $id:ident $action:literal $version_action:literal,)+) => {
        /// Operations of S3 that share one input: all are known by name, route and permission.
        ///
        /// Which of them are answered is the matter of the one who executes; the rest is `NotImplemented` by name.
        /// Source: S3 API Reference, "Actions"; S3 User Guide, "Required permissions for Amazon S3 API operations".
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum OtherOperation {
            $(#[doc = concat!("`", stringify!($method), " ?", $sub, "`, permission `", $action, "`.")] $name,)+
        }

        const TABLE: &[Row] = &[$(Row {
            operation: OtherOperation::$name,
            name: stringify!($name),
            method: stringify!($method),
            level: Level::$level,
            sub_resource: $sub,
            id: Id::$id,
            action: $action,
            version_action: $version_action,
        },)+];
    };
}

other_operations! {
    CreateSession                                 GET    Bucket "session"               Any     "s3express:CreateSession" "",
    DeleteBucketAnalyticsConfiguration            DELETE Bucket "analytics"             With    "s3:PutAnalyticsConfiguration" "",
    GetBucketAnalyticsConfiguration               GET    Bucket "analytics"             With    "s3:GetAnalyticsConfiguration" "",
    ListBucketAnalyticsConfigurations             GET    Bucket "analytics"             Without "s3:GetAnalyticsConfiguration" "",
    PutBucketAnalyticsConfiguration               PUT    Bucket "analytics"             With    "s3:PutAnalyticsConfiguration" "",
    DeleteBucketIntelligentTieringConfiguration   DELETE Bucket "intelligent-tiering"   With    "s3:PutIntelligentTieringConfiguration" "",
    GetBucketIntelligentTieringConfiguration      GET    Bucket "intelligent-tiering"   With    "s3:GetIntelligentTieringConfiguration" "",
    ListBucketIntelligentTieringConfigurations    GET    Bucket "intelligent-tiering"   Without "s3:GetIntelligentTieringConfiguration" "",
    PutBucketIntelligentTieringConfiguration      PUT    Bucket "intelligent-tiering"   With    "s3:PutIntelligentTieringConfiguration" "",
    DeleteBucketInventoryConfiguration            DELETE Bucket "inventory"             With    "s3:PutInventoryConfiguration" "",
    GetBucketInventoryConfiguration               GET    Bucket "inventory"             With    "s3:GetInventoryConfiguration" "",
    ListBucketInventoryConfigurations             GET    Bucket "inventory"             Without "s3:GetInventoryConfiguration" "",
    PutBucketInventoryConfiguration               PUT    Bucket "inventory"             With    "s3:PutInventoryConfiguration" "",
    DeleteBucketMetricsConfiguration              DELETE Bucket "metrics"               With    "s3:PutMetricsConfiguration" "",
    GetBucketMetricsConfiguration                 GET    Bucket "metrics"               With    "s3:GetMetricsConfiguration" "",
    ListBucketMetricsConfigurations               GET    Bucket "metrics"               Without "s3:GetMetricsConfiguration" "",
    PutBucketMetricsConfiguration                 PUT    Bucket "metrics"               With    "s3:PutMetricsConfiguration" "",
    GetBucketAbac                                 GET    Bucket "abac"                  Any     "s3:GetBucketAbac" "",
    PutBucketAbac                                 PUT    Bucket "abac"                  Any     "s3:PutBucketAbac" "",
    GetBucketAccelerateConfiguration              GET    Bucket "accelerate"            Any     "s3:GetAccelerateConfiguration" "",
    PutBucketAccelerateConfiguration              PUT    Bucket "accelerate"            Any     "s3:PutAccelerateConfiguration" "",
    GetBucketAcl                                  GET    Bucket "acl"                   Any     "s3:GetBucketAcl" "",
    PutBucketAcl                                  PUT    Bucket "acl"                   Any     "s3:PutBucketAcl" "",
    DeleteBucketCors                              DELETE Bucket "cors"                  Any     "s3:PutBucketCORS" "",
    GetBucketCors                                 GET    Bucket "cors"                  Any     "s3:GetBucketCORS" "",
    PutBucketCors                                 PUT    Bucket "cors"                  Any     "s3:PutBucketCORS" "",
    DeleteBucketEncryption                        DELETE Bucket "encryption"            Any     "s3:PutEncryptionConfiguration" "",
    GetBucketEncryption                           GET    Bucket "encryption"            Any     "s3:GetEncryptionConfiguration" "",
    PutBucketEncryption                           PUT    Bucket "encryption"            Any     "s3:PutEncryptionConfiguration" "",
    DeleteBucketLifecycle                         DELETE Bucket "lifecycle"             Any     "s3:PutLifecycleConfiguration" "",
    GetBucketLifecycleConfiguration               GET    Bucket "lifecycle"             Any     "s3:GetLifecycleConfiguration" "",
    PutBucketLifecycleConfiguration               PUT    Bucket "lifecycle"             Any     "s3:PutLifecycleConfiguration" "",
    GetBucketLogging                              GET    Bucket "logging"               Any     "s3:GetBucketLogging" "",
    PutBucketLogging                              PUT    Bucket "logging"               Any     "s3:PutBucketLogging" "",
    CreateBucketMetadataConfiguration             POST   Bucket "metadataConfiguration" Any     "s3:CreateBucketMetadataTableConfiguration" "",
    DeleteBucketMetadataConfiguration             DELETE Bucket "metadataConfiguration" Any     "s3:DeleteBucketMetadataTableConfiguration" "",
    GetBucketMetadataConfiguration                GET    Bucket "metadataConfiguration" Any     "s3:GetBucketMetadataTableConfiguration" "",
    CreateBucketMetadataTableConfiguration        POST   Bucket "metadataTable"         Any     "s3:CreateBucketMetadataTableConfiguration" "",
    DeleteBucketMetadataTableConfiguration        DELETE Bucket "metadataTable"         Any     "s3:DeleteBucketMetadataTableConfiguration" "",
    GetBucketMetadataTableConfiguration           GET    Bucket "metadataTable"         Any     "s3:GetBucketMetadataTableConfiguration" "",
    UpdateBucketMetadataInventoryTableConfiguration PUT  Bucket "metadataInventoryTable" Any    "s3:UpdateBucketMetadataInventoryTableConfiguration" "",
    UpdateBucketMetadataJournalTableConfiguration PUT    Bucket "metadataJournalTable"  Any     "s3:UpdateBucketMetadataJournalTableConfiguration" "",
    GetBucketNotificationConfiguration            GET    Bucket "notification"          Any     "s3:GetBucketNotification" "",
    PutBucketNotificationConfiguration            PUT    Bucket "notification"          Any     "s3:PutBucketNotification" "",
    GetObjectLockConfiguration                    GET    Bucket "object-lock"           Any     "s3:GetBucketObjectLockConfiguration" "",
    PutObjectLockConfiguration                    PUT    Bucket "object-lock"           Any     "s3:PutBucketObjectLockConfiguration" "",
    DeleteBucketOwnershipControls                 DELETE Bucket "ownershipControls"     Any     "s3:PutBucketOwnershipControls" "",
    GetBucketOwnershipControls                    GET    Bucket "ownershipControls"     Any     "s3:GetBucketOwnershipControls" "",
    PutBucketOwnershipControls                    PUT    Bucket "ownershipControls"     Any     "s3:PutBucketOwnershipControls" "",
    DeletePublicAccessBlock                       DELETE Bucket "publicAccessBlock"     Any     "s3:PutBucketPublicAccessBlock" "",
    GetPublicAccessBlock                          GET    Bucket "publicAccessBlock"     Any     "s3:GetBucketPublicAccessBlock" "",
    PutPublicAccessBlock                          PUT    Bucket "publicAccessBlock"     Any     "s3:PutBucketPublicAccessBlock" "",
    DeleteBucketReplication                       DELETE Bucket "replication"           Any     "s3:PutReplicationConfiguration" "",
    GetBucketReplication                          GET    Bucket "replication"           Any     "s3:GetReplicationConfiguration" "",
    PutBucketReplication                          PUT    Bucket "replication"           Any     "s3:PutReplicationConfiguration" "",
    GetBucketRequestPayment                       GET    Bucket "requestPayment"        Any     "s3:GetBucketRequestPayment" "",
    PutBucketRequestPayment                       PUT    Bucket "requestPayment"        Any     "s3:PutBucketRequestPayment" "",
    GetBucketVersioning                           GET    Bucket "versioning"            Any     "s3:GetBucketVersioning" "",
    PutBucketVersioning                           PUT    Bucket "versioning"            Any     "s3:PutBucketVersioning" "",
    ListObjectVersions                            GET    Bucket "versions"              Any     "s3:ListBucketVersions" "",
    DeleteBucketWebsite                           DELETE Bucket "website"               Any     "s3:DeleteBucketWebsite" "",
    GetBucketWebsite                              GET    Bucket "website"               Any     "s3:GetBucketWebsite" "",
    PutBucketWebsite                              PUT    Bucket "website"               Any     "s3:PutBucketWebsite" "",
    GetObjectAcl                                  GET    Object "acl"                   Any     "s3:GetObjectAcl" "s3:GetObjectVersionAcl",
    PutObjectAcl                                  PUT    Object "acl"                   Any     "s3:PutObjectAcl" "s3:PutObjectVersionAcl",
    UpdateObjectEncryption                        PUT    Object "encryption"            Any     "s3:UpdateObjectEncryption" "s3:UpdateObjectEncryption",
    GetObjectLegalHold                            GET    Object "legal-hold"            Any     "s3:GetObjectLegalHold" "s3:GetObjectLegalHold",
    PutObjectLegalHold                            PUT    Object "legal-hold"            Any     "s3:PutObjectLegalHold" "s3:PutObjectLegalHold",
    RenameObject                                  PUT    Object "renameObject"          Any     "s3:PutObject" "",
    RestoreObject                                 POST   Object "restore"               Any     "s3:RestoreObject" "s3:RestoreObject",
    GetObjectRetention                            GET    Object "retention"             Any     "s3:GetObjectRetention" "s3:GetObjectRetention",
    PutObjectRetention                            PUT    Object "retention"             Any     "s3:PutObjectRetention" "s3:PutObjectRetention",
    SelectObjectContent                           POST   Object "select"                Any     "s3:GetObject" "",
    GetObjectTorrent                              GET    Object "torrent"               Any     "s3:GetObjectTorrent" "s3:GetObjectVersionTorrent",
}

impl OtherOperation {
    /// The name in the API, for example `GetBucketVersioning`.
    pub fn name(self) -> &'static str {
        self.row().map_or("Other", |row| row.name)
    }

    /// The permission it needs, for example `s3:GetBucketVersioning`; another one where a version is named.
    pub fn action(self, of_version: bool) -> &'static str {
        self.row().map_or("s3:Other", |row| {
            if of_version && !row.version_action.is_empty() { row.version_action } else { row.action }
        })
    }

    /// All operations of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.operation)
    }

    /// The operation of a method and a sub-resource, if there is one.
    pub(crate) fn find(method: &str, level: Level, sub_resource: &str, has_id: bool) -> Option<Self> {
        let id_fits = |id: Id| match id {
            Id::Any => true,
            Id::With => has_id,
            Id::Without => !has_id,
        };
        TABLE
            .iter()
            .find(|row| {
                row.method == method && row.level == level && row.sub_resource == sub_resource && id_fits(row.id)
            })
            .map(|row| row.operation)
    }

    /// True when this sub-resource belongs to some operation of the table.
    pub(crate) fn knows(sub_resource: &str) -> bool {
        TABLE.iter().any(|row| row.sub_resource == sub_resource)
    }

    fn takes_version(self) -> bool {
        self.row().is_some_and(|row| !row.version_action.is_empty())
    }

    fn row(self) -> Option<&'static Row> {
        // The table has the order of the variants.
        TABLE.get(self as usize)
    }
}

/// The input of every operation in [`OtherOperation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Which one.
    pub operation: OtherOperation,
    /// The bucket.
    pub bucket: BucketName,
    /// The key, for operations on objects.
    pub key: Option<ObjectKey>,
    /// The version, where the operation takes one.
    pub version_id: Option<VersionId>,
    /// `id`: which configuration of analytics, inventory, metrics or intelligent tiering.
    pub configuration_id: Option<String>,
    /// `x-amz-acl` and `x-amz-grant-*`, for the operations on ACLs.
    pub acl: AclHeaders,
    /// `x-amz-object-lock-*`.
    pub lock: ObjectLockHeaders,
    /// `x-amz-bypass-governance-retention: true`.
    pub bypass_governance_retention: bool,
    /// `x-amz-rename-source`, as it was sent.
    pub rename_source: Option<String>,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
}

impl Other {
    pub(crate) fn parse(
        request: &Request<'_>,
        operation: OtherOperation,
        bucket: BucketName,
        key: Option<ObjectKey>,
        version_id: Option<VersionId>,
    ) -> Result<Self, S3Error> {
        if let Some(version_id) = version_id.as_ref().filter(|_| !operation.takes_version()) {
            let message = "This operation does not accept a version-id.";
            return Err(S3Error::invalid_argument("versionId", version_id.as_str(), message));
        }
        Ok(Self {
            operation,
            bucket,
            key,
            version_id,
            configuration_id: request.owned_param("id"),
            acl: AclHeaders::parse(request)?,
            lock: ObjectLockHeaders::parse(request)?,
            bypass_governance_retention: request.flag("x-amz-bypass-governance-retention")?,
            rename_source: request.owned_header("x-amz-rename-source")?,
            checksums: BodyChecksums::parse(request)?,
        })
    }
}
