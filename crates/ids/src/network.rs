use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::IpNet;

/// A network in CIDR notation, `10.0.0.0/8` or `2001:db8::/32`, or a single address, which is a network of one.
///
/// Bits of the address after the prefix are ignored: `10.1.2.3/8` is `10.0.0.0/8`. A network of IPv4-mapped IPv6
/// addresses is the IPv4 network: `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network(IpNet);

/// The text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a network such as 10.0.0.0/8")]
pub struct NetworkError(pub String);

/// An IPv4 or IPv6 address. An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) is the IPv4 address.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    dotted(text).map(IpAddr::V4).or_else(|| text.parse::<IpAddr>().ok().map(|address| address.to_canonical()))
}

/// Four decimal numbers, the form in nearly every request. Anything unusual is left to the library's parser, which
/// takes three times as long.
fn dotted(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut parts = text.as_bytes().split(|byte| *byte == b'.');
    for octet in &mut octets {
        let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
        let number = match *parts.next()? {
            [ones] => digit(ones)?,
            [tens, ones] if tens != b'0' => digit(tens)? * 10 + digit(ones)?,
            [hundreds, tens, ones] if hundreds != b'0' => digit(hundreds)? * 100 + digit(tens)? * 10 + digit(ones)?,
            _ => return None,
        };
        *octet = u8::try_from(number).ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        Self::parse(text).ok_or_else(|| NetworkError(text.to_owned()))
    }
}

impl Network {
    // The crate `ipnet` has a parser too, which accepts `010.0.0.1`: some read that as octal.
    fn parse(text: &str) -> Option<Self> {
        let Some((address, bits)) = text.split_once('/') else {
            return parse_address(text).map(|address| Self(IpNet::from(address)));
        };
        let address: IpAddr = address.parse().ok()?;
        // A number may have a sign, a prefix has none.
        let bits: u8 = bits.bytes().all(|byte| byte.is_ascii_digit()).then(|| bits.parse().ok())??;
        let network = IpNet::new(address, bits).ok()?.trunc();
        let mapped = bits.checked_sub(96).filter(|_| address.is_ipv6() && address.to_canonical().is_ipv4());
        match mapped {
            Some(bits) => IpNet::new(network.addr().to_canonical(), bits).ok().map(Self),
            None => Some(Self(network)),
        }
    }

    /// Whether the address is in the network. An IPv4-mapped IPv6 address is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// The number of leading bits that all addresses of the network share: 0..=32 for IPv4, 0..=128 for IPv6.
    pub fn prefix_bits(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether this is a network of IPv4.
    pub fn is_ipv4(&self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_numbers_are_read_as_the_library_reads_them() {
        let numbers = [
            "", "0", "7", "00", "01", "10", "99", "100", "010", "199", "255", "256", "300", "999", "1000", "+1", " 1",
            "a",
        ];
        for (at, number) in numbers.iter().enumerate() {
            for place in 0..4 {
                let mut parts = ["1", "22", "133", "0"];
                parts[place] = number;
                let text = parts.join(".");
                assert_eq!(parse_address(&text), text.parse::<IpAddr>().ok(), "`{text}` ({at})");
            }
        }
        for text in ["1.2.3", "1.2.3.4.", "1.2.3.4.5", ".1.2.3", "1..2.3", "1,2,3,4", "::1", "::ffff:1.2.3.4"] {
            let library = text.parse::<IpAddr>().ok().map(|address| address.to_canonical());
            assert_eq!(parse_address(text), library, "`{text}`");
        }
    }

    #[test]
    fn networks_contain_addresses() {
        for (network, address, want) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.9.9.9/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7/32", "203.0.113.6", false),
            ("10.0.0.4/31", "10.0.0.5", true),
            ("10.0.0.4/31", "10.0.0.6", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("2001:DB8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::1", "2001:DB8:0::0:1", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("::ffff:10.1.2.3/104", "10.255.0.1", true),
            ("::ffff:0.0.0.0/96", "203.0.113.7", true),
            ("::ffff:0.0.0.0/95", "203.0.113.7", false),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("10.1.2.3/8", "10.255.0.1", true),
            ("10.1.2.3/32", "10.1.2.3", true),
            ("10.0.0.0/08", "10.255.0.1", true),
        ] {
            let read = network.parse::<Network>().unwrap();
            assert_eq!(read.contains(parse_address(address).unwrap()), want, "{address} in {network}");
        }
    }

    #[test]
    fn networks_print_with_their_first_address() {
        for (text, want) in [
            ("10.9.9.9/8", "10.0.0.0/8"),
            ("203.0.113.7", "203.0.113.7/32"),
            ("2001:DB8::5/32", "2001:db8::/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("0.0.0.1/0", "0.0.0.0/0"),
            ("::ffff:0.0.0.0/95", "::fffe:0:0/95"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), want, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "300.1.1.1/24",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "10.0.0.0/-8",
            "10.0.0.0/ 8",
            " 10.0.0.0/8",
            "10.0.0.0/256",
            "10.0.0.0/255.0.0.0",
            "10.0.0.1/8/8",
            "010.0.0.1",
            "010.0.0.0/8",
            "[::1]/8",
            "::/-0",
            "x",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError(text.to_owned())));
        }
    }
}
