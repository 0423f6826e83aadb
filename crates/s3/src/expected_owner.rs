use http::request::Parts;
use ids::AccountId;

use crate::request::Request;
use crate::{S3Error, S3ErrorCode};

/// The accounts that a client believes the buckets to belong to: `x-amz-expected-bucket-owner` and, for the source of a copy,
/// `x-amz-source-expected-bucket-owner`.
///
/// They guard a client against a bucket that somebody else made under its name: whoever executes must check them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpectedOwners {
    target: Option<AccountId>,
    source: Option<AccountId>,
}

impl ExpectedOwners {
    /// Reads the headers of any operation; `InvalidArgument` for what is no account.
    pub fn parse(head: &Parts) -> Result<Self, S3Error> {
        let request = Request::new(head)?;
        Ok(Self {
            target: account(&request, "x-amz-expected-bucket-owner")?,
            source: account(&request, "x-amz-source-expected-bucket-owner")?,
        })
    }

    /// `AccessDenied` when the bucket of the request belongs to another account than expected.
    pub fn check_target(&self, account: &str) -> Result<(), S3Error> {
        check(self.target, account)
    }

    /// `AccessDenied` when the bucket of the copy's source belongs to another account than expected.
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
    let message = "The value of the expected bucket owner parameter must be an AWS account ID: 12 digits";
    text.parse().map(Some).map_err(|_| S3Error::invalid_argument(header, &*text, message))
}
