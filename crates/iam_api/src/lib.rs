//! The query APIs of IAM and STS without a socket: commands, their parameters, their permissions, their XML. No clock, file or
//! randomness.

mod action;
pub mod answer;
mod assume_role;
pub mod cases;
pub mod command;
mod condition_keys;
mod error;
mod params;
mod permissions;
mod qr_code;
mod query_caller;
mod reader;
mod resource;
mod user_session;

pub use action::{QueryAction, Service};
pub use assume_role::{AssumeRoleInput, DurationLimits, InputError, OwnSessionInput};
pub use command::{Command, Outcome};
pub use condition_keys::set_query_condition_keys;
pub use error::IamError;
pub use params::Params;
pub use permissions::query_requirements;
pub use query_caller::QueryCaller;
pub use user_session::{FederationTokenInput, MfaInput, SessionTokenInput, user_session_s};
