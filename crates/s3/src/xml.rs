//! Writing and reading the XML of S3.

mod reader;
mod writer;

pub use reader::{Element, MAX_DEPTH, parse};
pub use writer::{EncodingType, S3_NAMESPACE, XmlWriter};
