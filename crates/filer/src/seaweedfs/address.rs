//! The address of a filer, `host:http[.grpc]`: SeaweedFS's way of writing two ports.

use std::fmt;
use std::str::FromStr;

/// A filer's address. Its gRPC port is the HTTP port + 10000 unless it is given after a dot (`filer:8888.18888`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FilerAddress {
    host: String,
    http_port: u16,
    grpc_port: u16,
}

/// The text is not a filer address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The shape is not `host:port`.
    #[error("`{0}` is not a filer address; write `host:port` or `host:port.grpcPort`, such as `localhost:8888`")]
    Shape(String),
    /// The gRPC port would be beyond 65535.
    #[error("`{0}`: the gRPC port (HTTP port + 10000) is beyond 65535; give it after a dot, as in `host:60000.18888`")]
    GrpcPort(String),
}

impl FilerAddress {
    /// Parses `a:8888,b:8888.18888`. Skips empty parts; an empty text gives an empty vector.
    pub fn parse_list(list: &str) -> Result<Vec<FilerAddress>, AddressError> {
        list.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect()
    }

    /// `host:port` of the gRPC service.
    pub fn grpc(&self) -> String {
        format!("{}:{}", self.host, self.grpc_port)
    }

    /// The address with its gRPC port, even if that follows from the other one. The ring of filers is made of these.
    pub(super) fn with_both_ports(&self) -> String {
        format!("{}:{}.{}", self.host, self.http_port, self.grpc_port)
    }

    /// `host:port` of the HTTP service.
    pub fn http(&self) -> String {
        format!("{}:{}", self.host, self.http_port)
    }
}

impl fmt::Display for FilerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.http_port)?;
        match self.http_port.checked_add(10_000) {
            Some(port) if port == self.grpc_port => Ok(()),
            _ => write!(f, ".{}", self.grpc_port),
        }
    }
}

impl FromStr for FilerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let shape = || AddressError::Shape(text.to_owned());
        let (host, ports) = text.rsplit_once(':').ok_or_else(shape)?;
        let bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
        let plain =
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        let v6 = bracketed && host.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'[' | b']'));
        if !(plain || v6) {
            return Err(shape());
        }
        let (http, grpc) = match ports.split_once('.') {
            Some((http, grpc)) => (http, Some(grpc)),
            None => (ports, None),
        };
        let http_port = http.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(shape)?;
        let grpc_port = match grpc {
            Some(grpc) => grpc.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(shape)?,
            None => http_port.checked_add(10_000).ok_or_else(|| AddressError::GrpcPort(text.to_owned()))?,
        };
        Ok(FilerAddress { host: host.to_owned(), http_port, grpc_port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        for (text, want) in [
            ("localhost:8888", Some(("localhost:8888", "localhost:18888", "localhost:8888"))),
            ("10.0.0.1:8888.18888", Some(("10.0.0.1:8888", "10.0.0.1:18888", "10.0.0.1:8888"))),
            ("filer_1:8888.9999", Some(("filer_1:8888", "filer_1:9999", "filer_1:8888.9999"))),
            ("[::1]:8888", Some(("[::1]:8888", "[::1]:18888", "[::1]:8888"))),
            ("h:60000", None),
            ("h:60000.1", Some(("h:60000", "h:1", "h:60000.1"))),
            ("h", None),
            (":8888", None),
            ("h:0", None),
            ("h:8888.", None),
            ("h:8888.x", None),
            ("h/x:8888", None),
            ("h:70000", None),
            ("http://h:1", None),
        ] {
            let got = text.parse::<FilerAddress>().ok();
            let got = got.as_ref().map(|a| (a.http(), a.grpc(), a.to_string()));
            let want = want.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
            assert_eq!(got, want, "{text}");
        }
        assert_eq!(FilerAddress::parse_list("a:1, b:2,").map(|list| list.len()), Ok(2));
    }
}
