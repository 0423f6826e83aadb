//! The front door: who asks, which policies apply, may it be done.
//!
//! The way of a request is [`Addressing::target`], [`Door::authenticate`], [`request_context`], then [`authorize`], which
//! alone makes a [`Permit`].

mod addressing;
mod authenticate;
mod authorize;
mod client_address;
mod condition_keys;
mod permit;
mod refusal;
mod session;
mod uses;
mod witness;

pub use addressing::{Addressing, RequestTarget};
pub use authenticate::{Arrival, Authenticated, AuthenticationType, Door, Services};
pub use authorize::{Resolved, World, asks_for_tags_of, authorize, check, context_of, could_act, decide};
pub use client_address::{ClientAddress, Network, NetworkError};
pub use condition_keys::request_context;
pub use permit::{Permit, Permitted};
pub use refusal::{Refusal, from_signature, outcome_label, policy_label};
pub use uses::Uses;
pub use witness::{NoWitness, Witness, witnessed};
