//! What Go writes and reads: durations, and JSON in the form of `json.MarshalIndent`.

use json::{JsonError, Node};

/// A Go duration: text such as `1h30m`, or nanoseconds as a number. The result is in seconds, fractions dropped.
pub(crate) fn duration_s(node: &Node<'_>) -> Result<i64, JsonError> {
    if !node.is_string() {
        return Ok(node.integer()? / 1_000_000_000);
    }
    let text = node.string()?;
    go_duration_s(&text).ok_or_else(|| {
        node.error(format!("`{text}` is not a duration; write `1h`, `90m`, `3600s` or nanoseconds as a number"))
    })
}

fn go_duration_s(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut milliseconds: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let unit_ms = match unit {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1000,
            "ms" => 1,
            _ => return None,
        };
        milliseconds = number.parse::<i64>().ok()?.checked_mul(unit_ms)?.checked_add(milliseconds)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(milliseconds / 1000)
}

/// Writes a value as Go's `json.MarshalIndent(value, "", "  ")` does, with HTML characters escaped.
pub(crate) fn go_indent<T: serde::Serialize>(value: &T) -> String {
    // Serialising plain data of ours (strings, numbers, maps with text keys) has no failure.
    go_escape(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// These characters can only occur inside strings, so replacing them in the finished text is exact.
fn go_escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_go_durations() {
        for (text, want) in [
            ("\"1h\"", Some(3600)),
            ("\"1h30m5s\"", Some(5405)),
            ("3600000000000", Some(3600)),
            ("\"0\"", Some(0)),
            ("\"1d\"", None),
            ("\"\"", None),
            ("\"99999999999999999h\"", None),
            ("true", None),
        ] {
            assert_eq!(duration_s(&Node::parse(text).unwrap()).ok(), want, "{text}");
        }
    }

    #[test]
    fn go_escapes_html() {
        assert_eq!(go_indent(&["<&>"]), "[\n  \"\\u003c\\u0026\\u003e\"\n]");
    }
}
