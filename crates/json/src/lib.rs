//! Reads JSON written by people and by SeaweedFS. Every error gives the path, the line and the column.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// What is wrong with a JSON text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}{}: {what}", at(.path))]
pub struct JsonError {
    /// The path in the document, such as `roles[0].trustPolicy`; empty at the top.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// From 1, in bytes.
    pub column: usize,
    /// What was found and what was expected.
    pub what: String,
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(", `{path}`") }
}

/// One value of a document, with the text that contains it.
#[derive(Clone)]
pub struct Node<'a> {
    document: &'a str,
    raw: &'a str,
    path: String,
}

impl<'a> Node<'a> {
    /// Checks the syntax of a whole document.
    pub fn parse(document: &'a str) -> Result<Self, JsonError> {
        let raw: &RawValue = serde_json::from_str(document).map_err(|error| syntax(document, document, "", &error))?;
        Ok(Self { document, raw: raw.get(), path: String::new() })
    }

    /// The value's own text.
    pub fn text(&self) -> &'a str {
        self.raw
    }

    /// Where it stands in the document, such as `roles[0].trustPolicy`; empty at the top.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.raw == "null"
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.raw.starts_with('{')
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        self.raw.starts_with('"')
    }

    /// An error about this value.
    pub fn error(&self, what: impl Into<String>) -> JsonError {
        let (line, column) = position(self.document, offset(self.document, self.raw));
        JsonError { path: self.path.clone(), line, column, what: what.into() }
    }

    /// A remark about this value, with its place, in the form of an error.
    pub fn remark(&self, what: impl Into<String>) -> String {
        self.error(what).to_string()
    }

    /// Its fields; none may stand there twice.
    pub fn object(&self) -> Result<Object<'a>, JsonError> {
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
                return Err(node.error(format!("the key `{key}` occurs twice here; remove one of the two")));
            }
            fields.push((key, node));
        }
        Ok(Object { fields })
    }

    /// Its items; `null` has none.
    pub fn array(&self) -> Result<Vec<Node<'a>>, JsonError> {
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

    /// It as a string.
    pub fn string(&self) -> Result<String, JsonError> {
        self.read("a string")
    }

    /// It as `true` or `false`.
    pub fn boolean(&self) -> Result<bool, JsonError> {
        self.read("true or false")
    }

    /// It as a number.
    pub fn number(&self) -> Result<f64, JsonError> {
        self.read("a number")
    }

    /// A whole number. Protojson writes 64-bit numbers as strings, which is accepted too.
    pub fn integer(&self) -> Result<i64, JsonError> {
        let digits = self.raw.trim_matches('"');
        digits.parse().map_err(|_| self.expected("a whole number"))
    }

    /// It as an array of strings.
    pub fn strings(&self) -> Result<Vec<String>, JsonError> {
        self.array()?.iter().map(Node::string).collect()
    }

    fn read<T: Deserialize<'a>>(&self, expected: &str) -> Result<T, JsonError> {
        serde_json::from_str(self.raw).map_err(|error| {
            // The syntax is right, but the value is not: half of a surrogate pair, or a number out of range.
            if self.kind() == expected {
                syntax(self.document, self.raw, &self.path, &error)
            } else {
                self.expected(expected)
            }
        })
    }

    fn kind(&self) -> &'static str {
        match self.raw.bytes().next() {
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    /// The value as serde_json has it. Fails where it cannot: on half of a surrogate pair, a number out of range, or
    /// more than 127 levels.
    pub fn value(&self) -> Result<serde_json::Value, JsonError> {
        serde_json::from_str(self.raw).map_err(|error| syntax(self.document, self.raw, &self.path, &error))
    }

    /// The complaint that something else is expected here.
    pub fn expected(&self, expected: &str) -> JsonError {
        self.error(format!("expected {expected} here, not {}", self.kind()))
    }
}

/// The fields of an object. Each is taken once; any that are left over are unknown.
pub struct Object<'a> {
    fields: Vec<(String, Node<'a>)>,
}

impl<'a> Object<'a> {
    /// The field with this key. Null counts as absent.
    pub fn take(&mut self, key: &str) -> Option<Node<'a>> {
        let place = self.fields.iter().position(|(known, _)| known == key)?;
        let (_, node) = self.fields.remove(place);
        (!node.is_null()).then_some(node)
    }

    /// The field under one of several spellings of its key. Null counts as absent.
    ///
    /// Fails if two spellings are there, because two readers could then see different values.
    pub fn take_spelled(&mut self, spellings: &[&str]) -> Result<Option<Node<'a>>, JsonError> {
        let mut there = self.fields.iter().filter(|(key, _)| spellings.contains(&key.as_str()));
        let Some((key, _)) = there.next() else { return Ok(None) };
        if let Some((other, node)) = there.next() {
            return Err(node.error(format!("the keys `{key}` and `{other}` mean the same; remove one of the two")));
        }
        let key = key.clone();
        Ok(self.take(&key))
    }

    /// A string, empty if the field is absent.
    pub fn string(&mut self, spellings: &[&str]) -> Result<String, JsonError> {
        self.take_spelled(spellings)?.map(|node| node.string()).transpose().map(Option::unwrap_or_default)
    }

    /// `true` or `false`, false if the field is absent.
    pub fn boolean(&mut self, spellings: &[&str]) -> Result<bool, JsonError> {
        self.take_spelled(spellings)?.map(|node| node.boolean()).transpose().map(Option::unwrap_or_default)
    }

    /// A whole number, 0 if the field is absent.
    pub fn integer(&mut self, spellings: &[&str]) -> Result<i64, JsonError> {
        self.take_spelled(spellings)?.map(|node| node.integer()).transpose().map(Option::unwrap_or_default)
    }

    /// An array of strings, empty if the field is absent.
    pub fn strings(&mut self, spellings: &[&str]) -> Result<Vec<String>, JsonError> {
        self.take_spelled(spellings)?.map(|node| node.strings()).transpose().map(Option::unwrap_or_default)
    }

    /// The nodes of an array; empty if the field is absent.
    pub fn array(&mut self, spellings: &[&str]) -> Result<Vec<Node<'a>>, JsonError> {
        self.take_spelled(spellings)?.map(|node| node.array()).transpose().map(Option::unwrap_or_default)
    }

    /// The fields that were not taken.
    pub fn rest(self) -> Vec<(String, Node<'a>)> {
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
    let what = mistake(document, start + within).unwrap_or(what);
    JsonError { path: path.to_owned(), line, column, what: format!("this is not valid JSON: {what}") }
}

