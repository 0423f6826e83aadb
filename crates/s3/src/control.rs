//! Amazon S3 Control, the API about accounts. SDKs send it to the endpoint of S3 if that is the only one they know. The tags of
//! buckets and the public access block of an account are supported.

use http::request::Parts;
use ids::AccountId;

use crate::request::Request;
use crate::target::{Path, TaggedBucket, bucket_name};
use crate::{S3Error, S3ErrorCode};

/// How the path of each call begins.
const VERSION: &str = "v20180820/";
/// The header that each call has. With it, the path does not name a bucket called `v20180820`. Like every such header it
/// has to be signed, so no one can turn a signed request of S3 into a call of S3 Control, or back.
const ACCOUNT: &str = "x-amz-account-id";

/// Whether a request is a call of S3 Control. SDKs put the account before the host unless told otherwise.
pub fn is_control(head: &Parts, host_bucket: Option<&str>) -> bool {
    let account = head.headers.get(ACCOUNT).map(http::HeaderValue::as_bytes);
    let is_account = |account: &[u8]| host_bucket.is_none_or(|host| host.as_bytes() == account);
    rest(head).is_some() && account.is_some_and(is_account)
}

/// What a call is about: an account, or the tags of a bucket. Every other call gets 405.
pub(crate) fn control_path(request: &Request<'_>) -> Result<Path, S3Error> {
    let account: AccountId = account(request)?;
    match rest(request.head) {
        Some("configuration/publicAccessBlock") => Ok(Path::Account(account)),
        _ => tagged_bucket(request, account).map(Path::Control),
    }
}

fn account(request: &Request<'_>) -> Result<AccountId, S3Error> {
    let account = request.header(ACCOUNT)?.unwrap_or_default();
    account
        .parse()
        .map_err(|_| S3Error::invalid_argument(ACCOUNT, &*account, "The account must be an AWS account ID: 12 digits"))
}

fn tagged_bucket(request: &Request<'_>, account: AccountId) -> Result<TaggedBucket, S3Error> {
    let not_allowed = || {
        let message = "S3 Control is supported for the tags of buckets, /v20180820/tags/arn:aws:s3:::bucket, and for \
                       /v20180820/configuration/publicAccessBlock alone";
        S3Error::with_message(S3ErrorCode::MethodNotAllowed, message)
    };
    let arn = rest(request.head).and_then(|rest| rest.strip_prefix("tags/")).ok_or_else(not_allowed)?;
    let arn = crate::query::decode(arn)?;
    let name = arn.strip_prefix("arn:aws:s3:::").filter(|name| !name.contains('/')).ok_or_else(not_allowed)?;
    Ok(TaggedBucket { name: bucket_name(name)?, account })
}

fn rest(head: &Parts) -> Option<&str> {
    head.uri.path().strip_prefix('/')?.strip_prefix(VERSION)
}
