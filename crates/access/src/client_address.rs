//! The one way to compute a client's address, and whether it used TLS.
//!
//! Forwarding headers count only from proxies named by the operator (`s3.trusted_proxies.white_list` of
//! `security.toml`). From anyone else they are text that a client wrote, and the client could choose its own
//! `aws:SourceIp`.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use iam::{ConnectionFacts, TlsVersion};
use ids::{Network, parse_address};

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    /// The client's address, `aws:SourceIp`.
    pub ip: IpAddr,
    /// Whether the client used TLS, `aws:SecureTransport`.
    pub secure_transport: bool,
    /// The client's TLS version, `s3:TlsVersion`; `None` if a proxy terminated TLS, because only the proxy knows it.
    pub tls_version: Option<TlsVersion>,
}

impl ClientAddress {
    /// What the caller of a request knows of it.
    pub(crate) fn facts(self) -> ConnectionFacts {
        let Self { ip, secure_transport, tls_version } = self;
        ConnectionFacts { source_ip: Some(ip), secure_transport, tls_version }
    }
}

/// Computes the client's address from the TCP peer and, if that is a trusted proxy, from the headers that it forwards.
///
/// `X-Forwarded-For` is read from the right: the first address that is not a trusted proxy is the client. At a part
/// that is not an address, whatever its bytes, reading stops at the last hop that is certain. `X-Real-IP` counts if
/// there is no `X-Forwarded-For`. `Forwarded` (RFC 7239) is not read, because a proxy that writes the other headers
/// passes on what a client says there.
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
    let parts = |name| headers.get_all(name).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let hops: Vec<&[u8]> = parts("x-forwarded-for").collect();
    let mut ip = peer;
    if hops.is_empty() {
        ip = headers.get("x-real-ip").and_then(|value| parse_hop(value.as_bytes())).unwrap_or(peer);
    }
    for hop in hops.iter().rev() {
        let Some(address) = parse_hop(hop) else { break };
        ip = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    // The trusted proxy wrote the last one. Earlier ones may have come with the request.
    let protocol = parts("x-forwarded-proto").last();
    let forwarded_tls = protocol.map(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"https"));
    let tls_version = tls.filter(|_| ip == peer && forwarded_tls.is_none());
    ClientAddress { ip, secure_transport: forwarded_tls.unwrap_or(tls.is_some()), tls_version }
}

/// True if the operator named this address, or its network, as a proxy.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn parse_hop(bytes: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(bytes).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    parse_address(bare).or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip().to_canonical()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn forwarding_headers_count_only_from_trusted_proxies() {
        let trusted: Vec<Network> =
            ["10.0.0.0/8", "::1", "::ffff:192.168.0.0/112"].iter().map(|text| text.parse().unwrap()).collect();
        // A `\u{80}` is not ASCII, and a proxy passes it on.
        for (peer, forwarded_for, real_ip, want) in [
            ("203.0.113.9:5", "1.2.3.4", "1.2.3.4", "203.0.113.9"),
            ("10.0.0.1:5", "", "", "10.0.0.1"),
            ("10.0.0.1:5", "1.2.3.4", "", "1.2.3.4"),
            ("10.0.0.1:5", "9.9.9.9, 1.2.3.4", "", "1.2.3.4"),
            ("10.0.0.1:5", "9.9.9.9, 1.2.3.4, 10.2.2.2", "", "1.2.3.4"),
            ("10.0.0.1:5", "9.9.9.9, nonsense, 10.2.2.2", "", "10.2.2.2"),
            ("10.0.0.1:5", "10.3.3.3, 10.2.2.2", "", "10.3.3.3"),
            ("10.0.0.1:5", "\u{80}, 1.2.3.4", "9.9.9.9", "1.2.3.4"),
            ("10.0.0.1:5", "9.9.9.9, \u{80}, 10.2.2.2", "", "10.2.2.2"),
            ("10.0.0.1:5", "9.9.9.9, 1.2.3.4\u{80}", "9.9.9.9", "10.0.0.1"),
            ("10.0.0.1:5", "1.2.3.4:8080", "", "1.2.3.4"),
            ("10.0.0.1:5", "[2001:db8::7]", "", "2001:db8::7"),
            ("10.0.0.1:5", "", "1.2.3.4", "1.2.3.4"),
            ("[::1]:5", "1.2.3.4", "", "1.2.3.4"),
            ("[::ffff:10.0.0.1]:5", "1.2.3.4", "", "1.2.3.4"),
            ("192.168.0.1:5", "1.2.3.4", "", "1.2.3.4"),
            ("192.169.0.1:5", "1.2.3.4", "", "192.169.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("x-forwarded-for", forwarded_for), ("x-real-ip", real_ip)] {
                if !value.is_empty() {
                    headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
                }
            }
            let address = client_address(peer.parse().unwrap(), None, &headers, &trusted);
            assert_eq!(address.ip, want.parse::<IpAddr>().unwrap(), "{peer} {forwarded_for:?} {real_ip:?}");
        }
    }

    #[test]
    fn the_tls_version_is_known_only_without_a_proxy() {
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
            ("10.0.0.1:5", None, &[("x-forwarded-proto", "http\u{80}, https")], true, None),
            ("10.0.0.1:5", None, &[("x-forwarded-proto", "https, \u{80}")], false, None),
        ] {
            let value = |value: &str| HeaderValue::from_bytes(value.as_bytes()).unwrap();
            let headers = forwarded.iter().map(|(name, text)| (name.parse().unwrap(), value(text)));
            let headers: HeaderMap = headers.collect();
            let found = client_address(peer.parse().unwrap(), tls, &headers, &trusted);
            let version = found.tls_version.map(TlsVersion::as_str);
            assert_eq!((found.secure_transport, version), (secure, want), "{peer} {tls:?} {forwarded:?}");
        }
    }
}
