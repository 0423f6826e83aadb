//! One record is one line, whatever clients put into it.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::Offset;

/// Appends JSON as one line. JSON escapes C0 itself; this escapes in the same way what else ends a line somewhere, controls a terminal or
/// changes the direction of reading.
pub(crate) fn append(json: &str, out: &mut Vec<u8>) {
    if json.is_ascii() && !json.contains('\u{7f}') {
        out.extend_from_slice(json.as_bytes());
    } else {
        let mut line = String::with_capacity(json.len() + 16);
        for character in json.chars() {
            if is_control(character) {
                // Writing to a `String` cannot fail.
                let _ = write!(line, "\\u{:04x}", u32::from(character));
            } else {
                line.push(character);
            }
        }
        out.extend_from_slice(line.as_bytes());
    }
    out.push(b'\n');
}

/// Writes JSON straight into a buffer. What stands between the values comes from the caller, as text that is JSON already.
pub(crate) struct Json<'a>(pub(crate) &'a mut Vec<u8>);

impl Json<'_> {
    /// Text that is JSON already.
    // Inlined, so that text of the program is copied without a call.
    #[inline]
    pub(crate) fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// A string, after the JSON before it and the string's first quote. It escapes all that [`append`] does.
    #[inline]
    pub(crate) fn text(&mut self, before: &str, text: &str) {
        self.raw(before);
        self.characters(text);
        self.raw("\"");
    }

    /// A string, if there is one.
    #[inline]
    pub(crate) fn text_if(&mut self, before: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(before, text);
        }
    }

    /// A string that is the program's own: no client chose it, and nothing in it is escaped.
    #[inline]
    pub(crate) fn word(&mut self, before: &str, word: &'static str) {
        self.raw(before);
        self.raw(word);
        self.raw("\"");
    }

    /// A part of a string.
    pub(crate) fn characters(&mut self, text: &str) {
        if is_plain(text.as_bytes()) {
            self.raw(text);
        } else {
            self.escaped(text);
        }
    }

    /// What is plain is copied in runs: the message of every refusal has quotes.
    fn escaped(&mut self, text: &str) {
        let mut rest = text;
        // The first special byte begins a character, because all before it are ASCII.
        while let Some(at) = rest.bytes().position(is_special) {
            let (plain, special) = rest.split_at(at);
            self.raw(plain);
            let mut characters = special.chars();
            characters.next().into_iter().for_each(|character| self.character(character));
            rest = characters.as_str();
        }
        self.raw(rest);
    }

    fn character(&mut self, character: char) {
        match character {
            '"' => self.raw("\\\""),
            '\\' => self.raw("\\\\"),
            '\n' => self.raw("\\n"),
            '\r' => self.raw("\\r"),
            '\t' => self.raw("\\t"),
            '\u{8}' => self.raw("\\b"),
            '\u{c}' => self.raw("\\f"),
            control if is_control(control) => {
                self.raw("\\u");
                self.hex::<4>(u32::from(control).into());
            }
            other => self.raw(other.encode_utf8(&mut [0; 4])),
        }
    }

    /// A number.
    #[inline]
    pub(crate) fn number(&mut self, before: &str, number: u64) {
        self.raw(before);
        self.raw(itoa::Buffer::new().format(number));
    }

    /// A number, if there is one.
    #[inline]
    pub(crate) fn number_if(&mut self, before: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.number(before, number);
        }
    }

    /// An object whose values are strings.
    pub(crate) fn object<'a>(&mut self, fields: impl Iterator<Item = (&'a str, &'a str)>) {
        let begin = self.0.len();
        for (name, value) in fields {
            self.text(",\"", name);
            self.text(":\"", value);
        }
        // The first comma becomes the brace.
        match self.0.get_mut(begin) {
            Some(first_comma) => *first_comma = b'{',
            None => self.raw("{"),
        }
        self.raw("}");
    }

    /// Hexadecimal digits, in lower case.
    #[inline]
    pub(crate) fn lower_case(&mut self, digits: &[u8; 4]) {
        // Lower-case letters have this bit, upper-case ones do not. Digits always have it.
        self.0.extend_from_slice(&digits.map(|digit| digit | 0x20));
    }

    /// A number of at most three digits.
    #[inline]
    pub(crate) fn octet(&mut self, before: &str, octet: u8) {
        self.raw(before);
        if octet >= 100 {
            self.0.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            self.0.push(b'0' + octet / 10 % 10);
        }
        self.0.push(b'0' + octet % 10);
    }

    /// The last hexadecimal digits of a number.
    #[inline]
    pub(crate) fn hex<const DIGITS: usize>(&mut self, mut number: u64) {
        let mut digits = [0; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = hex_digit(number & 0xf);
            number >>= 4;
        }
        self.0.extend_from_slice(&digits);
    }

    /// `2026-01-31T12:00:00`, in UTC.
    pub(crate) fn second(&mut self, time: Timestamp) {
        let time = Offset::UTC.to_datetime(time);
        let year = u32::from(time.year().unsigned_abs());
        let ([y1, y2], [y3, y4]) = (two_digits(year / 100), two_digits(year % 100));
        let part = |part: i8| two_digits(part.unsigned_abs().into());
        let ([m1, m2], [d1, d2]) = (part(time.month()), part(time.day()));
        let ([h1, h2], [i1, i2], [s1, s2]) = (part(time.hour()), part(time.minute()), part(time.second()));
        let text = [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2];
        self.0.extend_from_slice(&text);
    }

    /// `.007`: the milliseconds of a time.
    pub(crate) fn milliseconds(&mut self, time: Timestamp) {
        let milliseconds = time.subsec_millisecond().unsigned_abs();
        let ([_, hundreds], [tens, ones]) = (two_digits(milliseconds / 100), two_digits(milliseconds % 100));
        self.0.extend_from_slice(&[b'.', hundreds, tens, ones]);
    }
}

