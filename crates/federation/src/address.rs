//! Which addresses requests to identity providers may reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is on the public internet. Everything else may be the gateway's own network: private, loopback and
/// link-local addresses, those of cloud metadata, of carriers' NAT, of documentation and tests, and reserved ones.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether an address may be reached by providers that are allowed private addresses. Metadata services never are: what they
/// answer are the machine's own credentials.
pub(crate) fn is_reachable_privately(address: IpAddr) -> bool {
    let embedded = match address {
        IpAddr::V6(address) => embedded_v4(address).map_or(IpAddr::V6(address), IpAddr::V4),
        address => address,
    };
    match embedded {
        IpAddr::V4(address) => {
            !(address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                || address.is_unspecified()
                || METADATA.contains(&address))
        }
        IpAddr::V6(address) => {
            let link_local = address.segments().first().is_some_and(|first| first & 0xffc0 == 0xfe80);
            !(link_local || address.is_multicast() || address.is_unspecified() || METADATA_V6.contains(&address))
        }
    }
}

/// Metadata services outside the link-local networks: of Alibaba, Azure and Oracle.
const METADATA: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];

/// The same: of AWS and Google.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254), Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254)];

/// IANA's special-purpose registries, without what is globally reachable.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || METADATA.contains(&address)
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19)))
}

/// Only 2000::/3 is given out, and parts of it are special.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(embedded) = embedded_v4(address) {
        return is_public_v4(embedded);
    }
    let [first, second, ..] = address.segments();
    let documentation = (first == 0x2001 && second == 0x0db8) || first == 0x3fff;
    let protocols = first == 0x2001 && second < 0x0200;
    first & 0xe000 == 0x2000 && !documentation && !protocols
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, NAT64 or 6to4.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => of(g, h),
        [0, 0, 0, 0, 0, 0] if g != 0 => of(g, h),
        [0x64, 0xff9b, 1, ..] => of(g, h),
        [0x2002, high, low, ..] => of(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_reached() {
        for (address, public, privately) in [
            ("8.8.8.8", true, true),
            ("2606:4700::1111", true, true),
            ("10.0.0.1", false, true),
            ("172.16.0.1", false, true),
            ("172.32.0.1", true, true),
            ("192.168.1.1", false, true),
            ("127.0.0.1", false, true),
            ("::1", false, true),
            ("fd12::1", false, true),
            ("100.64.0.1", false, true),
            ("100.128.0.1", true, true),
            ("169.254.169.254", false, false),
            ("100.100.100.200", false, false),
            ("fd00:ec2::254", false, false),
            ("fd20:ce::254", false, false),
            ("168.63.129.16", false, false),
            ("::ffff:168.63.129.16", false, false),
            ("192.0.0.192", false, false),
            ("fe80::1", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("::ffff:127.0.0.1", false, true),
            ("::ffff:8.8.8.8", true, true),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("2002:a9fe:a9fe::1", false, false),
            ("::7f00:1", false, true),
            ("0.0.0.0", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("ff02::1", false, false),
            ("255.255.255.255", false, false),
            ("198.18.0.1", false, true),
            ("192.0.2.1", false, true),
            ("2001:db8::1", false, true),
        ] {
            let parsed = address.parse().unwrap();
            assert_eq!((is_public(parsed), is_reachable_privately(parsed)), (public, privately), "{address}");
        }
    }
}
