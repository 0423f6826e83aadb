use http::request::Parts;
use ids::{ObjectKey, ObjectKeyError};

use crate::op::unsupported::{Listed, UNSUPPORTED};
use crate::op::{CorsPreflight, Query, Unsupported};
use crate::operation::{Operation, ROWS, Routed};
use crate::query::decode;
use crate::request::Request;
use crate::target::{FromPath, Level, Path, Target};
use crate::version_id::VersionId;
use crate::{S3Error, S3ErrorCode};

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one for each request, on the stack: a box would cost each an allocation"
)]
pub enum Routing {
    /// An operation of S3: it runs with a permit.
    S3(Operation),
    /// A call of the IAM or STS query API, which names its action itself.
    Query(Query),
    /// A browser asks what it may send. It has no credentials, and it needs no permission.
    Preflight(CorsPreflight),
}

/// What a request is for, from its head alone; an `S3Error` (400 to 501) for everything that is for nothing.
///
/// Path and parameters are decoded exactly once. A sub-resource that is not known, two that contradict each other, or one
/// that the method does not have never lead to another operation.
/// `host_bucket` is the bucket that the host names: the path is then a key, else it begins with the bucket.
pub fn route(head: &Parts, host_bucket: Option<&str>) -> Result<Routing, S3Error> {
    let request = Request::new(head)?;
    let path = path_of(head, host_bucket)?;
    let method = head.method.as_str();
    if method == "OPTIONS" {
        return CorsPreflight::parse(&request, path).map(Routing::Preflight);
    }
    let calls_query = method == "POST" || method == "GET" && request.query.has("Action");
    if matches!(path, Path::Service) && calls_query {
        return Ok(Routing::Query(Query::parse(&request)));
    }
    let about = resource_of(&path);
    let operation = operation(method, &request, path);
    operation.map(Routing::S3).map_err(|error| if error.resource.is_some() { error } else { error.about(about) })
}

/// A key out of decoded text, with S3's errors.
pub(crate) fn object_key(text: &str) -> Result<ObjectKey, S3Error> {
    text.parse().map_err(|error: ObjectKeyError| match error {
        ObjectKeyError::TooLong(bytes) => {
            S3Error::new(S3ErrorCode::KeyTooLongError).field("Size", bytes.to_string()).field("MaxSizeAllowed", "1024")
        }
        other => S3Error::with_message(S3ErrorCode::InvalidArgument, other.to_string()).field("ArgumentName", "key"),
    })
}

/// How the head of an operation looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    method: &'static str,
    sub_resource: Option<&'static str>,
    id: ConfigurationId,
    copies: bool,
    takes_version: bool,
    takes_part_number: bool,
}

/// Whether the parameter `id` tells two operations of one sub-resource apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfigurationId {
    /// It does not matter.
    Any,
    /// The operation is about one configuration: `id` must be there.
    With,
    /// The operation lists the configurations: `id` must not be there.
    Without,
}

impl Route {
    /// A request without a sub-resource.
    pub(crate) const fn new(method: &'static str) -> Self {
        let id = ConfigurationId::Any;
        Self { method, sub_resource: None, id, copies: false, takes_version: false, takes_part_number: false }
    }

    /// A request with a sub-resource.
    pub(crate) const fn sub(method: &'static str, name: &'static str) -> Self {
        Self { sub_resource: Some(name), ..Self::new(method) }
    }

    /// The header `x-amz-copy-source` must be there.
    pub(crate) const fn copying(self) -> Self {
        Self { copies: true, ..self }
    }

    /// `versionId` may be there.
    pub(crate) const fn of_version(self) -> Self {
        Self { takes_version: true, ..self }
    }

    /// `partNumber` may be there.
    pub(crate) const fn of_part(self) -> Self {
        Self { takes_part_number: true, ..self }
    }

    /// Whether `id` must be there.
    pub(crate) const fn with_id(self, id: ConfigurationId) -> Self {
        Self { id, ..self }
    }

    fn fits(&self, method: &str, sub_resource: Option<&str>, is_copy: bool, has_id: bool) -> bool {
        let id_fits = match self.id {
            ConfigurationId::Any => true,
            ConfigurationId::With => has_id,
            ConfigurationId::Without => !has_id,
        };
        self.method == method && self.sub_resource == sub_resource && self.copies == is_copy && id_fits
    }
}