fn hex_digit(nibble: u64) -> u8 {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    usize::try_from(nibble).ok().and_then(|nibble| DIGITS.get(nibble)).copied().unwrap_or(b'0')
}

/// The last two decimal digits of a number.
fn two_digits(number: u32) -> [u8; 2] {
    let [tens, ..] = (number / 10 % 10).to_le_bytes();
    let [ones, ..] = (number % 10).to_le_bytes();
    [b'0' + tens, b'0' + ones]
}

/// Whether all bytes stand for themselves in a line of JSON.
fn is_plain(bytes: &[u8]) -> bool {
    // The last block overlaps what comes before it, so that no rest is left.
    match (bytes.last_chunk::<16>(), bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(last), ..) => !bytes.as_chunks::<16>().0.iter().any(has_special) && !has_special(last),
        (None, Some(first), Some(last)) => !has_special(first) && !has_special(last),
        _ => !bytes.iter().any(|byte| is_special(*byte)),
    }
}

/// Whether one of the bytes is special. Without an early exit, the compiler checks many bytes at once.
fn has_special<const N: usize>(block: &[u8; N]) -> bool {
    block.iter().fold(false, |special, byte| special | is_special(*byte))
}

/// Whether a byte is a control, a quote, a backslash or beyond ASCII.
fn is_special(byte: u8) -> bool {
    !matches!(byte, b' '..=b'~') | (byte == b'"') | (byte == b'\\')
}

/// C0, DEL, C1, line and paragraph separators, and the controls of Unicode's bidirectional algorithm (UAX #9).
pub fn is_control(character: char) -> bool {
    let bidirectional =
        matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || bidirectional || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_a_line() {
        let controls = (1..0x20).chain(0x7f..0xa0).chain([0x61c, 0x200e, 0x2028, 0x2029, 0x202e, 0x2066]);
        for number in controls {
            let text = format!("a{}b", char::from_u32(number).unwrap());
            let mut out = Vec::new();
            append(&serde_json::to_string(&text).unwrap(), &mut out);
            let line = String::from_utf8(out).unwrap();
            let mut direct = Vec::new();
            Json(&mut direct).text("\"", &text);
            assert_eq!(String::from_utf8(direct).unwrap(), line.trim_end_matches('\n'));
            assert!(!line.trim_end_matches('\n').chars().any(is_control), "{number:x}: {line:?}");
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }

    /// Every character at every place of a text is written as serde would write it, apart from the controls.
    #[test]
    fn text_is_written_as_json() {
        let characters = (0..0x250).chain([0x61c, 0x2028, 0xfeff, 0xffff, 0x1f600, 0x10ffff]);
        for character in characters.filter_map(char::from_u32) {
            for (before, after) in (0..18).flat_map(|before| [(before, 0), (before, 9), (before, 20)]) {
                let text = format!("{}{character}{}", "x".repeat(before), "y".repeat(after));
                let (mut written, mut wanted) = (Vec::new(), Vec::new());
                Json(&mut written).text("\"", &text);
                append(&serde_json::to_string(&text).unwrap(), &mut wanted);
                wanted.pop();
                assert_eq!(written, wanted, "{text:?}");
            }
        }
    }

    #[test]
    fn times_and_numbers() {
        for second in [0, 951_827_696, 1_790_000_000, 4_102_444_799, 253_402_207_199] {
            let time = Timestamp::from_second(second).unwrap();
            let mut out = Vec::new();
            Json(&mut out).second(time);
            assert_eq!(String::from_utf8(out).unwrap(), time.strftime("%Y-%m-%dT%H:%M:%S").to_string());
        }
        let mut out = Vec::new();
        Json(&mut out).hex::<4>(0x12_3abc);
        Json(&mut out).number(",", u64::MAX);
        Json(&mut out).milliseconds(Timestamp::from_millisecond(1007).unwrap());
        Json(&mut out).hex::<12>(0xfed_cba9_8765_4321);
        Json(&mut out).lower_case(b"0AF9");
        for octet in [0, 9, 10, 99, 100, 255] {
            Json(&mut out).octet(",", octet);
        }
        let wanted = "3abc,18446744073709551615.007cba9876543210af9,0,9,10,99,100,255";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}
