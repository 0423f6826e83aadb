use http::request::Parts;
use ids::{BucketName, ObjectKey, ObjectKeyError};

use crate::op::other::Level;
use crate::op::*;
use crate::operation::Operation;
use crate::query::decode;
use crate::request::Request;
use crate::version_id::VersionId;
use crate::{S3Error, S3ErrorCode};

/// Which operation a request is, from its head alone; an `S3Error` (400 to 501) for everything that is none.
///
/// Path and parameters are decoded exactly once. A sub-resource that is not known, two that contradict each other, or one
/// that the method does not have never lead to another operation.
/// `host_bucket` is the bucket that the host names: the path is then a key, else it begins with the bucket.
pub fn route(head: &Parts, host_bucket: Option<&str>) -> Result<Operation, S3Error> {
    let request = Request::new(head)?;
    let target = Target::parse(head, host_bucket)?;
    let about = target.clone();
    target.operation(&request).map_err(|error| if error.resource.is_some() { error } else { error.about(about.path()) })
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

/// What path and host address.
#[derive(Clone)]
enum Target {
    Service,
    Bucket(BucketName),
    Object(BucketName, ObjectKey),
}

impl Target {
    fn parse(head: &Parts, host_bucket: Option<&str>) -> Result<Self, S3Error> {
        let path = head.uri.path();
        if path == "*" && head.method == http::Method::OPTIONS {
            return Ok(Self::Service);
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
            return Ok(Self::Service);
        }
        let bucket: BucketName = bucket
            .parse()
            .map_err(|_| S3Error::new(S3ErrorCode::InvalidBucketName).field("BucketName", bucket.as_str()))?;
        if key.is_empty() { Ok(Self::Bucket(bucket)) } else { Ok(Self::Object(bucket, object_key(&key)?)) }
    }

    fn path(&self) -> String {
        match self {
            Self::Service => String::from("/"),
            Self::Bucket(bucket) => format!("/{bucket}"),
            Self::Object(bucket, key) => format!("/{bucket}/{key}"),
        }
    }

    fn operation(self, request: &Request<'_>) -> Result<Operation, S3Error> {
        let method = request.head.method.as_str();
        if method == "OPTIONS" {
            let (bucket, key) = match self {
                Self::Service => (None, None),
                Self::Bucket(bucket) => (Some(bucket), None),
                Self::Object(bucket, key) => (Some(bucket), Some(key)),
            };
            return CorsPreflight::parse(request, bucket, key).map(Operation::CorsPreflight);
        }
        match self {
            Self::Service => service_operation(method, request),
            Self::Bucket(bucket) => bucket_operation(method, request, bucket),
            Self::Object(bucket, key) => object_operation(method, request, bucket, key),
        }
    }
}

fn service_operation(method: &str, request: &Request<'_>) -> Result<Operation, S3Error> {
    match method {
        "POST" => Ok(Operation::Query(Query::parse(request))),
        "GET" if request.query.has("Action") => Ok(Operation::Query(Query::parse(request))),
        "GET" => match sub_resource(false, request)? {
            None => ListBuckets::parse(request).map(Operation::ListBuckets),
            Some(name) => Err(method_not_allowed(method, name)),
        },
        _ => Err(method_not_allowed(method, "SERVICE")),
    }
}

fn bucket_operation(method: &str, request: &Request<'_>, bucket: BucketName) -> Result<Operation, S3Error> {
    for name in ["versionId", "partNumber"] {
        if let Some(value) = request.param(name) {
            return Err(S3Error::invalid_argument(
                name,
                value,
                "An operation on a bucket does not accept this parameter",
            ));
        }
    }
    let sub_resource = sub_resource(false, request)?;
    Ok(match (method, sub_resource) {
        ("GET", None) => Operation::ListObjects(ListObjects::parse(request, bucket)?),
        ("GET", Some("list-type")) => list_objects_v2(request, bucket)?,
        ("GET", Some("location")) => Operation::GetBucketLocation(GetBucketLocation { bucket }),
        ("GET", Some("tagging")) => Operation::GetBucketTagging(GetBucketTagging { bucket }),
        ("GET", Some("policy")) => Operation::GetBucketPolicy(GetBucketPolicy { bucket }),
        ("GET", Some("policyStatus")) => Operation::GetBucketPolicyStatus(GetBucketPolicyStatus { bucket }),
        ("GET", Some("uploads")) => Operation::ListMultipartUploads(ListMultipartUploads::parse(request, bucket)?),
        ("HEAD", None) => Operation::HeadBucket(HeadBucket { bucket }),
        ("PUT", None) => Operation::CreateBucket(CreateBucket::parse(request, bucket)?),
        ("PUT", Some("tagging")) => Operation::PutBucketTagging(PutBucketTagging::parse(request, bucket)?),
        ("PUT", Some("policy")) => Operation::PutBucketPolicy(PutBucketPolicy::parse(request, bucket)?),
        ("DELETE", None) => Operation::DeleteBucket(DeleteBucket { bucket }),
        ("DELETE", Some("tagging")) => Operation::DeleteBucketTagging(DeleteBucketTagging { bucket }),
        ("DELETE", Some("policy")) => Operation::DeleteBucketPolicy(DeleteBucketPolicy { bucket }),
        ("POST", None) => Operation::PostObject(PostObject::parse(request, bucket)?),
        ("POST", Some("delete")) => Operation::DeleteObjects(DeleteObjects::parse(request, bucket)?),
        (_, None) => return Err(method_not_allowed(method, "BUCKET")),
        (_, Some(name)) => match OtherOperation::find(method, Level::Bucket, name, request.query.has("id")) {
            Some(operation) => Operation::Other(Other::parse(request, operation, bucket, None, None)?),
            None => return Err(no_such_operation(method, Level::Bucket, name, request)),
        },
    })
}

fn object_operation(
    method: &str,
    request: &Request<'_>,
    bucket: BucketName,
    key: ObjectKey,
) -> Result<Operation, S3Error> {
    let version = request.param("versionId").map(str::parse::<VersionId>).transpose()?;
    let sub_resource = sub_resource(matches!(method, "GET" | "HEAD"), request)?;
    let is_copy = method == "PUT" && request.has_header("x-amz-copy-source");
    if request.query.has("partNumber") {
        check_part_number(method, sub_resource, request)?;
    }
    if is_copy && !matches!(sub_resource, None | Some("uploadId")) {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            "The header x-amz-copy-source does not belong to this operation",
        ));
    }
    let operation = match (method, sub_resource) {
        ("GET", None) => Operation::GetObject(ObjectRead::parse(request, bucket, key, version)?),
        ("HEAD", None) => Operation::HeadObject(ObjectRead::parse(request, bucket, key, version)?),
        ("DELETE", None) => Operation::DeleteObject(DeleteObject::parse(request, bucket, key, version)?),
        ("GET", Some("attributes")) => {
            Operation::GetObjectAttributes(GetObjectAttributes::parse(request, bucket, key, version)?)
        }
        ("GET", Some("tagging")) => Operation::GetObjectTagging(GetObjectTagging { bucket, key, version_id: version }),
        ("PUT", Some("tagging")) => {
            Operation::PutObjectTagging(PutObjectTagging::parse(request, bucket, key, version)?)
        }
        ("DELETE", Some("tagging")) => {
            Operation::DeleteObjectTagging(DeleteObjectTagging { bucket, key, version_id: version })
        }
        (_, None | Some("uploads" | "uploadId")) => {
            no_version(version.as_ref())?;
            return write_operation(method, sub_resource, is_copy, request, bucket, key);
        }
        (_, Some(name)) => match OtherOperation::find(method, Level::Object, name, request.query.has("id")) {
            Some(operation) => Operation::Other(Other::parse(request, operation, bucket, Some(key), version)?),
            None => return Err(no_such_operation(method, Level::Object, name, request)),
        },
    };
    Ok(operation)
}

