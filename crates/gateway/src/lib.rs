//! The data plane: one corridor of eight doors, and the S3 operations.

pub mod accept;
mod body;
pub mod listing;
pub mod metrics;
pub mod object;
pub mod tls;

pub use body::ResponseBody;
