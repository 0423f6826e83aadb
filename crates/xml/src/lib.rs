//! XML as the APIs of AWS use it: one writer, and one reader whose memory is bounded.

mod reader;
mod writer;

pub use reader::{DEPTH_MAX, Element, Malformed, parse};
pub use writer::{Forbidden, XmlWriter};
