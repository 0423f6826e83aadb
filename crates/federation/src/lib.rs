//! The keys of identity providers: fetched in the background and kept on the filer, so that no request waits for a provider and
//! no outage of one locks anybody out.

mod address;
mod discovery;
mod get;
mod keeper;

pub use address::is_public;
pub use discovery::{FetchError, Fetched, fetch};
pub use get::{GetError, Outbound};
pub use keeper::{KeyDemand, KeyKeeper};
