//! The data plane: the nine steps of a request, and the S3 operations.

pub mod accept;
mod admitted_upload;
mod arrived;
mod audit_log;
mod audited;
mod auditor;
mod bearer;
mod client_certificate;
mod connections;
mod ownership;
mod pipeline;
mod request_facts;
mod request_scope;
mod requester_pays;
mod website;

mod body;
mod form;
mod pages;
mod respond;
mod state;

mod op;

mod decisions;
mod detached;
mod errors;
mod fence;
mod gateway;
mod keep_alive;
mod limits;
mod metrics;
mod query;
mod query_body;
mod rate_limits;
pub mod tls;
mod traced;
mod unauthenticated;
mod unstalled;

pub use auditor::{Auditor, NoAuditor, RecordWritten, SharedAuditor};
pub use body::ResponseBody;
pub use bucket::object::OBJECT_MODE;
pub use connections::{ConnectionLimits, Connections};
pub use fence::{Enforcement, Fence, FloorError, REVISION};
pub use gateway::{Gateway, Settings, SharedSnapshot};
pub use limits::UploadLimits;
pub use metrics::Metrics;
pub use pages::MetricsListener;
pub use query::{QueryApi, QueryCall, QueryService, StatusDetail, StatusPages};
pub use rate_limits::{Limit, Rate, RateLimits, Rates};
pub use unauthenticated::SignatureLimit;
