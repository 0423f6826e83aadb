//! How a request came in: what its record and its span begin with.

use std::net::IpAddr;
use std::time::Instant;

use http::request::Parts;
use jiff::Timestamp;

use crate::accept::Connection;

/// How a request came in.
pub(crate) struct Arrived<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) connection: Connection,
    pub(crate) client: IpAddr,
    pub(crate) time: Timestamp,
    pub(crate) started: Instant,
}
