//! Requests to identity providers. Their keys are fetched in the background and kept on the filer, so that no request
//! waits for a provider and no outage of one locks anybody out. Directories and plugins have to be asked at each
//! sign-in.

mod address;
mod discovery;
mod get;
mod keeper;
mod ldap;
mod plugin;

pub use address::is_public;
pub use discovery::{FetchError, Fetched, fetch};
pub use get::{Authorization, GetError, Outbound};
pub use keeper::{KeyDemand, KeyKeeper};
pub use ldap::{Directory, FoundUser, SignInError};
pub use plugin::{Plugin, PluginError, PluginUser};
