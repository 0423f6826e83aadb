//! The front door: authenticate, gather, authorize.

pub mod client_address;
