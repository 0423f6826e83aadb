//! The protocol from outside: each row of a table is one claim about a request, a document or an answer.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails may panic")]

mod support;

mod conditions;
mod cors;
mod documents;
mod form;
mod no_panic;
mod op;
mod request_actions;
mod route;
mod texts;
mod website;
