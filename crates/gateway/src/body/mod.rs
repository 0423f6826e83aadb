//! The bodies of requests and answers.

mod expected;
mod request;
mod response;

pub(crate) use request::source;
pub use request::{ExpectedBody, ObjectBody, Source, check_md5};
pub use response::ResponseBody;
