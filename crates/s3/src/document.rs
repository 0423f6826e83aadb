//! What S3's documents have in common.

use xml::{Malformed, XmlWriter};

use crate::S3Error;

/// The namespace of S3's documents.
const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Begins a document whose root is `root`, in S3's namespace. The caller closes the root.
pub(crate) fn begin(root: &str) -> XmlWriter {
    let mut xml = XmlWriter::document();
    xml.open_with(root, &[("xmlns", S3_NAMESPACE)]);
    xml
}

/// An ETag in quotes, as documents have it.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{}\"", etag.trim_matches('"'))
}

impl From<Malformed> for S3Error {
    fn from(error: Malformed) -> Self {
        Self::malformed_xml(error)
    }
}
