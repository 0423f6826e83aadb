//! One record is one line, whatever clients put into it.

use std::fmt::Write as _;

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
            assert!(!line.trim_end_matches('\n').chars().any(is_control), "{number:x}: {line:?}");
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
