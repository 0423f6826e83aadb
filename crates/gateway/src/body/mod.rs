//! Bodies on their way in and out.

mod response;

pub use response::ResponseBody;