/// An operation that Kelpgate knows, and how its requests look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownOperation {
    /// The name in the API, for example `GetBucketVersioning`.
    pub name: &'static str,
    /// The method of its requests.
    pub method: &'static str,
    /// The parameter that tells it from the other operations of the method.
    pub sub_resource: Option<&'static str>,
    /// How many names the path has: none, a bucket, or a bucket and a key.
    pub path_names: usize,
    /// Whether the header `x-amz-copy-source` must be there.
    pub copies: bool,
    /// Whether the parameter `id` must be there.
    pub has_id: bool,
    /// Whether a version may be named.
    pub takes_version: bool,
    /// Whether it is an [`Unsupported`] one.
    pub is_listed: bool,
}

impl KnownOperation {
    /// All operations, supported or not.
    pub fn all() -> impl Iterator<Item = Self> {
        rows().map(|row| Self {
            name: row.name,
            method: row.route.method,
            sub_resource: row.route.sub_resource,
            path_names: row.level as usize,
            copies: row.route.copies,
            has_id: row.route.id == ConfigurationId::With,
            takes_version: row.route.takes_version,
            is_listed: matches!(row.reader, Reader::Listed(_)),
        })
    }
}

/// An operation in the table of routes.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    pub(crate) route: Route,
    pub(crate) reader: Reader,
}

