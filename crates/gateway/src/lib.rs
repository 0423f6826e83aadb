//! The data plane: one corridor of eight doors, and the S3 operations.

pub mod accept;
mod pipeline;

mod body;
mod form;
mod pages;
mod respond;

mod op;

mod errors;
mod fence;
mod gateway;
mod limits;
pub mod listing;
mod metrics;
pub mod object;
mod query;
pub mod tls;
mod unauthenticated;

pub use body::ResponseBody;
pub use fence::{Enforcement, Fence, Floor, NOT_ENFORCED, REVISION};
pub use gateway::{Gateway, Settings, SharedSnapshot};
pub use limits::UploadLimits;
pub use metrics::Metrics;
pub use pages::MetricsListener;
pub use query::{QueryApi, QueryCall, StatusPages};
pub use unauthenticated::SignatureLimit;
