//! Requests that depend on the account of a bucket: those for its own account alone, and those that say whose bucket they expect.

use http::request::Parts;
use s3::{ExpectedOwners, Operation, S3Error, S3ErrorCode};

use crate::op::Call;

/// A caller with a permission on another account's bucket may use it, but may not pass it on or lock the owner out.
pub(crate) fn require_owner_account(operation: &Operation, call: &Call<'_>) -> Result<(), S3Error> {
    let Some(bucket) = call.bucket.as_ref().filter(|_| operation.is_for_owners_account()) else { return Ok(()) };
    // An anonymous caller does not belong to any account.
    if call.caller.principal.account() == Some(bucket.account) {
        return Ok(());
    }
    let message = format!("Only identities of the account that owns the bucket may call {}", operation.name());
    Err(S3Error::with_message(S3ErrorCode::MethodNotAllowed, message))
}

/// The end of the names of both headers.
const EXPECTED_OWNER: &str = "expected-bucket-owner";

/// Whether a parameter may be one of these headers. A name with escapes may be any.
fn may_name_owner((name, _): (&str, &str)) -> bool {
    let end = name.len().checked_sub(EXPECTED_OWNER.len()).and_then(|at| name.get(at..));
    name.contains('%') || end.is_some_and(|end| end.eq_ignore_ascii_case(EXPECTED_OWNER))
}

/// `x-amz-expected-bucket-owner` and its counterpart for sources protect a client from someone else's bucket.
pub(crate) fn require_expected_owners(head: &Parts, operation: &Operation, call: &Call<'_>) -> Result<(), S3Error> {
    let in_query = head.uri.query().is_some_and(|query| ids::query_pairs(query).any(may_name_owner));
    let in_headers = head.headers.keys().any(|name| name.as_str().ends_with(EXPECTED_OWNER));
    if !in_query && !in_headers {
        return Ok(());
    }
    let expected = ExpectedOwners::parse(head)?;
    if let Some(bucket) = &call.bucket {
        expected.check_target(bucket.account.as_str())?;
    }
    let source = operation.copy_source().and_then(|source| call.snapshot.bucket(source.bucket.as_str()));
    source.map_or(Ok(()), |bucket| expected.check_source(bucket.account.as_str()))
}
