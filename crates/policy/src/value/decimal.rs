use std::cmp::Ordering;

/// A decimal number of any length, compared exactly: `0.1`, `-4.50`, `010`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal<'a> {
    negative: bool,
    /// Without leading zeros.
    whole: &'a str,
    /// Without trailing zeros.
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        Some(Self { negative: negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction })
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        let whole = self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(other.whole));
        // Without trailing zeros, fractions are ordered like their texts.
        whole.then_with(|| self.fraction.cmp(other.fraction))
    }

    pub fn compare(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_size(other),
            (true, true) => other.compare_size(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        use Ordering::*;
        for (left, right, want) in [
            ("10", "010", Equal),
            ("10", "10.0", Equal),
            ("-0", "0", Equal),
            ("+5", "5", Equal),
            ("9", "10", Less),
            ("-9", "-10", Greater),
            ("-1", "1", Less),
            ("1", "-1", Greater),
            ("0.30000000000000004", "0.3", Greater),
            ("1.5", "1.49", Greater),
            ("1.05", "1.5", Less),
            (".5", "0.5", Equal),
            ("18446744073709551617", "18446744073709551616", Greater),
        ] {
            let parse = |text| Decimal::parse(text).unwrap();
            assert_eq!(parse(left).compare(&parse(right)), want, "{left} {right}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in ["", "-", ".", "1e3", "0x10", "1 ", "--1", "1.2.3", "ten", "١"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }
}
