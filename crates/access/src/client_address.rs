//! The one way to compute a client's address, and whether it came over TLS.
//!
//! Forwarding headers are heard only from proxies the operator named (`s3.trusted_proxies.white_list` of `security.toml`);
//! from anyone else they are text that a client wrote (`aws:SourceIp` would be the client's own choice).

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;
use iam::TlsVersion;

/// A network in CIDR form, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// The text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a network such as 10.0.0.0/8")]
pub struct NetworkError(pub String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || NetworkError(text.to_owned());
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match bits {
            None => most,
            Some(bits) => bits.parse::<u8>().ok().filter(|bits| *bits <= most).ok_or_else(error)?,
        };
        Ok(Self { address, prefix_bits })
    }
}

impl Network {
    /// True if the address lies in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_prefix(u32::from(network).into(), u32::from(address).into(), 32, self.prefix_bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_prefix(network.into(), address.into(), 128, self.prefix_bits)
            }
            _ => false,
        }
    }
}

fn same_prefix(left: u128, right: u128, width: u8, bits: u8) -> bool {
    let host_bits = u32::from(width - bits);
    left.checked_shr(host_bits).unwrap_or(0) == right.checked_shr(host_bits).unwrap_or(0)
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    /// The client's address, `aws:SourceIp`.
    pub ip: IpAddr,
    /// The client spoke TLS, `aws:SecureTransport`.
    pub secure_transport: bool,
    /// The version of the client's TLS, `s3:TlsVersion`; `None` where a proxy ended it, as only the proxy knows.
    pub tls_version: Option<TlsVersion>,
}

/// Computes the client's address from the TCP peer and, if that is a trusted proxy, from what it forwards.
///
/// `X-Forwarded-For` is read from the right: the first address that is no trusted proxy is the client. A part that is no
/// address ends the reading at the last hop that is certain. `X-Real-IP` counts when there is no `X-Forwarded-For`.
/// `Forwarded` (RFC 7239) is not read: a proxy that writes the other headers passes on what a client says there.
pub fn client_address(
    peer: SocketAddr,
    tls: Option<TlsVersion>,
    headers: &HeaderMap,
    trusted: &[Network],
) -> ClientAddress {
    let peer = peer.ip().to_canonical();
    if !is_trusted(peer, trusted) {
        return ClientAddress { ip: peer, secure_transport: tls.is_some(), tls_version: tls };
    }
    let text = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = text("x-forwarded-for").flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut ip = peer;
    if hops.is_empty() {
        ip = text("x-real-ip").next().and_then(parse_hop).unwrap_or(peer);
    }
    for hop in hops.iter().rev() {
        let Some(address) = parse_hop(hop) else { break };
        ip = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    // The last one is what the trusted proxy wrote; those before it may have come with the request.
    let protocol = text("x-forwarded-proto").flat_map(|value| value.split(',')).last();
    let forwarded_tls = protocol.map(|protocol| protocol.trim().eq_ignore_ascii_case("https"));
    let tls_version = tls.filter(|_| ip == peer && forwarded_tls.is_none());
    ClientAddress { ip, secure_transport: forwarded_tls.unwrap_or(tls.is_some()), tls_version }
}

/// True if the operator named this address, or its network, as a proxy.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarding_headers_count_only_from_trusted_proxies() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "::1"].iter().map(|text| text.parse().unwrap()).collect();
        for (peer, forwarded_for, real_ip, want) in [
            ("203.0.113.9:5", "1.2.3.4", "1.2.3.4", "203.0.113.9"),
            ("10.0.0.1:5", "", "", "10.0.0.1"),
            ("10.0.0.1:5", "1.2.3.4", "", "1.2.3.4"),
            ("10.0.0.1:5", "9.9.9.9, 1.2.3.4", "", "1.2.3.4"),
            ("10.0.0.1:5", "9.9.9.9, 1.2.3.4, 10.2.2.2", "", "1.2.3.4"),
            ("10.0.0.1:5", "9.9.9.9, nonsense, 10.2.2.2", "", "10.2.2.2"),
            ("10.0.0.1:5", "10.3.3.3, 10.2.2.2", "", "10.3.3.3"),
            ("10.0.0.1:5", "1.2.3.4:8080", "", "1.2.3.4"),
            ("10.0.0.1:5", "[2001:db8::7]", "", "2001:db8::7"),
            ("10.0.0.1:5", "", "1.2.3.4", "1.2.3.4"),
            ("[::1]:5", "1.2.3.4", "", "1.2.3.4"),
            ("[::ffff:10.0.0.1]:5", "1.2.3.4", "", "1.2.3.4"),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("x-forwarded-for", forwarded_for), ("x-real-ip", real_ip)] {
                if !value.is_empty() {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            let address = client_address(peer.parse().unwrap(), None, &headers, &trusted);
            assert_eq!(address.ip, want.parse::<IpAddr>().unwrap(), "{peer} {forwarded_for:?} {real_ip:?}");
        }
    }

    #[test]
    fn the_version_of_tls_is_known_where_the_client_is_at_the_other_end() {
        let trusted: Vec<Network> = vec!["10.0.0.0/8".parse().unwrap()];
        for (peer, tls, forwarded, secure, want) in [
            ("203.0.113.9:5", None, &[][..], false, None),
            ("203.0.113.9:5", Some(TlsVersion::V1_2), &[], true, Some("1.2")),
            ("203.0.113.9:5", Some(TlsVersion::V1_3), &[("x-forwarded-proto", "http")], true, Some("1.3")),
            ("10.0.0.1:5", Some(TlsVersion::V1_3), &[], true, Some("1.3")),
            ("10.0.0.1:5", Some(TlsVersion::V1_3), &[("x-forwarded-proto", "https")], true, None),
            ("10.0.0.1:5", Some(TlsVersion::V1_3), &[("x-forwarded-proto", "http")], false, None),
            ("10.0.0.1:5", Some(TlsVersion::V1_3), &[("x-forwarded-for", "1.2.3.4")], true, None),
            ("10.0.0.1:5", None, &[("x-forwarded-proto", "https")], true, None),
        ] {
            let headers = forwarded.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let headers: HeaderMap = headers.collect();
            let found = client_address(peer.parse().unwrap(), tls, &headers, &trusted);
            let version = found.tls_version.map(TlsVersion::as_str);
            assert_eq!((found.secure_transport, version), (secure, want), "{peer} {tls:?} {forwarded:?}");
        }
    }

    #[test]
    fn networks_parse_or_say_why() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.8"),
            ("0.0.0.0/0", "255.1.1.1", "::1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
        ] {
            let network: Network = text.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{text} {outside}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0", "::1/129", "a/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
