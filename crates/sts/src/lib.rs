//! Sessions without a clock: mint and verify tokens, AssumeRole.
//!
//! A session is a JWT that carries everything; nothing is stored. Claims, access key and secret are those of SeaweedFS 4.48,
//! so that gateways of both kinds accept each other's sessions. The time and the random session id are arguments.

mod assume_role;
mod claims;
mod session;
mod signing_key;
mod token;
pub mod xml;

pub use assume_role::{AssumeRoleInput, DurationLimits, InputError};
pub use claims::SessionClaims;
pub use session::{NewSession, SessionCredentials, TokenError, VerifiedSession, mint, verify};
pub use signing_key::{KeyError, SessionKeys, SigningKey};
