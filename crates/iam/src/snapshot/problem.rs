use std::fmt;
use std::sync::Arc;

use ids::AccessKeyId;

use crate::change::DocumentKey;

/// What a problem is about: see [`Snapshot::problems`](crate::Snapshot::problems).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemSubject {
    /// A document that cannot be read, or documents of one name that contradict each other.
    Document(DocumentKey),
    /// A stored document that is ignored, because the identities file defines the same.
    Ignored(DocumentKey),
    /// An access key that several holders claim.
    AccessKey(AccessKeyId),
    /// An access key that cannot be used, by its id as it is stored, and the document that has it.
    KeyOf(Arc<str>, DocumentKey),
}

impl fmt::Display for ProblemSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(document) => document.fmt(f),
            Self::Ignored(document) => write!(f, "stored {document}"),
            Self::AccessKey(id) => write!(f, "access key `{id}`"),
            Self::KeyOf(id, holder) => write!(f, "access key `{id}` of {holder}"),
        }
    }
}
