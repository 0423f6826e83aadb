use ids::BucketName;

use crate::checksum::BodyChecksums;
use crate::operation::S3Operation;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::{ConfigurationId, Reader, Route, Row};
use crate::target::{Addressed, Level, Path, Target};
use crate::{S3Error, S3ErrorCode, XmlWriter};

/// An operation that Kelpgate knows by name and does not support: reads answer as AWS does where nothing is configured, and
/// everything else is refused by name, so that nothing of it is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    listed: &'static Listed,
    on: On,
    checksums: BodyChecksums,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum On {
    Bucket(BucketName),
    Object(Target),
}

/// What an operation that is not supported is called, needs and answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: &'static str,
    sub_resource: &'static str,
    action: &'static str,
    /// The permission where a version is named; empty for operations that take no version.
    version_action: &'static str,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// 501, by name.
    NotImplemented,
    /// A document without content.
    Empty(&'static str),
    /// A list of nothing.
    EmptyList(&'static str),
    /// The error for what is not configured.
    Missing(S3ErrorCode),
}

impl Unsupported {
    pub(crate) fn parse(request: &Request<'_>, listed: &'static Listed, path: Path) -> Result<Self, S3Error> {
        let on = match path {
            Path::Service => return Err(S3Error::new(S3ErrorCode::InternalError)),
            Path::Bucket(bucket) => On::Bucket(bucket),
            Path::Object(target) => On::Object(target),
        };
        Ok(Self { listed, on, checksums: BodyChecksums::parse(request)? })
    }

    /// The name in the API, for example `PutBucketReplication`.
    pub fn name(&self) -> &'static str {
        self.listed.name
    }

    /// The document of the answer, or the error.
    pub fn answer(&self) -> Result<String, S3Error> {
        match self.listed.answer {
            Answer::NotImplemented => Err(S3Error::unsupported_operation(self.name())),
            Answer::Empty(root) => Ok(document(root, None)),
            Answer::EmptyList(root) => Ok(document(root, Some(("IsTruncated", "false")))),
            Answer::Missing(code) => {
                let bucket = self.addressed().bucket.map(|bucket| bucket.as_str()).unwrap_or_default();
                Err(S3Error::new(code).field("BucketName", bucket))
            }
        }
    }
}

impl S3Operation for Unsupported {
    fn addressed(&self) -> Addressed<'_> {
        match &self.on {
            On::Bucket(bucket) => bucket.into(),
            On::Object(target) => target.into(),
        }
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![match &self.on {
            On::Bucket(bucket) => Requirement::on_bucket(self.listed.action, bucket),
            On::Object(target) if self.listed.version_action.is_empty() => target.need(self.listed.action),
            On::Object(target) => target.need_of_version(self.listed.action, self.listed.version_action),
        }]
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }

    fn is_for_owners_account(&self) -> bool {
        matches!(self.listed.sub_resource, "ownershipControls" | "publicAccessBlock")
    }
}

fn document(root: &str, content: Option<(&str, &str)>) -> String {
    let mut xml = XmlWriter::document();
    xml.open_root(root);
    if let Some((name, value)) = content {
        xml.text(name, value);
    }
    xml.close(root);
    xml.finish()
}

macro_rules! answer {
    (Missing $code:ident) => {
        Answer::Missing(S3ErrorCode::$code)
    };
    ($kind:ident $($root:literal)?) => {
        Answer::$kind $(($root))?
    };
}

macro_rules! unsupported {
    ($($name:ident $method:ident $level:ident $sub:literal $id:ident $action:literal $of_version:literal $answer:ident $(($with:tt))?,)+) => {
        /// The routes of the operations that are not supported.
        pub(crate) const UNSUPPORTED: &[Row] = &[$(Row {
            name: stringify!($name),
            level: Level::$level,
            route: route(stringify!($method), $sub, ConfigurationId::$id, $of_version),
            reader: Reader::Listed(&Listed {
                name: stringify!($name),
                sub_resource: $sub,
                action: $action,
                version_action: $of_version,
                answer: answer!($answer $($with)?),
            }),
        },)+];
    };
}

const fn route(method: &'static str, sub_resource: &'static str, id: ConfigurationId, version_action: &str) -> Route {
    let route = Route::sub(method, sub_resource).with_id(id);
    if version_action.is_empty() { route } else { route.of_version() }
}

