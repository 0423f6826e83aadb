//! The filer seam: entries, data, change feed. There are two filers behind it: SeaweedFS over the wire, and one
//! directory of this machine.

pub mod embedded;
pub mod entry;
mod filer;
mod guards;
mod note;
pub mod seaweedfs;
mod visible;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(any(test, feature = "conformance"))]
pub mod fault;

pub use embedded::EmbeddedFiler;
pub use entry::{Attributes, ETAG_ATTRIBUTE, Entry, FileChunk, FileId};
pub use filer::{
    Below, BodyError, BytesIn, BytesOut, Change, Condition, Feed, FeedFilter, FeedItem, Filer, FilerConfiguration,
    FilerError, ListOptions, Mutation, Transaction, WriteTarget, Written,
};
pub use guards::{Guards, Pass};
pub use note::Note;
