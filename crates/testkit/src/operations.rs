//! Requests of every operation of S3, made from the table that routes them.
#![expect(clippy::unwrap_used, reason = "what is no request fails the test that wants it")]

use http::request::Parts;
use s3::KnownOperation;

/// The head of a request of the operation, for the object `k` in the bucket `bkt`, without what it may leave out. `None` for a version where
/// it takes none.
pub fn example(known: &KnownOperation, of_version: bool) -> Option<Parts> {
    if of_version && !known.takes_version {
        return None;
    }
    let path = match known.path_names {
        1 if known.is_control => "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Abkt",
        0 if known.is_control => "/v20180820/configuration/publicAccessBlock",
        1 => "/bkt",
        2 => "/bkt/k",
        _ => "/",
    };
    let id = if known.has_id { "&id=one" } else { "" };
    let version = if of_version { "&versionId=v1" } else { "" };
    let query = match known.sub_resource {
        Some("list-type") => "list-type=2",
        Some("uploadId") if known.method == "PUT" => "uploadId=u&partNumber=1",
        Some("uploadId") => "uploadId=u",
        Some(name) => name,
        None if known.is_control && known.path_names == 1 => "tagKeys=a",
        None => "",
    };
    let mut request = http::Request::builder().method(known.method).uri(format!("{path}?{query}{id}{version}"));
    if known.copies {
        request = request.header("x-amz-copy-source", "/src/k");
    }
    if known.is_control {
        request = request.header("x-amz-account-id", "000000000000");
    } else if (known.method, known.path_names, known.sub_resource) == ("POST", 1, None) {
        request = request.header("content-type", "multipart/form-data; boundary=b");
    }
    if known.sub_resource == Some("attributes") {
        request = request.header("x-amz-object-attributes", "ETag");
    }
    Some(request.body(()).unwrap().into_parts().0)
}
