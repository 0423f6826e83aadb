//! The public surface of `sts`.
#![cfg(test)]

mod session;
mod signing_key;
mod web_identity;
