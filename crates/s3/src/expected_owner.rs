use http::request::Parts;
use ids::AccountId;

use crate::request::Request;
use crate::{S3Error, S3ErrorCode};

/// The accounts that the client expects to own the buckets: `x-amz-expected-bucket-owner` and, for the source of a
/// copy, `x-amz-source-expected-bucket-owner`.
///
/// They protect a client from a bucket with the right name that someone else created. The code that runs an operation
/// must check them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpectedOwners {
    target: Option<AccountId>,
    source: Option<AccountId>,
}

impl ExpectedOwners {
    /// Reads the headers of any operation. A value that is not an account is
    /// `InvalidBucketOwnerAWSAccountID`.
    pub fn parse(head: &Parts) -> Result<Self, S3Error> {
        let request = Request::new(head)?;
        Ok(Self {
            target: account(&request, "x-amz-expected-bucket-owner")?,
            source: account(&request, "x-amz-source-expected-bucket-owner")?,
        })
    }

    /// Fails with `AccessDenied` if the bucket of the request does not belong to the expected account.
    pub fn check_target(&self, account: &str) -> Result<(), S3Error> {
        check(self.target, account)
    }

    /// Fails with `AccessDenied` if the bucket of the copy source does not belong to the expected account.
    pub fn check_source(&self, account: &str) -> Result<(), S3Error> {
        check(self.source, account)
    }
}

fn check(expected: Option<AccountId>, account: &str) -> Result<(), S3Error> {
    match expected {
        Some(expected) if expected.as_str() != account => Err(S3Error::new(S3ErrorCode::AccessDenied)),
        _ => Ok(()),
    }
}

fn account(request: &Request<'_>, header: &'static str) -> Result<Option<AccountId>, S3Error> {
    let Some(text) = request.header(header)? else { return Ok(None) };
    let invalid = |_| {
        let error = S3Error::new(S3ErrorCode::InvalidBucketOwnerAWSAccountID);
        error.field("ArgumentName", header).field("ArgumentValue", &*text)
    };
    text.parse().map(Some).map_err(invalid)
}