/// What reads the head of an operation.
pub(crate) enum Reader {
    /// The operation's own type.
    Own(fn(&Request<'_>, Path) -> Result<Operation, S3Error>),
    /// The type of the operations that are not supported.
    Listed(&'static Listed),
}

impl Row {
    pub(crate) const fn of<Op: Routed + Into<Operation>>(name: &'static str) -> Self {
        Self { name, level: Op::On::LEVEL, route: Op::ROUTE, reader: Reader::Own(parse::<Op>) }
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().chain(UNSUPPORTED)
}

fn parse<Op: Routed + Into<Operation>>(request: &Request<'_>, path: Path) -> Result<Operation, S3Error> {
    let on = Op::On::from_path(path).ok_or_else(|| S3Error::new(S3ErrorCode::InternalError))?;
    Op::parse(request, on).map(Into::into)
}

/// What path and host name.
fn path_of(head: &Parts, host_bucket: Option<&str>) -> Result<Path, S3Error> {
    let path = head.uri.path();
    if path == "*" && head.method == http::Method::OPTIONS {
        return Ok(Path::Service);
    }
    let path = path.strip_prefix('/').ok_or_else(|| S3Error::new(S3ErrorCode::InvalidURI))?;
    let (bucket, key) = match host_bucket {
        Some(bucket) => (bucket.to_owned(), decode(path)?),
        None => {
            let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
            (decode(bucket)?, decode(key)?)
        }
    };
    if bucket.is_empty() && key.is_empty() && !path.contains('/') {
        return Ok(Path::Service);
    }
    let bucket = bucket
        .parse()
        .map_err(|_| S3Error::new(S3ErrorCode::InvalidBucketName).field("BucketName", bucket.as_str()))?;
    if key.is_empty() {
        return Ok(Path::Bucket(bucket));
    }
    Ok(Path::Object(Target { bucket, key: object_key(&key)?, version_id: None }))
}

fn resource_of(path: &Path) -> String {
    match path {
        Path::Service => String::from("/"),
        Path::Bucket(bucket) => format!("/{bucket}"),
        Path::Object(target) => format!("/{}/{}", target.bucket, target.key),
    }
}

fn operation(method: &str, request: &Request<'_>, mut path: Path) -> Result<Operation, S3Error> {
    if let Path::Bucket(_) = path {
        refuse_object_parameters(request)?;
    }
    let level = path.level();
    let version: Option<VersionId> = match level {
        Level::Object => request.param("versionId").map(str::parse).transpose()?,
        Level::Service | Level::Bucket => None,
    };
    let reads_object = level == Level::Object && matches!(method, "GET" | "HEAD");
    let sub_resource = sub_resource(reads_object, request)?;
    let copies = level == Level::Object && method == "PUT" && request.has_header("x-amz-copy-source");
    let has_id = request.query.has("id");
    let row = rows().find(|row| row.level == level && row.route.fits(method, sub_resource, copies, has_id));
    let row = row.ok_or_else(|| no_such_operation(method, level, sub_resource, copies, has_id))?;
    if request.query.has("partNumber") && !row.route.takes_part_number {
        return Err(no_part_number(request));
    }
    if let Some(version) = version.as_ref().filter(|_| !row.route.takes_version) {
        let message = "This operation does not accept a version-id.";
        return Err(S3Error::invalid_argument("versionId", version.as_str(), message));
    }
    if let Path::Object(target) = &mut path {
        target.version_id = version;
    }
    match row.reader {
        Reader::Own(parse) => parse(request, path),
        Reader::Listed(listed) => Unsupported::parse(request, listed, path).map(Into::into),
    }
}

/// `versionId` and `partNumber` belong to objects.
fn refuse_object_parameters(request: &Request<'_>) -> Result<(), S3Error> {
    let found = ["versionId", "partNumber"].into_iter().find_map(|name| Some((name, request.param(name)?)));
    match found {
        None => Ok(()),
        Some((name, value)) => {
            let message = "An operation on a bucket does not accept this parameter";
            Err(S3Error::invalid_argument(name, value, message))
        }
    }
}

fn no_part_number(request: &Request<'_>) -> S3Error {
    let value = request.param("partNumber").unwrap_or_default();
    let message = "This operation does not accept a part number, or needs an uploadId";
    S3Error::invalid_argument("partNumber", value, message)
}

/// Parameters that only refine an operation. Signatures and names that begin with `x-` are known as well.
const PARAMETERS: &[&str] = &[
    "AWSAccessKeyId",
    "Action",
    "Expires",
    "Signature",
    "Version",
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "id",
    "key-marker",
    "marker",
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "partNumber",
    "prefix",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "select-type",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "versionId",
];

/// The one sub-resource of a request, if it has any.
fn sub_resource<'q>(reads_object: bool, request: &'q Request<'_>) -> Result<Option<&'q str>, S3Error> {
    let mut found: Option<&str> = None;
    for (name, value) in request.query.iter() {
        if is_sub_resource(name) {
            if let Some(first) = found {
                let message = format!("Conflicting query string parameters: {first}, {name}");
                return Err(S3Error::invalid_argument("ResourceType", first, message));
            }
            found = Some(name);
        } else if !is_ignorable(reads_object, name, value) {
            return Err(S3Error::not_implemented(format_args!("The sub-resource or parameter `{name}`")));
        }
    }
    Ok(found)
}

/// A parameter that S3 does not know is ignored where it can only be decoration of a link: with a value, on a read of an
/// object. Without one it looks like a sub-resource, elsewhere it may change what is meant.
fn is_ignorable(reads_object: bool, name: &str, value: &str) -> bool {
    PARAMETERS.contains(&name)
        || name.get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case("x-"))
        || (reads_object && !value.is_empty())
}

fn is_sub_resource(name: &str) -> bool {
    rows().any(|row| row.route.sub_resource == Some(name))
}

/// The error for a method and a sub-resource that are no operation, or only with other parameters.
fn no_such_operation(method: &str, level: Level, sub_resource: Option<&str>, copies: bool, has_id: bool) -> S3Error {
    let Some(name) = sub_resource else {
        let resource_type = match level {
            Level::Service => "SERVICE",
            Level::Bucket => "BUCKET",
            Level::Object => "OBJECT",
        };
        return method_not_allowed(method, resource_type);
    };
    if copies {
        let message = "The header x-amz-copy-source does not belong to this operation";
        return S3Error::with_message(S3ErrorCode::InvalidRequest, message);
    }
    // What lacks is the id of a configuration.
    let with_id = rows().find(|row| row.level == level && row.route.fits(method, sub_resource, false, true));
    match with_id {
        Some(row) if !has_id => S3Error::invalid_argument("id", "", format!("{} needs the parameter id", row.name)),
        _ => method_not_allowed(method, name),
    }
}

fn method_not_allowed(method: &str, resource_type: &str) -> S3Error {
    S3Error::new(S3ErrorCode::MethodNotAllowed)
        .field("Method", method)
        .field("ResourceType", resource_type.to_uppercase())
}
