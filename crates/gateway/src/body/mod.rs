//! The bodies of requests and answers.

mod request;
mod response;

pub use request::{ExpectedBody, ObjectBody, Source, check_md5, source};
pub use response::ResponseBody;
