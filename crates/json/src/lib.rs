//! Reading JSON that people and SeaweedFS wrote: every complaint names the path, the line and the column.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// What is wrong with a JSON text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}{}: {what}", at(.path))]
pub struct JsonError {
    /// Where in the document, such as `roles[0].trustPolicy`; empty at the top.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// From 1, in bytes.
    pub column: usize,
    /// What was found and what is expected.
    pub what: String,
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(", `{path}`") }
}

/// One value of a document, with the text it stands in.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    document: &'a str,
    raw: &'a str,
    path: String,
}

impl<'a> Node<'a> {
    /// Checks the syntax of a whole document.
    pub(crate) fn parse(document: &'a str) -> Result<Self, JsonError> {
        let raw: &RawValue = serde_json::from_str(document).map_err(|error| syntax(document, document, "", &error))?;
        Ok(Self { document, raw: raw.get(), path: String::new() })
    }

    /// The value's own text.
    pub(crate) fn text(&self) -> &'a str {
        self.raw
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn is_null(&self) -> bool {
        self.raw == "null"
    }

    pub(crate) fn is_object(&self) -> bool {
        self.raw.starts_with('{')
    }

    pub(crate) fn is_string(&self) -> bool {
        self.raw.starts_with('"')
    }

    /// A complaint about this value.
    pub(crate) fn error(&self, what: impl Into<String>) -> JsonError {
        let (line, column) = position(self.document, offset(self.document, self.raw));
        JsonError { path: self.path.clone(), line, column, what: what.into() }
    }

    pub(crate) fn object(&self) -> Result<Object<'a>, JsonError> {
        if !self.is_object() {
            return Err(self.expected("an object"));
        }
        let pairs: Pairs<'a> =
            serde_json::from_str(self.raw).map_err(|error| syntax(self.document, self.raw, &self.path, &error))?;
        let mut fields: Vec<(String, Node<'a>)> = Vec::with_capacity(pairs.0.len());
        for (key, raw) in pairs.0 {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            let node = Node { document: self.document, raw: raw.get(), path };
            if fields.iter().any(|(known, _)| *known == key) {
                return Err(node.error(format!("the key `{key}` stands here twice; remove one of the two")));
            }
            fields.push((key, node));
        }
        Ok(Object { fields })
    }

    pub(crate) fn array(&self) -> Result<Vec<Node<'a>>, JsonError> {
        if self.is_null() {
            return Ok(Vec::new());
        }
        if !self.raw.starts_with('[') {
            return Err(self.expected("an array"));
        }
        let items: Vec<&'a RawValue> =
            serde_json::from_str(self.raw).map_err(|error| syntax(self.document, self.raw, &self.path, &error))?;
        let node = |(i, raw): (usize, &'a RawValue)| Node {
            document: self.document,
            raw: raw.get(),
            path: format!("{}[{i}]", self.path),
        };
        Ok(items.into_iter().enumerate().map(node).collect())
    }

    pub(crate) fn string(&self) -> Result<String, JsonError> {
        self.read("a string")
    }

    pub(crate) fn boolean(&self) -> Result<bool, JsonError> {
        self.read("true or false")
    }

    /// A whole number; protojson writes 64-bit numbers as strings, which is understood too.
    pub(crate) fn number(&self) -> Result<f64, JsonError> {
        self.read("a number")
    }

    pub(crate) fn integer(&self) -> Result<i64, JsonError> {
        let digits = self.raw.trim_matches('"');
        digits.parse().map_err(|_| self.expected("a whole number"))
    }

    pub(crate) fn strings(&self) -> Result<Vec<String>, JsonError> {
        self.array()?.iter().map(Node::string).collect()
    }

    fn read<T: Deserialize<'a>>(&self, expected: &str) -> Result<T, JsonError> {
        serde_json::from_str(self.raw).map_err(|_| self.expected(expected))
    }

    pub(crate) fn expected(&self, expected: &str) -> JsonError {
        let found = match self.raw.bytes().next() {
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            _ => "a number",
        };
        self.error(format!("{expected} is expected here, not {found}"))
    }
}

/// The fields of an object; each is taken once, and what is left over is unknown.
pub(crate) struct Object<'a> {
    fields: Vec<(String, Node<'a>)>,
}

