use std::borrow::Cow;

use http::request::Parts;

use crate::control;
use crate::op::unsupported::{Listed, UNSUPPORTED};
use crate::op::*;
use crate::operation::Operation;
use crate::query::{QueryString, decode};
use crate::request::Request;
use crate::routed::{ConfigurationId, Routed, Row};
use crate::target::{FromPath, Level, Path, Target, bucket_name, object_key};
use crate::version_id::VersionId;
use crate::{S3Error, S3ErrorCode};

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "each request has one on the stack; a box would cost an allocation")]
pub enum Routing {
    /// An operation of S3: it runs with a permit.
    S3(Operation),
    /// A call of the IAM or STS query API, whose parameters name the action.
    Query(Query),
    /// A browser asks what it may send. The request has no credentials and needs no permission.
    Preflight(CorsPreflight),
}

/// Determines what a request is for, from its head alone. Anything that is not a valid request is an `S3Error` (400 to
/// 501).
///
/// Path and parameters are decoded exactly once. An unknown sub-resource, two that contradict each other, or one that
/// does not fit the method never lead to another operation. `host_bucket` is the bucket that the host names: the path
/// is then a key, otherwise it begins with the bucket.
pub fn route(head: &Parts, host_bucket: Option<&str>) -> Result<Routing, S3Error> {
    route_with(head, &QueryString::parse(head.uri.query())?, host_bucket)
}

/// The same for a head whose query string was parsed before.
pub fn route_with(head: &Parts, query: &QueryString, host_bucket: Option<&str>) -> Result<Routing, S3Error> {
    let request = Request::with_query(head, Cow::Borrowed(query));
    let read_path = || match head.method != http::Method::OPTIONS && control::is_control(head, host_bucket) {
        true => control::control_path(&request),
        false => path_of(head, host_bucket),
    };
    let path = read_path()?;
    let method = head.method.as_str();
    if method == "OPTIONS" {
        return CorsPreflight::parse(&request, path).map(Routing::Preflight);
    }
    let calls_query = method == "POST" || method == "GET" && request.query.has("Action");
    if matches!(path, Path::Service) && calls_query {
        return Ok(Routing::Query(Query::parse(&request)));
    }
    let operation = operation(method, &request, path);
    // The operation takes the path. Reading it again for an error is cheaper than copying it for every request.
    let about = |error: &S3Error| if error.resource.is_none() { read_path().ok() } else { None };
    operation.map(Routing::S3).map_err(|error| match about(&error) {
        Some(path) => error.about(resource_of(&path)),
        None => error,
    })
}

/// An operation that Kelpgate knows, and what its requests look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownOperation {
    /// The name in the API, for example `GetBucketVersioning`.
    pub name: &'static str,
    /// The method of its requests.
    pub method: &'static str,
    /// The parameter that distinguishes it from the other operations of the method.
    pub sub_resource: Option<&'static str>,
    /// What the path names: nothing, a bucket, or a bucket and a key.
    pub path_names: usize,
    /// Whether it is a call of S3 Control.
    pub is_control: bool,
    /// Whether the header `x-amz-copy-source` is required.
    pub copies: bool,
    /// Whether the parameter `id` is required.
    pub has_id: bool,
    /// Whether a version is allowed.
    pub takes_version: bool,
    /// Whether it is [`Unsupported`].
    pub is_listed: bool,
}

impl KnownOperation {
    /// All operations, supported or not.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = OWN.iter().map(|own| Self::of(&own.row, false));
        own.chain(UNSUPPORTED.iter().map(|listed| Self::of(&listed.row, true)))
    }

    fn of(row: &Row, is_listed: bool) -> Self {
        Self {
            name: row.name,
            method: row.route.method,
            sub_resource: row.route.sub_resource,
            path_names: match row.level {
                Level::Service | Level::Account => 0,
                Level::Bucket | Level::Control => 1,
                Level::Object => 2,
            },
            is_control: matches!(row.level, Level::Control | Level::Account),
            copies: row.route.copies,
            has_id: row.route.id == ConfigurationId::With,
            takes_version: row.route.takes_version,
            is_listed,
        }
    }
}

