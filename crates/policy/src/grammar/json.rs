//! JSON that keeps what a policy check needs: the order of members, and members that occur twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// Kept as text: the operator of a condition determines how its values are compared, however they are written.
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The place where the text stops being JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct JsonFault {
    pub line: usize,
    pub column: usize,
    pub reason: String,
}

impl Json {
    /// Reads one value. Anything after it is a fault. Nesting is limited to 128 levels.
    pub fn parse(text: &str) -> Result<Self, JsonFault> {
        serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
            JsonFault { line, column, reason }
        })
    }

    /// The kind of value, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Json::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = members.next_entry()? {
            all.push(member);
        }
        Ok(Json::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_duplicates() {
        let member = |name: &str, value| (name.to_owned(), value);
        let number = |text: &str| Json::Number(text.to_owned());
        assert_eq!(
            Json::parse(r#"{"b": 1, "a": [true, null, -2, 1.5], "b": "x"}"#),
            Ok(Json::Object(vec![
                member("b", number("1")),
                member("a", Json::Array(vec![Json::Bool(true), Json::Null, number("-2"), number("1.5")])),
                member("b", Json::String("x".to_owned())),
            ]))
        );
    }

    #[test]
    fn a_syntax_error_says_where_it_is() {
        for (text, line, column) in [("{\n  \"a\": }", 2, 8), ("{} {}", 1, 4), ("", 1, 0), ("{\"a\":\"\u{1}\"}", 1, 7)]
        {
            let fault = Json::parse(text).unwrap_err();
            assert_eq!((fault.line, fault.column), (line, column), "{text:?}: {}", fault.reason);
        }
        assert!(Json::parse(&"[".repeat(100_000)).is_err());
    }
}
