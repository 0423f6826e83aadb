//! A request before authentication, and the facts about it that become facts about its caller.

use http::request::Parts;
use iam::{Caller, User};
use ids::AccessKeyId;
use jiff::Timestamp;
use sigv4::{AuthForm, SigError};

use crate::addressing::RequestTarget;

/// The services for which a signature may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// Objects and buckets.
    S3,
    /// The IAM and STS query APIs, which bind the body.
    Query,
}

/// A request that is not authenticated yet.
#[derive(Clone, Copy)]
pub struct UnverifiedRequest<'a> {
    /// Its head.
    pub head: &'a Parts,
    /// How the head says who asks, as [`sigv4::auth_form`] reads it.
    pub form: &'a Result<AuthForm, SigError>,
    /// Where it comes from and what it addresses.
    pub target: &'a RequestTarget<'a>,
    /// The current time.
    pub now: Timestamp,
    /// The services for which it may be signed.
    pub services: Services,
    /// The SHA-256 of the body, if the body has already been read, as for the query APIs.
    pub body_sha256: Option<[u8; 32]>,
}

/// The user as the caller of this request.
pub(crate) fn user_caller(user: &User, access_key_id: AccessKeyId, unverified: &UnverifiedRequest<'_>) -> Caller {
    Caller { access_key_id: Some(access_key_id), connection: unverified.target.client.facts(), ..Caller::of(user) }
}