/// The operations on an object that take no version.
fn write_operation(
    method: &str,
    sub_resource: Option<&str>,
    is_copy: bool,
    request: &Request<'_>,
    bucket: BucketName,
    key: ObjectKey,
) -> Result<Operation, S3Error> {
    Ok(match (method, sub_resource) {
        ("PUT", None) if is_copy => Operation::CopyObject(CopyObject::parse(request, bucket, key)?),
        ("PUT", None) => Operation::PutObject(PutObject::parse(request, bucket, key)?),
        ("POST", Some("uploads")) => {
            Operation::CreateMultipartUpload(CreateMultipartUpload::parse(request, bucket, key)?)
        }
        ("PUT", Some("uploadId")) if is_copy => Operation::UploadPartCopy(UploadPartCopy::parse(request, bucket, key)?),
        ("PUT", Some("uploadId")) => Operation::UploadPart(UploadPart::parse(request, bucket, key)?),
        ("POST", Some("uploadId")) => {
            Operation::CompleteMultipartUpload(CompleteMultipartUpload::parse(request, bucket, key)?)
        }
        ("DELETE", Some("uploadId")) => {
            Operation::AbortMultipartUpload(AbortMultipartUpload::parse(request, bucket, key)?)
        }
        ("GET", Some("uploadId")) => Operation::ListParts(ListParts::parse(request, bucket, key)?),
        (_, None) => return Err(method_not_allowed(method, "OBJECT")),
        (_, Some(name)) => return Err(method_not_allowed(method, name)),
    })
}

