use ids::BucketName;
use xml::Element;

use crate::checksum::BodyChecksums;
use crate::document;
use crate::operation::S3Operation;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::{ConfigurationId, Reader, Route, Row};
use crate::target::{Addressed, Level, Path, Target};
use crate::{S3Error, S3ErrorCode};

/// The largest document of a configuration, in bytes.
const MAX_BODY_BYTES: usize = 64 << 10;

/// An operation that Kelpgate knows by name but does not support. Reads answer as AWS does if nothing is configured.
/// Writes succeed if there is nothing to do: the document states what already holds, or nothing is set that could be
/// deleted. Everything else is refused by name, so that no request is silently ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    listed: &'static Listed,
    on: On,
    checksums: BodyChecksums,
    /// The document that was sent, if the answer depends on it; absent until the body is read.
    stated: Option<Element>,
}

/// The success of an operation that is not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unchanged {
    /// A read: what holds.
    Document(String),
    /// A write that states what holds.
    Restated,
    /// A deletion of what is not set.
    NotSet,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum On {
    Bucket(BucketName),
    Object(Target),
}

/// The name of an unsupported operation, the permission that it needs, and its answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: &'static str,
    sub_resource: &'static str,
    action: &'static str,
    /// The permission if a version is named; empty for operations without versions.
    version_action: &'static str,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// 501, by name.
    NotImplemented,
    /// A document without content.
    Empty(&'static str),
    /// A document with one element.
    Says(&'static str, &'static str, &'static str),
    /// An empty list.
    EmptyList(&'static str),
    /// The error for a missing configuration.
    Missing(S3ErrorCode),
    /// A write: 200 for a document with this root and content, which is what holds; 501 for any other.
    Restates(&'static str, &'static str),
    /// A write: 200 for the document that the bucket has stored, which has this root; 501 for any other.
    RestatesStored(&'static str),
    /// A deletion: 204 if nothing is stored, else 501.
    NotSet,
}

impl Unsupported {
    pub(crate) fn parse(request: &Request<'_>, listed: &'static Listed, path: Path) -> Result<Self, S3Error> {
        let on = match path {
            Path::Service | Path::Control(_) | Path::Account(_) => {
                return Err(S3Error::new(S3ErrorCode::InternalError));
            }
            Path::Bucket(bucket) => On::Bucket(bucket),
            Path::Object(target) => On::Object(target),
        };
        Ok(Self { listed, on, checksums: BodyChecksums::parse(request)?, stated: None })
    }

    /// The name in the API, for example `PutBucketReplication`.
    pub fn name(&self) -> &'static str {
        self.listed.name
    }

    /// The parameter that names the configuration, for example `replication`.
    pub fn sub_resource(&self) -> &'static str {
        self.listed.sub_resource
    }

    /// The answer. `stored` is the configuration that the bucket has stored, as its document.
    pub fn answer(&self, stored: Option<&str>) -> Result<Unchanged, S3Error> {
        let refusal = || Err(S3Error::unsupported_operation(self.name()));
        match self.listed.answer {
            Answer::NotImplemented => refusal(),
            Answer::Empty(root) => Ok(Unchanged::Document(document(root, None))),
            Answer::Says(root, name, value) => Ok(Unchanged::Document(document(root, Some((name, value))))),
            Answer::EmptyList(root) => Ok(Unchanged::Document(document(root, Some(("IsTruncated", "false"))))),
            Answer::Missing(code) => {
                let bucket = self.addressed().bucket.map(|bucket| bucket.as_str()).unwrap_or_default();
                Err(S3Error::new(code).field("BucketName", bucket))
            }
            Answer::Restates(root, content) if self.states(root, &format!("<{root}>{content}</{root}>")) => {
                Ok(Unchanged::Restated)
            }
            Answer::RestatesStored(root) if stored.is_some_and(|stored| self.states(root, stored)) => {
                Ok(Unchanged::Restated)
            }
            Answer::NotSet if stored.is_none() => Ok(Unchanged::NotSet),
            Answer::Restates(..) | Answer::RestatesStored(_) | Answer::NotSet => refusal(),
        }
    }

    /// Whether the body says the same as this document.
    fn states(&self, root: &str, document: &str) -> bool {
        let holds = xml::parse(document.as_bytes(), root).ok();
        holds.zip(self.stated.as_ref()).is_some_and(|(holds, stated)| says_the_same(&holds, stated))
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

    fn body_limit(&self) -> Option<usize> {
        self.listed.answer.root().map(|_| MAX_BODY_BYTES)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        self.stated = self.listed.answer.root().map(|root| xml::parse(body, root)).transpose()?;
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}

impl Answer {
    /// The root of the document that decides the answer, if one does.
    fn root(self) -> Option<&'static str> {
        match self {
            Self::Restates(root, _) | Self::RestatesStored(root) => Some(root),
            _ => None,
        }
    }
}

/// Whether two elements say the same. Clients put elements with different names into different orders; the order of
/// those with one name may mean something.
fn says_the_same(one: &Element, other: &Element) -> bool {
    let sorted = |element: &'_ Element| -> Vec<Element> {
        let mut children = element.children.clone();
        children.sort_by(|a, b| a.name.cmp(&b.name));
        children
    };
    let (ones, others) = (sorted(one), sorted(other));
    one.name == other.name
        && one.text.trim() == other.text.trim()
        && one.attributes == other.attributes
        && ones.len() == others.len()
        && ones.iter().zip(&others).all(|(one, other)| says_the_same(one, other))
}

fn document(root: &str, content: Option<(&str, &str)>) -> String {
    let mut xml = document::begin(root);
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
    ($kind:ident ($($text:literal),+)) => {
        Answer::$kind($($text),+)
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

// Name, method, level, sub-resource, whether `id` is required, permission, permission for a version, answer.
// Source: S3 API Reference, "Actions".
unsupported! {
    CreateSession                                   GET    Bucket "session"                 Any     "s3express:CreateSession" "" NotImplemented,
    DeleteBucketAnalyticsConfiguration              DELETE Bucket "analytics"               With    "s3:PutAnalyticsConfiguration" "" NotSet,
    GetBucketAnalyticsConfiguration                 GET    Bucket "analytics"               With    "s3:GetAnalyticsConfiguration" "" Missing(NoSuchConfiguration),
    ListBucketAnalyticsConfigurations               GET    Bucket "analytics"               Without "s3:GetAnalyticsConfiguration" "" EmptyList("ListBucketAnalyticsConfigurationResult"),
    PutBucketAnalyticsConfiguration                 PUT    Bucket "analytics"               With    "s3:PutAnalyticsConfiguration" "" NotImplemented,
    DeleteBucketIntelligentTieringConfiguration     DELETE Bucket "intelligent-tiering"     With    "s3:PutIntelligentTieringConfiguration" "" NotSet,
    GetBucketIntelligentTieringConfiguration        GET    Bucket "intelligent-tiering"     With    "s3:GetIntelligentTieringConfiguration" "" Missing(NoSuchConfiguration),
    ListBucketIntelligentTieringConfigurations      GET    Bucket "intelligent-tiering"     Without "s3:GetIntelligentTieringConfiguration" "" EmptyList("ListBucketIntelligentTieringConfigurationsResult"),
    PutBucketIntelligentTieringConfiguration        PUT    Bucket "intelligent-tiering"     With    "s3:PutIntelligentTieringConfiguration" "" NotImplemented,
    DeleteBucketInventoryConfiguration              DELETE Bucket "inventory"               With    "s3:PutInventoryConfiguration" "" NotSet,
    GetBucketInventoryConfiguration                 GET    Bucket "inventory"               With    "s3:GetInventoryConfiguration" "" Missing(NoSuchConfiguration),
    ListBucketInventoryConfigurations               GET    Bucket "inventory"               Without "s3:GetInventoryConfiguration" "" EmptyList("ListInventoryConfigurationsResult"),
    PutBucketInventoryConfiguration                 PUT    Bucket "inventory"               With    "s3:PutInventoryConfiguration" "" NotImplemented,
    DeleteBucketMetricsConfiguration                DELETE Bucket "metrics"                 With    "s3:PutMetricsConfiguration" "" NotSet,
    GetBucketMetricsConfiguration                   GET    Bucket "metrics"                 With    "s3:GetMetricsConfiguration" "" Missing(NoSuchConfiguration),
    ListBucketMetricsConfigurations                 GET    Bucket "metrics"                 Without "s3:GetMetricsConfiguration" "" EmptyList("ListMetricsConfigurationsResult"),
    PutBucketMetricsConfiguration                   PUT    Bucket "metrics"                 With    "s3:PutMetricsConfiguration" "" NotImplemented,
    GetBucketAbac                                   GET    Bucket "abac"                    Any     "s3:GetBucketAbac" "" Says(("AbacStatus", "Status", "Disabled")),
    PutBucketAbac                                   PUT    Bucket "abac"                    Any     "s3:PutBucketAbac" "" Restates(("AbacStatus", "<Status>Disabled</Status>")),
    GetBucketAccelerateConfiguration                GET    Bucket "accelerate"              Any     "s3:GetAccelerateConfiguration" "" Empty("AccelerateConfiguration"),
    PutBucketAccelerateConfiguration                PUT    Bucket "accelerate"              Any     "s3:PutAccelerateConfiguration" "" Restates(("AccelerateConfiguration", "<Status>Suspended</Status>")),
    DeleteBucketEncryption                          DELETE Bucket "encryption"              Any     "s3:PutEncryptionConfiguration" "" NotSet,
    PutBucketEncryption                             PUT    Bucket "encryption"              Any     "s3:PutEncryptionConfiguration" "" RestatesStored("ServerSideEncryptionConfiguration"),
    DeleteBucketLifecycle                           DELETE Bucket "lifecycle"               Any     "s3:PutLifecycleConfiguration" "" NotSet,
    PutBucketLifecycleConfiguration                 PUT    Bucket "lifecycle"               Any     "s3:PutLifecycleConfiguration" "" RestatesStored("LifecycleConfiguration"),
    GetBucketLogging                                GET    Bucket "logging"                 Any     "s3:GetBucketLogging" "" Empty("BucketLoggingStatus"),
    PutBucketLogging                                PUT    Bucket "logging"                 Any     "s3:PutBucketLogging" "" Restates(("BucketLoggingStatus", "")),
    CreateBucketMetadataConfiguration               POST   Bucket "metadataConfiguration"   Any     "s3:CreateBucketMetadataTableConfiguration" "" NotImplemented,
    DeleteBucketMetadataConfiguration               DELETE Bucket "metadataConfiguration"   Any     "s3:DeleteBucketMetadataTableConfiguration" "" NotSet,
    GetBucketMetadataConfiguration                  GET    Bucket "metadataConfiguration"   Any     "s3:GetBucketMetadataTableConfiguration" "" NotImplemented,
    CreateBucketMetadataTableConfiguration          POST   Bucket "metadataTable"           Any     "s3:CreateBucketMetadataTableConfiguration" "" NotImplemented,
    DeleteBucketMetadataTableConfiguration          DELETE Bucket "metadataTable"           Any     "s3:DeleteBucketMetadataTableConfiguration" "" NotSet,
    GetBucketMetadataTableConfiguration             GET    Bucket "metadataTable"           Any     "s3:GetBucketMetadataTableConfiguration" "" NotImplemented,
    UpdateBucketMetadataInventoryTableConfiguration PUT    Bucket "metadataInventoryTable"  Any     "s3:UpdateBucketMetadataInventoryTableConfiguration" "" NotImplemented,
    UpdateBucketMetadataJournalTableConfiguration   PUT    Bucket "metadataJournalTable"    Any     "s3:UpdateBucketMetadataJournalTableConfiguration" "" NotImplemented,
    GetBucketNotificationConfiguration              GET    Bucket "notification"            Any     "s3:GetBucketNotification" "" Empty("NotificationConfiguration"),
    PutBucketNotificationConfiguration              PUT    Bucket "notification"            Any     "s3:PutBucketNotification" "" Restates(("NotificationConfiguration", "")),
    DeleteBucketReplication                         DELETE Bucket "replication"             Any     "s3:PutReplicationConfiguration" "" NotSet,
    GetBucketReplication                            GET    Bucket "replication"             Any     "s3:GetReplicationConfiguration" "" Missing(ReplicationConfigurationNotFoundError),
    PutBucketReplication                            PUT    Bucket "replication"             Any     "s3:PutReplicationConfiguration" "" NotImplemented,
    PutBucketRequestPayment                         PUT    Bucket "requestPayment"          Any     "s3:PutBucketRequestPayment" "" Restates(("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>")),
    DeleteBucketWebsite                             DELETE Bucket "website"                 Any     "s3:DeleteBucketWebsite" "" NotSet,
    GetBucketWebsite                                GET    Bucket "website"                 Any     "s3:GetBucketWebsite" "" Missing(NoSuchWebsiteConfiguration),
    PutBucketWebsite                                PUT    Bucket "website"                 Any     "s3:PutBucketWebsite" "" NotImplemented,
    UpdateObjectEncryption                          PUT    Object "encryption"              Any     "s3:UpdateObjectEncryption" "s3:UpdateObjectEncryption" NotImplemented,
    RenameObject                                    PUT    Object "renameObject"            Any     "s3:PutObject" "" NotImplemented,
    RestoreObject                                   POST   Object "restore"                 Any     "s3:RestoreObject" "s3:RestoreObject" NotImplemented,
    SelectObjectContent                             POST   Object "select"                  Any     "s3:GetObject" "" NotImplemented,
    GetObjectTorrent                                GET    Object "torrent"                 Any     "s3:GetObjectTorrent" "s3:GetObjectVersionTorrent" NotImplemented,
}