impl<'a> Object<'a> {
    /// The field under the first of several spellings that is there; null counts as absent.
    pub(crate) fn take(&mut self, spellings: &[&str]) -> Option<Node<'a>> {
        let place = self.fields.iter().position(|(key, _)| spellings.contains(&key.as_str()))?;
        let (_, node) = self.fields.remove(place);
        (!node.is_null()).then_some(node)
    }

    pub(crate) fn string(&mut self, spellings: &[&str]) -> Result<String, JsonError> {
        self.take(spellings).map(|node| node.string()).transpose().map(Option::unwrap_or_default)
    }

    pub(crate) fn boolean(&mut self, spellings: &[&str]) -> Result<bool, JsonError> {
        self.take(spellings).map(|node| node.boolean()).transpose().map(Option::unwrap_or_default)
    }

    pub(crate) fn integer(&mut self, spellings: &[&str]) -> Result<i64, JsonError> {
        self.take(spellings).map(|node| node.integer()).transpose().map(Option::unwrap_or_default)
    }

    pub(crate) fn strings(&mut self, spellings: &[&str]) -> Result<Vec<String>, JsonError> {
        self.take(spellings).map(|node| node.strings()).transpose().map(Option::unwrap_or_default)
    }

    /// The nodes of an array, none if the field is absent.
    pub(crate) fn array(&mut self, spellings: &[&str]) -> Result<Vec<Node<'a>>, JsonError> {
        self.take(spellings).map(|node| node.array()).transpose().map(Option::unwrap_or_default)
    }

    /// What nobody took.
    pub(crate) fn rest(self) -> Vec<(String, Node<'a>)> {
        self.fields
    }
}

fn syntax(document: &str, part: &str, path: &str, error: &serde_json::Error) -> JsonError {
    let start = offset(document, part);
    let within = part.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>()
        + error.column().saturating_sub(1);
    let (line, column) = position(document, start + within.min(part.len()));
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    JsonError { path: path.to_owned(), line, column, what: format!("this is not valid JSON: {what}") }
}

/// Where a part of the document begins, in bytes; both are slices of the same text.
fn offset(document: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(document.as_ptr() as usize).min(document.len())
}

fn position(document: &str, offset: usize) -> (usize, usize) {
    let before = document.as_bytes().get(..offset).unwrap_or_default();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    (before.iter().filter(|byte| **byte == b'\n').count() + 1, offset - line_start + 1)
}

struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Collect).map(Pairs)
    }
}

/// A Go duration: text such as `1h30m`, or nanoseconds as a number. The result is in seconds, fractions dropped.
pub(crate) fn duration_s(node: &Node<'_>) -> Result<i64, JsonError> {
    if !node.is_string() {
        return Ok(node.integer()? / 1_000_000_000);
    }
    let text = node.string()?;
    go_duration_s(&text).ok_or_else(|| {
        node.error(format!("`{text}` is no duration; write `1h`, `90m`, `3600s` or nanoseconds as a number"))
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

/// Writes a value as Go's `json.MarshalIndent(value, "", "  ")` does, HTML characters escaped.
pub(crate) fn go_indent<T: serde::Serialize>(value: &T) -> String {
    // Serialising plain data of ours (strings, numbers, maps with text keys) has no failure.
    go_escape(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// The characters can only stand inside strings, so replacing them in the finished text is exact.
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
    fn complaints_name_line_and_column() {
        for (text, line, column) in [("{\n  \"a\": }", 2, 8), ("", 1, 1), ("{\"a\":1,\n\n \"b\" 2}", 3, 6)] {
            let error = Node::parse(text).err().unwrap();
            assert_eq!((error.line, error.column), (line, column), "{text:?} {error}");
        }
        let text = "{\"a\": [\n {\"b\": 1}, {\"b\": \"x\"}]}";
        let items = Node::parse(text).unwrap().object().unwrap().array(&["a"]).unwrap();
        let error = items[1].object().unwrap().integer(&["b"]).unwrap_err();
        assert_eq!(error.to_string(), "line 2, column 18, `a[1].b`: a whole number is expected here, not a string");
        let twice = Node::parse("{\"a\":1,\"a\":2}").unwrap().object().err().unwrap();
        assert!(twice.what.contains("twice"), "{twice}");
    }

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