fn list_objects_v2(request: &Request<'_>, bucket: BucketName) -> Result<Operation, S3Error> {
    match request.param("list-type") {
        Some("2") => ListObjectsV2::parse(request, bucket).map(Operation::ListObjectsV2),
        other => Err(S3Error::invalid_argument(
            "list-type",
            other.unwrap_or_default(),
            "Invalid List Type specified in Request",
        )),
    }
}

fn no_version(version: Option<&VersionId>) -> Result<(), S3Error> {
    match version {
        None => Ok(()),
        Some(version) => Err(S3Error::invalid_argument(
            "versionId",
            version.as_str(),
            "This operation does not accept a version-id.",
        )),
    }
}

/// `partNumber` belongs to reads of an object and to uploads of parts.
fn check_part_number(method: &str, sub_resource: Option<&str>, request: &Request<'_>) -> Result<(), S3Error> {
    if matches!((method, sub_resource), ("GET" | "HEAD", None) | ("PUT", Some("uploadId"))) {
        return Ok(());
    }
    let value = request.param("partNumber").unwrap_or_default();
    Err(S3Error::invalid_argument(
        "partNumber",
        value,
        "This operation does not accept a part number, or needs an uploadId",
    ))
}

/// Sub-resources beside those of [`OtherOperation`].
const SUB_RESOURCES: &[&str] =
    &["attributes", "delete", "list-type", "location", "policy", "policyStatus", "tagging", "uploadId", "uploads"];

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
        if SUB_RESOURCES.contains(&name) || OtherOperation::knows(name) {
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

fn no_such_operation(method: &str, level: Level, name: &str, request: &Request<'_>) -> S3Error {
    let has_id = request.query.has("id");
    match OtherOperation::find(method, level, name, !has_id) {
        Some(operation) if !has_id => {
            S3Error::invalid_argument("id", "", format!("{} needs the parameter id", operation.name()))
        }
        _ => method_not_allowed(method, name),
    }
}

fn method_not_allowed(method: &str, resource_type: &str) -> S3Error {
    S3Error::new(S3ErrorCode::MethodNotAllowed)
        .field("Method", method)
        .field("ResourceType", resource_type.to_uppercase())
}
