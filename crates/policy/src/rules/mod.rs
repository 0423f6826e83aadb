//! What the APIs require of a new document beyond the grammar.

mod bucket;
mod fitting;
mod identity;
mod keys;
mod trust;

use crate::fault::Fault;
use crate::grammar::Document;
use crate::policy_kind::PolicyKind;

pub(crate) use fitting::fitting;
pub(crate) use keys::{is_known_key, nearest_key};

/// Checks a document as the API that stores this kind does. Without a `bucket`, it may be about any one bucket.
pub(crate) fn check(kind: PolicyKind, bucket: Option<&str>, document: &Document) -> Result<(), Fault> {
    match kind {
        PolicyKind::Identity | PolicyKind::Boundary | PolicyKind::Session => identity::check(kind, document),
        PolicyKind::Trust => trust::check(document),
        PolicyKind::Bucket => bucket::check(bucket, document),
    }
}
