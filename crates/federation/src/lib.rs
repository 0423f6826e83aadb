//! What identity providers are asked: their keys, fetched in the background and kept on the filer, so that no request waits for a
//! provider and no outage of one locks anybody out; and directories and plugins, which have to be asked for each sign-in.

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
