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
    pub(crate) fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// A string, after the JSON before it. It escapes all that [`append`] does.
    pub(crate) fn text(&mut self, before: &str, text: &str) {
        self.raw(before);
        self.0.push(b'"');
        self.characters(text);
        self.0.push(b'"');
    }

    /// A string, if there is one.
    pub(crate) fn text_if(&mut self, before: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(before, text);
        }
    }

    /// A part of a string.
    pub(crate) fn characters(&mut self, text: &str) {
        let (plain, rest) = text.split_at(plain_bytes(text));
        self.0.extend_from_slice(plain.as_bytes());
        rest.chars().for_each(|character| self.character(character));
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
                self.hex(u64::from(u32::from(control)), 4);
            }
            other => self.raw(other.encode_utf8(&mut [0; 4])),
        }
    }

    /// A number.
    pub(crate) fn number(&mut self, before: &str, number: u64) {
        self.raw(before);
        self.raw(itoa::Buffer::new().format(number));
    }

    /// A number, if there is one.
    pub(crate) fn number_if(&mut self, before: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.number(before, number);
        }
    }

    /// An object whose values are strings.
    pub(crate) fn object<'a>(&mut self, fields: impl Iterator<Item = (&'a str, &'a str)>) {
        let mut before = "{";
        for (name, value) in fields {
            self.text(before, name);
            self.text(":", value);
            before = ",";
        }
        self.raw(if before == "{" { "{}" } else { "}" });
    }

    /// ASCII letters as small ones.
    pub(crate) fn lower_case(&mut self, ascii: &str) {
        self.0.extend(ascii.bytes().map(|byte| byte.to_ascii_lowercase()));
    }

    /// The last hexadecimal digits of a number.
    pub(crate) fn hex(&mut self, number: u64, digits: u32) {
        for digit in (0..digits).rev() {
            let nibble = u8::try_from(number >> (4 * digit) & 0xf).unwrap_or(0);
            self.0.push(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        }
    }

    /// The last decimal digits of a number.
    pub(crate) fn decimal(&mut self, number: u32, digits: u32) {
        for digit in (0..digits).rev() {
            let value = number / 10_u32.pow(digit) % 10;
            self.0.push(b'0' + u8::try_from(value).unwrap_or(0));
        }
    }

    /// `2026-01-31T12:00:00`, in UTC.
    pub(crate) fn second(&mut self, time: Timestamp) {
        let time = Offset::UTC.to_datetime(time);
        self.decimal(time.year().unsigned_abs().into(), 4);
        let rest =
            [("-", time.month()), ("-", time.day()), ("T", time.hour()), (":", time.minute()), (":", time.second())];
        for (before, value) in rest {
            self.raw(before);
            self.decimal(value.unsigned_abs().into(), 2);
        }
    }
}

/// How many bytes at the beginning of a text stand for themselves in a line of JSON.
fn plain_bytes(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (words, rest) = bytes.as_chunks::<8>();
    let clean = words.iter().take_while(|word| is_plain(**word)).count();
    let mut last = [b'a'; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    if clean == words.len() && is_plain(last) {
        return bytes.len();
    }
    let is_special = |byte: &u8| !is_plain([*byte, b'a', b'a', b'a', b'a', b'a', b'a', b'a']);
    bytes.iter().skip(clean * 8).position(is_special).map_or(bytes.len(), |at| clean * 8 + at)
}

/// Whether none of eight bytes is a control, a quote, a backslash or beyond ASCII. It looks at all of them at the same time.
fn is_plain(bytes: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x80 * ONES;
    let word = u64::from_le_bytes(bytes);
    // The highest bit of a difference is set where a byte is below the number. What a borrow adds stands beside a byte that is.
    let has_below = |word: u64, number: u64| word.wrapping_sub(number * ONES) & !word;
    let has = |byte: u64| has_below(word ^ (byte * ONES), 1);
    let special = word | has_below(word, 0x20) | has(0x22) | has(0x5c) | has(0x7f);
    special & HIGHEST == 0
}

/// C0, DEL, C1, line and paragraph separators, and the controls of Unicode's bidirectional algorithm (UAX #9).
pub(crate) fn is_control(character: char) -> bool {
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
            Json(&mut direct).text("", &text);
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
            for (before, after) in (0..10).flat_map(|before| [(before, 0), (before, 9)]) {
                let text = format!("{}{character}{}", "x".repeat(before), "y".repeat(after));
                let (mut written, mut wanted) = (Vec::new(), Vec::new());
                Json(&mut written).text("", &text);
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
        Json(&mut out).hex(0x12_3abc, 4);
        Json(&mut out).number(",", u64::MAX);
        assert_eq!(String::from_utf8(out).unwrap(), "3abc,18446744073709551615");
    }
}