/// A common mistake that is not JSON, if there is one at this offset.
fn mistake(document: &str, offset: usize) -> Option<&'static str> {
    let (before, rest) = (document.as_bytes().get(..offset)?, document.as_bytes().get(offset..)?);
    if document.trim_ascii().is_empty() {
        return Some("the text is empty; write at least `{}`");
    }
    if document.starts_with('\u{feff}') {
        return Some("it begins with a byte order mark; save it as UTF-8 without one");
    }
    match rest {
        [b'/', b'/' | b'*', ..] | [b'#', ..] => Some("JSON has no comments; remove this one"),
        [b'}' | b']', ..] if before.trim_ascii_end().ends_with(b",") => {
            Some("nothing follows the comma before this bracket; remove the comma")
        }
        _ => None,
    }
}

/// The offset of a part of the document, in bytes. Both are slices of the same text.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_give_line_and_column() {
        for (text, line, column) in [("{\n  \"a\": }", 2, 8), ("", 1, 1), ("{\"a\":1,\n\n \"b\" 2}", 3, 6)] {
            let error = Node::parse(text).err().unwrap();
            assert_eq!((error.line, error.column), (line, column), "{text:?} {error}");
        }
        for (text, place, what) in [
            ("", (1, 1), "is empty"),
            (" \n", (2, 1), "is empty"),
            ("\u{feff}{}", (1, 1), "byte order mark"),
            ("// x\n{}", (1, 1), "no comments"),
            ("{ /* x */ \"a\": 1}", (1, 3), "no comments"),
            ("{\"a\": 1 # x\n}", (1, 9), "no comments"),
            ("{\"a\": 1,\n}", (2, 1), "remove the comma"),
            ("{\"a\": [1, ]}", (1, 11), "remove the comma"),
            ("{\"a\": }", (1, 7), "expected value"),
        ] {
            let error = Node::parse(text).err().unwrap();
            assert_eq!(((error.line, error.column), error.what.contains(what)), (place, true), "{text:?} {error}");
        }
        let text = "{\"a\": [\n {\"b\": 1}, {\"b\": \"x\"}]}";
        let items = Node::parse(text).unwrap().object().unwrap().array(&["a"]).unwrap();
        let error = items[1].object().unwrap().integer(&["b"]).unwrap_err();
        assert_eq!(error.to_string(), "line 2, column 18, `a[1].b`: expected a whole number here, not a string");
        let twice = Node::parse("{\"a\":1,\"a\":2}").unwrap().object().err().unwrap();
        assert!(twice.what.contains("twice"), "{twice}");
    }

    #[test]
    fn a_key_counts_in_one_spelling() {
        let read = |text: &str| {
            let mut object = Node::parse(text).unwrap().object().unwrap();
            let value = object.string(&["a_b", "aB"]).map_err(|error| error.to_string())?;
            Ok::<_, String>((value, object.rest().len()))
        };
        for (text, want) in [
            ("{}", Ok(("", 0))),
            (r#"{"a_b":"x"}"#, Ok(("x", 0))),
            (r#"{"aB":"x","c":1}"#, Ok(("x", 1))),
            (r#"{"aB":null}"#, Ok(("", 0))),
            (r#"{"ab":"x"}"#, Ok(("", 1))),
            (r#"{"a_b":"x","aB":"x"}"#, Err("column 17, `aB`: the keys `a_b` and `aB` mean the same")),
            (r#"{"aB":null,"a_b":"x"}"#, Err("the keys `aB` and `a_b` mean the same")),
            (r#"{"a_b":7}"#, Err("expected a string here, not a number")),
            (r#"{"a_b":"\udc00"}"#, Err("`a_b`: this is not valid JSON")),
        ] {
            let found = read(text);
            assert_eq!(found.as_ref().ok().map(|(value, rest)| (value.as_str(), *rest)), want.ok(), "{text}");
            assert!(found.err().is_none_or(|why| why.contains(want.unwrap_err())), "{text}");
        }
    }

    #[test]
    fn what_serde_json_cannot_hold_is_an_error() {
        for (text, good) in
            [("[1,2.5,null]", true), ("18446744073709551616", true), ("1e999", false), (r#""\ud800""#, false)]
        {
            assert_eq!(Node::parse(text).unwrap().value().is_ok(), good, "{text}");
        }
        assert!(Node::parse("1e999").unwrap().number().unwrap_err().what.contains("out of range"));
    }
}