// Name, method, level, sub-resource, whether `id` must be there, permission, permission of a version, answer.
// Source: S3 API Reference, "Actions".
unsupported! {
    CreateSession                                   GET    Bucket "session"                 Any     "s3express:CreateSession" "" NotImplemented,
    DeleteBucketAnalyticsConfiguration              DELETE Bucket "analytics"               With    "s3:PutAnalyticsConfiguration" "" NotImplemented,
    GetBucketAnalyticsConfiguration                 GET    Bucket "analytics"               With    "s3:GetAnalyticsConfiguration" "" Missing(NoSuchConfiguration),
    ListBucketAnalyticsConfigurations               GET    Bucket "analytics"               Without "s3:GetAnalyticsConfiguration" "" EmptyList("ListBucketAnalyticsConfigurationResult"),
    PutBucketAnalyticsConfiguration                 PUT    Bucket "analytics"               With    "s3:PutAnalyticsConfiguration" "" NotImplemented,
    DeleteBucketIntelligentTieringConfiguration     DELETE Bucket "intelligent-tiering"     With    "s3:PutIntelligentTieringConfiguration" "" NotImplemented,
    GetBucketIntelligentTieringConfiguration        GET    Bucket "intelligent-tiering"     With    "s3:GetIntelligentTieringConfiguration" "" Missing(NoSuchConfiguration),
    ListBucketIntelligentTieringConfigurations      GET    Bucket "intelligent-tiering"     Without "s3:GetIntelligentTieringConfiguration" "" EmptyList("ListBucketIntelligentTieringConfigurationsResult"),
    PutBucketIntelligentTieringConfiguration        PUT    Bucket "intelligent-tiering"     With    "s3:PutIntelligentTieringConfiguration" "" NotImplemented,
    DeleteBucketInventoryConfiguration              DELETE Bucket "inventory"               With    "s3:PutInventoryConfiguration" "" NotImplemented,
    GetBucketInventoryConfiguration                 GET    Bucket "inventory"               With    "s3:GetInventoryConfiguration" "" Missing(NoSuchConfiguration),
    ListBucketInventoryConfigurations               GET    Bucket "inventory"               Without "s3:GetInventoryConfiguration" "" EmptyList("ListInventoryConfigurationsResult"),
    PutBucketInventoryConfiguration                 PUT    Bucket "inventory"               With    "s3:PutInventoryConfiguration" "" NotImplemented,
    DeleteBucketMetricsConfiguration                DELETE Bucket "metrics"                 With    "s3:PutMetricsConfiguration" "" NotImplemented,
    GetBucketMetricsConfiguration                   GET    Bucket "metrics"                 With    "s3:GetMetricsConfiguration" "" Missing(NoSuchConfiguration),
    ListBucketMetricsConfigurations                 GET    Bucket "metrics"                 Without "s3:GetMetricsConfiguration" "" EmptyList("ListMetricsConfigurationsResult"),
    PutBucketMetricsConfiguration                   PUT    Bucket "metrics"                 With    "s3:PutMetricsConfiguration" "" NotImplemented,
    GetBucketAbac                                   GET    Bucket "abac"                    Any     "s3:GetBucketAbac" "" NotImplemented,
    PutBucketAbac                                   PUT    Bucket "abac"                    Any     "s3:PutBucketAbac" "" NotImplemented,
    GetBucketAccelerateConfiguration                GET    Bucket "accelerate"              Any     "s3:GetAccelerateConfiguration" "" Empty("AccelerateConfiguration"),
    PutBucketAccelerateConfiguration                PUT    Bucket "accelerate"              Any     "s3:PutAccelerateConfiguration" "" NotImplemented,
    DeleteBucketCors                                DELETE Bucket "cors"                    Any     "s3:PutBucketCORS" "" NotImplemented,
    PutBucketCors                                   PUT    Bucket "cors"                    Any     "s3:PutBucketCORS" "" NotImplemented,
    DeleteBucketEncryption                          DELETE Bucket "encryption"              Any     "s3:PutEncryptionConfiguration" "" NotImplemented,
    PutBucketEncryption                             PUT    Bucket "encryption"              Any     "s3:PutEncryptionConfiguration" "" NotImplemented,
    DeleteBucketLifecycle                           DELETE Bucket "lifecycle"               Any     "s3:PutLifecycleConfiguration" "" NotImplemented,
    PutBucketLifecycleConfiguration                 PUT    Bucket "lifecycle"               Any     "s3:PutLifecycleConfiguration" "" NotImplemented,
    GetBucketLogging                                GET    Bucket "logging"                 Any     "s3:GetBucketLogging" "" Empty("BucketLoggingStatus"),
    PutBucketLogging                                PUT    Bucket "logging"                 Any     "s3:PutBucketLogging" "" NotImplemented,
    CreateBucketMetadataConfiguration               POST   Bucket "metadataConfiguration"   Any     "s3:CreateBucketMetadataTableConfiguration" "" NotImplemented,
    DeleteBucketMetadataConfiguration               DELETE Bucket "metadataConfiguration"   Any     "s3:DeleteBucketMetadataTableConfiguration" "" NotImplemented,
    GetBucketMetadataConfiguration                  GET    Bucket "metadataConfiguration"   Any     "s3:GetBucketMetadataTableConfiguration" "" NotImplemented,
    CreateBucketMetadataTableConfiguration          POST   Bucket "metadataTable"           Any     "s3:CreateBucketMetadataTableConfiguration" "" NotImplemented,
    DeleteBucketMetadataTableConfiguration          DELETE Bucket "metadataTable"           Any     "s3:DeleteBucketMetadataTableConfiguration" "" NotImplemented,
    GetBucketMetadataTableConfiguration             GET    Bucket "metadataTable"           Any     "s3:GetBucketMetadataTableConfiguration" "" NotImplemented,
    UpdateBucketMetadataInventoryTableConfiguration PUT    Bucket "metadataInventoryTable"  Any     "s3:UpdateBucketMetadataInventoryTableConfiguration" "" NotImplemented,
    UpdateBucketMetadataJournalTableConfiguration   PUT    Bucket "metadataJournalTable"    Any     "s3:UpdateBucketMetadataJournalTableConfiguration" "" NotImplemented,
    GetBucketNotificationConfiguration              GET    Bucket "notification"            Any     "s3:GetBucketNotification" "" Empty("NotificationConfiguration"),
    PutBucketNotificationConfiguration              PUT    Bucket "notification"            Any     "s3:PutBucketNotification" "" NotImplemented,
    PutObjectLockConfiguration                      PUT    Bucket "object-lock"             Any     "s3:PutBucketObjectLockConfiguration" "" NotImplemented,
    DeleteBucketOwnershipControls                   DELETE Bucket "ownershipControls"       Any     "s3:PutBucketOwnershipControls" "" NotImplemented,
    PutBucketOwnershipControls                      PUT    Bucket "ownershipControls"       Any     "s3:PutBucketOwnershipControls" "" NotImplemented,
    DeletePublicAccessBlock                         DELETE Bucket "publicAccessBlock"       Any     "s3:PutBucketPublicAccessBlock" "" NotImplemented,
    GetPublicAccessBlock                            GET    Bucket "publicAccessBlock"       Any     "s3:GetBucketPublicAccessBlock" "" Missing(NoSuchPublicAccessBlockConfiguration),
    PutPublicAccessBlock                            PUT    Bucket "publicAccessBlock"       Any     "s3:PutBucketPublicAccessBlock" "" NotImplemented,
    DeleteBucketReplication                         DELETE Bucket "replication"             Any     "s3:PutReplicationConfiguration" "" NotImplemented,
    GetBucketReplication                            GET    Bucket "replication"             Any     "s3:GetReplicationConfiguration" "" Missing(ReplicationConfigurationNotFoundError),
    PutBucketReplication                            PUT    Bucket "replication"             Any     "s3:PutReplicationConfiguration" "" NotImplemented,
    PutBucketRequestPayment                         PUT    Bucket "requestPayment"          Any     "s3:PutBucketRequestPayment" "" NotImplemented,
    PutBucketVersioning                             PUT    Bucket "versioning"              Any     "s3:PutBucketVersioning" "" NotImplemented,
    DeleteBucketWebsite                             DELETE Bucket "website"                 Any     "s3:DeleteBucketWebsite" "" NotImplemented,
    GetBucketWebsite                                GET    Bucket "website"                 Any     "s3:GetBucketWebsite" "" Missing(NoSuchWebsiteConfiguration),
    PutBucketWebsite                                PUT    Bucket "website"                 Any     "s3:PutBucketWebsite" "" NotImplemented,
    UpdateObjectEncryption                          PUT    Object "encryption"              Any     "s3:UpdateObjectEncryption" "s3:UpdateObjectEncryption" NotImplemented,
    RenameObject                                    PUT    Object "renameObject"            Any     "s3:PutObject" "" NotImplemented,
    RestoreObject                                   POST   Object "restore"                 Any     "s3:RestoreObject" "s3:RestoreObject" NotImplemented,
    SelectObjectContent                             POST   Object "select"                  Any     "s3:GetObject" "" NotImplemented,
    GetObjectTorrent                                GET    Object "torrent"                 Any     "s3:GetObjectTorrent" "s3:GetObjectVersionTorrent" NotImplemented,
}