/// An operation with its own type.
struct Own {
    row: Row,
    parse: fn(&Request<'_>, Path) -> Result<Operation, S3Error>,
}

impl Own {
    const fn of<Op: Routed + Into<Operation>>(name: &'static str) -> Self {
        Self { row: Row::of::<Op>(name), parse: parse::<Op> }
    }
}

macro_rules! own {
    ($($module:ident: $($Name:ident),+;)+ = $listed:ident: $Listed:ident) => {
        /// The operations with a type of their own, the most frequent first.
        const OWN: &[Own] = &[$($(Own::of::<$Name>(stringify!($Name)),)+)+];
    };
}

crate::for_each_operation!(own);

/// The type that reads the head of an operation.
enum Reader {
    Own(fn(&Request<'_>, Path) -> Result<Operation, S3Error>),
    Listed(&'static Listed),
}

fn rows() -> impl Iterator<Item = &'static Row> {
    OWN.iter().map(|own| &own.row).chain(UNSUPPORTED.iter().map(|listed| &listed.row))
}

/// The operation that a request fits, and who reads its head.
fn find(fits: impl Fn(&Row) -> bool) -> Option<(&'static Row, Reader)> {
    let own = OWN.iter().find(|own| fits(&own.row)).map(|own| (&own.row, Reader::Own(own.parse)));
    let listed = || UNSUPPORTED.iter().find(|listed| fits(&listed.row));
    own.or_else(|| listed().map(|listed| (&listed.row, Reader::Listed(listed))))
}

fn parse<Op: Routed + Into<Operation>>(request: &Request<'_>, path: Path) -> Result<Operation, S3Error> {
    let on = Op::On::from_path(path).ok_or_else(|| S3Error::new(S3ErrorCode::InternalError))?;
    Op::parse(request, on).map(Into::into)
}

/// What the path and the host name.
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
    let bucket = bucket_name(&bucket)?;
    if key.is_empty() {
        return Ok(Path::Bucket(bucket));
    }
    Ok(Path::Object(Target { bucket, key: object_key(&key)?, version_id: None }))
}

fn resource_of(path: &Path) -> String {
    match path {
        Path::Service => String::from("/"),
        Path::Account(account) => account.to_string(),
        Path::Bucket(bucket) => format!("/{bucket}"),
        Path::Control(bucket) => format!("arn:aws:s3:::{}", bucket.name),
        Path::Object(target) => format!("/{}/{}", target.bucket, target.key),
    }
}

fn operation(method: &str, request: &Request<'_>, mut path: Path) -> Result<Operation, S3Error> {
    if let Path::Bucket(_) | Path::Control(_) | Path::Account(_) = path {
        refuse_object_parameters(request)?;
    }
    let level = path.level();
    let version: Option<VersionId> = match level {
        Level::Object => request.param("versionId").map(str::parse).transpose()?,
        Level::Service | Level::Bucket | Level::Control | Level::Account => None,
    };
    let sub_resource = sub_resource(matches!(method, "GET" | "HEAD"), request)?;
    let copies = level == Level::Object && method == "PUT" && request.has_header("x-amz-copy-source");
    let has_id = request.query.has("id");
    let found = find(|row| row.level == level && row.route.fits(method, sub_resource, copies, has_id));
    let (row, reader) = found.ok_or_else(|| no_such_operation(method, level, sub_resource, copies, has_id))?;
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
    match reader {
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

/// Parameters that only refine an operation, sorted for binary search.
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

/// Sub-resources of other operations: AWS's that only old SDKs or other services of AWS send, and those of other gateways. Like every
/// sub-resource, they are never ignored.
const OTHER_SUB_RESOURCES: &[&str] = &["annotation", "defaultObjectAcl", "events", "storageClass"];

/// The one sub-resource of a request, if it has any.
fn sub_resource<'q>(reads: bool, request: &'q Request<'_>) -> Result<Option<&'q str>, S3Error> {
    let mut found: Option<&str> = None;
    for (name, value) in request.query.iter().filter(|(name, _)| !is_parameter(name)) {
        if is_sub_resource(name) {
            if let Some(first) = found {
                let message = format!("Conflicting query string parameters: {first}, {name}");
                return Err(S3Error::invalid_argument("ResourceType", first, message));
            }
            found = Some(name);
        } else if !is_ignorable(reads, name, value) {
            return Err(S3Error::not_implemented(format_args!("The sub-resource or parameter `{name}`")));
        }
    }
    Ok(found)
}

/// Whether a parameter only refines an operation. All names that begin with `x-` do.
fn is_parameter(name: &str) -> bool {
    name.get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case("x-")) || PARAMETERS.binary_search(&name).is_ok()
}

/// Parameters that S3 does not know are ignored, as on AWS. A write with a name that has no value is refused: that is
/// what a sub-resource of a newer SDK looks like, and without it `DELETE /bucket/key?...` would delete the object.
fn is_ignorable(reads: bool, name: &str, value: &str) -> bool {
    !OTHER_SUB_RESOURCES.contains(&name) && (reads || !value.is_empty())
}

fn is_sub_resource(name: &str) -> bool {
    rows().any(|row| row.route.sub_resource == Some(name))
}

/// The error for a method and a sub-resource that do not form an operation, or only with other parameters.
fn no_such_operation(method: &str, level: Level, sub_resource: Option<&str>, copies: bool, has_id: bool) -> S3Error {
    let Some(name) = sub_resource else {
        let resource_type = match level {
            Level::Service => "SERVICE",
            Level::Bucket => "BUCKET",
            Level::Object => "OBJECT",
            Level::Control => "TAGS",
            Level::Account => "PUBLICACCESSBLOCK",
        };
        return method_not_allowed(method, resource_type);
    };
    if copies {
        let message = "The header x-amz-copy-source does not belong to this operation";
        return S3Error::with_message(S3ErrorCode::InvalidRequest, message);
    }
    // Only the id of a configuration is missing.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_sorted_and_no_sub_resource_is_one() {
        assert!(PARAMETERS.is_sorted());
        assert!(!OTHER_SUB_RESOURCES.iter().any(|name| is_parameter(name)));
        let taken = rows().filter(|row| row.route.sub_resource.is_some_and(is_parameter)).map(|row| row.name);
        assert_eq!(taken.collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
