//! The body of an IAM or STS call. It says what is asked for, so it is read before a signature can be verified. The head
//! decides how much of it is read.

use access::Services;
use bytes::Bytes;
use http::Method;
use s3::S3Error;

use crate::body::{ExpectedBody, ObjectBody, Source};
use crate::gateway::Gateway;
use crate::request_facts::RequestFacts;
use crate::request_scope::RequestScope;

/// The largest body of a call that is signed with a key that exists.
const SIGNED_BYTES_MAX: u64 = 1 << 20;
/// The largest body of any other call. The longest are sign-ins: a token of 20,000 bytes, and session policies.
const UNSIGNED_BYTES_MAX: u64 = 64 << 10;

impl Gateway {
    /// The body of the call; empty for methods that have none. Fails without reading it if the call is signed with a key or a
    /// session that will be refused.
    pub(crate) async fn query_body(
        &self,
        scope: &RequestScope<'_>,
        incoming: Source,
        facts: &mut RequestFacts,
    ) -> Result<Bytes, S3Error> {
        if scope.head.method != Method::POST {
            return Ok(Bytes::new());
        }
        let unverified = scope.unverified(Services::Query, None);
        let is_signed_by_known_key = self.authenticator.is_signed_by_known_key(&unverified, &scope.snapshot);
        let is_signed_by_known_key = is_signed_by_known_key.map_err(|error| facts.refused(&unverified, error))?;
        let limit = if is_signed_by_known_key { SIGNED_BYTES_MAX } else { UNSIGNED_BYTES_MAX };
        let expected = ExpectedBody::default();
        ObjectBody::new(incoming, expected, limit, self.settings.body_patience).read_all(limit).await
    }
}
