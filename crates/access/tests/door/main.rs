//! The door from outside: each row of a table is one claim about who is admitted, with what, and what the others are told.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails may panic")]

mod world;

mod acls;
mod audit;
mod authentication;
mod condition_keys;
mod decisions;
mod denials;
mod federation;
mod own_sessions;
mod refusal_details;
mod refusals;
mod revocations;
mod sessions;
mod trust;
mod uses;
