use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of addresses, `10.0.0.0/8` or `2001:db8::/32`. A bare address is a range of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AddressRange {
    first: IpAddr,
    prefix_bits: u8,
}

/// An IPv4 or IPv6 address; an IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`) is the IPv4 address.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    dotted(text).map(IpAddr::V4).or_else(|| text.parse::<IpAddr>().ok().map(|address| address.to_canonical()))
}

/// Four decimal numbers, which nearly every request brings. Anything unusual is left to the library's parser, which takes three
/// times as long.
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

impl AddressRange {
    pub fn parse(text: &str) -> Option<Self> {
        let Some((address, bits)) = text.split_once('/') else {
            let first = parse_address(text)?;
            return Some(Self { first, prefix_bits: width(first) });
        };
        let address: IpAddr = address.parse().ok()?;
        if bits.is_empty() || bits.len() > 3 || !bits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let bits: u8 = bits.parse().ok()?;
        if bits > width(address) {
            return None;
        }
        let (address, bits) = match (address.to_canonical(), address, bits.checked_sub(96)) {
            (IpAddr::V4(inner), IpAddr::V6(_), Some(bits)) => (IpAddr::V4(inner), bits),
            _ => (address, bits),
        };
        Some(Self { first: masked(address, bits), prefix_bits: bits })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                masked(address, self.prefix_bits) == self.first
            }
            _ => false,
        }
    }

    /// Whether S3 holds the range to be the whole internet: broader than /8 (IPv4) or /32 (IPv6). No private range is.
    /// Source: S3 User Guide, "The meaning of public".
    pub fn is_broad(&self) -> bool {
        match self.first {
            IpAddr::V4(_) => self.prefix_bits < 8,
            IpAddr::V6(_) => self.prefix_bits < 32,
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix_bits)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
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
    fn ranges_contain_addresses() {
        for (range, address, want) in [
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
        ] {
            let range_read = AddressRange::parse(range).unwrap();
            assert_eq!(range_read.contains(parse_address(address).unwrap()), want, "{address} in {range}");
        }
    }

    #[test]
    fn ranges_print_with_their_first_address() {
        for (text, want) in [
            ("10.9.9.9/8", "10.0.0.0/8"),
            ("203.0.113.7", "203.0.113.7/32"),
            ("2001:DB8::5/32", "2001:db8::/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("0.0.0.1/0", "0.0.0.0/0"),
        ] {
            assert_eq!(AddressRange::parse(text).unwrap().to_string(), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_range() {
        for text in [
            "",
            "10.0.0.0/33",
            "300.1.1.1/24",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "10.0.0.1/8/8",
            "010.0.0.1",
            "x",
        ] {
            assert_eq!(AddressRange::parse(text), None, "{text}");
        }
    }

    #[test]
    fn broad_ranges() {
        for (text, want) in [
            ("0.0.0.0/0", true),
            ("0.0.0.0/1", true),
            ("10.0.0.0/8", false),
            ("12.0.0.0/7", true),
            ("::/0", true),
            ("2001::/31", true),
            ("2001:db8::/32", false),
        ] {
            assert_eq!(AddressRange::parse(text).unwrap().is_broad(), want, "{text}");
        }
    }
}
