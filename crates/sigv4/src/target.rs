use std::borrow::Cow;

/// What a client addressed, in the words that its signature covers.
///
/// A gateway routes a request by the same value: a signature that was checked with another host or path than the one that
/// is carried out is good for what its signer never asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTarget<'a> {
    /// Spellings of the one host that the client may have signed: with and without a port. All of them name the same bucket.
    pub hosts: Vec<Cow<'a, str>>,
    /// The path as received, behind the prefix that a proxy took off it.
    pub path: Cow<'a, str>,
    /// The bucket, when it stands in the host and not in the path. V2 signs it in front of the path.
    pub bucket: Option<String>,
}
