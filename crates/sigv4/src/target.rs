use std::borrow::Cow;

/// What a client addressed, as its signature covers it.
///
/// A gateway routes the request by this same value. If it checked the signature with one host or path and routed by
/// another, the signature would be valid for a request that its signer never made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTarget<'a> {
    /// The spellings of the host that the client may have signed: with and without a port. All of them name the same
    /// bucket.
    pub hosts: Vec<Cow<'a, str>>,
    /// The path as received, after the prefix that a proxy removed.
    pub path: Cow<'a, str>,
    /// The bucket, if it is in the host and not in the path. V2 signs it in front of the path.
    pub bucket: Option<String>,
}
