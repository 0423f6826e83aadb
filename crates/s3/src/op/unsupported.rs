use ids::BucketName;
use xml::Element;

use crate::checksum::BodyChecksums;
use crate::document;
use crate::kept::{self, ACCELERATE, ANALYTICS, Configurations, INTELLIGENT_TIERING, KEPT_BYTES_MAX, Kept, METRICS};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{ConfigurationId, Route, Row};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Level, Path, Target};
use crate::{S3Error, S3ErrorCode};

/// The largest document of a configuration, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;

/// An operation that Kelpgate knows by name but does not carry out. Reads answer as AWS does if nothing is configured.
/// Writes succeed if there is nothing to do: the document states what already holds, or nothing is set that could be
/// deleted. Configurations without an effect that clients could see are kept and given back. Everything else is refused by
/// name, so that no request is silently ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    listed: &'static Listed,
    on: On,
    /// Which of several configurations.
    id: Option<String>,
    checksums: BodyChecksums,
    /// The document that was sent, if the answer depends on it; absent until the body is read.
    stated: Option<Element>,
    /// The document that is to be kept; absent until the body is read.
    kept: Option<String>,
}

/// The success of an operation that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A read: what holds.
    Document(String),
    /// A write that states what holds.
    Restated,
    /// A deletion of what is not set.
    NotSet,
    /// A document to keep under this name.
    Keep(String, String),
    /// The name of a document that is no longer to be kept.
    Forget(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum On {
    Bucket(BucketName),
    Object(Target),
}

/// An unsupported operation: how its requests look, the permission that it needs, and its answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) row: Row,
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
    /// The document that is kept.
    Gives(&'static Kept),
    /// A list, which has this root, of all documents of the kind.
    Lists(&'static Kept, &'static str),
    /// A write: the document is kept.
    Keeps(&'static Kept),
    /// A deletion: the document is no longer kept.
    Forgets,
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
        let id = request.param("id").filter(|_| listed.answer.has_several()).map(str::to_owned);
        Ok(Self { listed, on, id, checksums: BodyChecksums::parse(request)?, stated: None, kept: None })
    }

    /// The name in the API, for example `PutBucketReplication`.
    pub fn name(&self) -> &'static str {
        self.listed.row.name
    }

    /// The parameter that names the configuration, for example `replication`.
    pub fn sub_resource(&self) -> &'static str {
        self.listed.sub_resource
    }

    /// Whether the operation is about a configuration that is kept without an effect.
    pub fn is_kept(&self) -> bool {
        use Answer::{Forgets, Gives, Keeps, Lists};
        matches!(self.listed.answer, Gives(_) | Lists(..) | Keeps(_) | Forgets)
    }

    /// The name of the configuration in [`Configurations`].
    fn kept_name(&self) -> String {
        let kind = self.listed.sub_resource;
        self.id.as_ref().map_or_else(|| kind.to_owned(), |id| format!("{kind}/{id}"))
    }

    /// The answer. `stored` is the configuration that SeaweedFS has stored, as its document; `kept` are those that are kept.
    pub fn answer(&self, stored: Option<&str>, kept: &Configurations) -> Result<Outcome, S3Error> {
        let refusal = || Err(S3Error::unsupported_operation(self.name()));
        match self.listed.answer {
            Answer::Gives(kind) => self.give(kind, kept),
            Answer::Lists(kind, root) => Ok(Outcome::Document(self.list(kind, root, kept))),
            Answer::Keeps(_) => self.keep(kept),
            Answer::Forgets if kept.contains_key(&*self.kept_name()) => Ok(Outcome::Forget(self.kept_name())),
            Answer::Forgets => Ok(Outcome::NotSet),
            Answer::NotImplemented => refusal(),
            Answer::Empty(root) => Ok(Outcome::Document(document(root, None))),
            Answer::Says(root, name, value) => Ok(Outcome::Document(document(root, Some((name, value))))),
            Answer::EmptyList(root) => Ok(Outcome::Document(document(root, Some(("IsTruncated", "false"))))),
            Answer::Missing(code) => Err(self.missing(code)),
            Answer::Restates(root, content) if self.states(root, &format!("<{root}>{content}</{root}>")) => {
                Ok(Outcome::Restated)
            }
            Answer::RestatesStored(root) if stored.is_some_and(|stored| self.states(root, stored)) => {
                Ok(Outcome::Restated)
            }
            Answer::NotSet if stored.is_none() => Ok(Outcome::NotSet),
            Answer::Restates(..) | Answer::RestatesStored(_) | Answer::NotSet => refusal(),
        }
    }

    fn give(&self, kind: &Kept, kept: &Configurations) -> Result<Outcome, S3Error> {
        match (kept.get(&*self.kept_name()), &self.id) {
            (Some(document), _) if xml::parse(document.as_bytes(), kind.root).is_err() => {
                Err(kept::unreadable(&self.kept_name()))
            }
            (Some(document), _) => Ok(Outcome::Document(document.to_string())),
            (None, Some(_)) => Err(self.missing(S3ErrorCode::NoSuchConfiguration)),
            (None, None) => Ok(Outcome::Document(document(kind.root, None))),
        }
    }

    fn list(&self, kind: &Kept, root: &str, kept: &Configurations) -> String {
        let prefix = format!("{}/", self.listed.sub_resource);
        let documents = kept.iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(_, document)| &**document);
        let mut xml = document::begin(root);
        xml.text("IsTruncated", "false");
        kept::write_all(documents, kind.root, &mut xml);
        xml.close(root);
        xml.finish()
    }

    fn keep(&self, kept: &Configurations) -> Result<Outcome, S3Error> {
        let document = self.kept.clone().ok_or_else(|| S3Error::new(S3ErrorCode::MissingRequestBodyError))?;
        let name = self.kept_name();
        let others = kept.iter().filter(|(other, _)| ***other != name);
        let bytes: usize = others.map(|(other, document)| other.len() + document.len()).sum();
        if bytes + name.len() + document.len() > KEPT_BYTES_MAX {
            return Err(S3Error::new(S3ErrorCode::TooManyConfigurations));
        }
        Ok(Outcome::Keep(name, document))
    }

    fn missing(&self, code: S3ErrorCode) -> S3Error {
        let bucket = self.addressed().bucket.map(|bucket| bucket.as_str()).unwrap_or_default();
        S3Error::new(code).field("BucketName", bucket)
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
        self.listed.answer.root().map(|_| BODY_BYTES_MAX)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        match self.listed.answer {
            Answer::Keeps(kind) => self.kept = Some(kind.read(body, self.id.as_deref())?),
            answer => self.stated = answer.root().map(|root| xml::parse(body, root)).transpose()?,
        }
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
            Self::Keeps(kind) => Some(kind.root),
            _ => None,
        }
    }

    /// Whether a bucket may have several of these configurations, each with an id.
    fn has_several(self) -> bool {
        match self {
            Self::Gives(kind) | Self::Keeps(kind) => *kind != ACCELERATE,
            Self::Forgets => true,
            _ => false,
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
    (Gives $kind:ident) => {
        Answer::Gives(&$kind)
    };
    (Keeps $kind:ident) => {
        Answer::Keeps(&$kind)
    };
    (Lists ($kind:ident, $root:literal)) => {
        Answer::Lists(&$kind, $root)
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
        /// The operations that are not supported.
        pub(crate) static UNSUPPORTED: &[Listed] = &[$(Listed {
            row: Row {
                name: stringify!($name),
                level: Level::$level,
                route: route(stringify!($method), $sub, ConfigurationId::$id, $of_version),
            },
            sub_resource: $sub,
            action: $action,
            version_action: $of_version,
            answer: answer!($answer $($with)?),
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
    DeleteBucketAnalyticsConfiguration              DELETE Bucket "analytics"               With    "s3:PutAnalyticsConfiguration" "" Forgets,
    GetBucketAnalyticsConfiguration                 GET    Bucket "analytics"               With    "s3:GetAnalyticsConfiguration" "" Gives(ANALYTICS),
    ListBucketAnalyticsConfigurations               GET    Bucket "analytics"               Without "s3:GetAnalyticsConfiguration" "" Lists((ANALYTICS, "ListBucketAnalyticsConfigurationResult")),
    PutBucketAnalyticsConfiguration                 PUT    Bucket "analytics"               With    "s3:PutAnalyticsConfiguration" "" Keeps(ANALYTICS),
    DeleteBucketIntelligentTieringConfiguration     DELETE Bucket "intelligent-tiering"     With    "s3:PutIntelligentTieringConfiguration" "" Forgets,
    GetBucketIntelligentTieringConfiguration        GET    Bucket "intelligent-tiering"     With    "s3:GetIntelligentTieringConfiguration" "" Gives(INTELLIGENT_TIERING),
    ListBucketIntelligentTieringConfigurations      GET    Bucket "intelligent-tiering"     Without "s3:GetIntelligentTieringConfiguration" "" Lists((INTELLIGENT_TIERING, "ListBucketIntelligentTieringConfigurationsResult")),
    PutBucketIntelligentTieringConfiguration        PUT    Bucket "intelligent-tiering"     With    "s3:PutIntelligentTieringConfiguration" "" Keeps(INTELLIGENT_TIERING),
    DeleteBucketInventoryConfiguration              DELETE Bucket "inventory"               With    "s3:PutInventoryConfiguration" "" NotSet,
    GetBucketInventoryConfiguration                 GET    Bucket "inventory"               With    "s3:GetInventoryConfiguration" "" Missing(NoSuchConfiguration),
    ListBucketInventoryConfigurations               GET    Bucket "inventory"               Without "s3:GetInventoryConfiguration" "" EmptyList("ListInventoryConfigurationsResult"),
    PutBucketInventoryConfiguration                 PUT    Bucket "inventory"               With    "s3:PutInventoryConfiguration" "" NotImplemented,
    DeleteBucketMetricsConfiguration                DELETE Bucket "metrics"                 With    "s3:PutMetricsConfiguration" "" Forgets,
    GetBucketMetricsConfiguration                   GET    Bucket "metrics"                 With    "s3:GetMetricsConfiguration" "" Gives(METRICS),
    ListBucketMetricsConfigurations                 GET    Bucket "metrics"                 Without "s3:GetMetricsConfiguration" "" Lists((METRICS, "ListMetricsConfigurationsResult")),
    PutBucketMetricsConfiguration                   PUT    Bucket "metrics"                 With    "s3:PutMetricsConfiguration" "" Keeps(METRICS),
    GetBucketAbac                                   GET    Bucket "abac"                    Any     "s3:GetBucketAbac" "" Says(("AbacStatus", "Status", "Disabled")),
    PutBucketAbac                                   PUT    Bucket "abac"                    Any     "s3:PutBucketAbac" "" Restates(("AbacStatus", "<Status>Disabled</Status>")),
    GetBucketAccelerateConfiguration                GET    Bucket "accelerate"              Any     "s3:GetAccelerateConfiguration" "" Gives(ACCELERATE),
    PutBucketAccelerateConfiguration                PUT    Bucket "accelerate"              Any     "s3:PutAccelerateConfiguration" "" Keeps(ACCELERATE),
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
    UpdateObjectEncryption                          PUT    Object "encryption"              Any     "s3:UpdateObjectEncryption" "s3:UpdateObjectEncryption" NotImplemented,
    RenameObject                                    PUT    Object "renameObject"            Any     "s3:PutObject" "" NotImplemented,
    RestoreObject                                   POST   Object "restore"                 Any     "s3:RestoreObject" "s3:RestoreObject" NotImplemented,
    SelectObjectContent                             POST   Object "select"                  Any     "s3:GetObject" "" NotImplemented,
    GetObjectTorrent                                GET    Object "torrent"                 Any     "s3:GetObjectTorrent" "s3:GetObjectVersionTorrent" NotImplemented,
}
