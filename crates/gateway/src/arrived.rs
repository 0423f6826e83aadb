//! How a request came in: what its record and its span begin with.

use std::net::IpAddr;
use std::time::Instant;

use http::Method;
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

/// The name of a method that S3 has. Clients can invent others.
pub(crate) fn known_method(method: &Method) -> Option<&'static str> {
    let names = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"];
    names.into_iter().find(|name| method == name)
}
