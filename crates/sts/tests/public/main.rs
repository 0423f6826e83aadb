//! The public surface of `sts`.
#![cfg(test)]

mod assume_role;
mod session;
mod signing_key;
mod xml;
