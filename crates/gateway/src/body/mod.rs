//! Bodies on their way in and out.

mod request;
mod response;

pub use request::{ObjectBody, Promises, Source, check_md5, source};
pub use response::ResponseBody;
