use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// How deep claims may be nested.
const DEPTH_MAX: usize = 8;

/// The claims of a verified token, by name. A nested claim has the names on the way to it, with dots: `realm_access.roles`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims(BTreeMap<String, Claim>);

/// The value of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// A string, a number or a truth value, as text.
    One(String),
    /// The members of an array, or the names of the members of an object.
    Many(Vec<String>),
}

impl Claim {
    /// Its value or values.
    pub fn values(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl Claims {
    /// The claim with exactly this name.
    pub fn get(&self, name: &str) -> Option<&Claim> {
        self.0.get(name)
    }

    /// The claim with this name, if it has one value.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Claim::One(value) => Some(value),
            Claim::Many(_) => None,
        }
    }

    /// All claims, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Claim)> {
        self.0.iter().map(|(name, claim)| (name.as_str(), claim))
    }

    /// Reads the claims of a token that is verified, or of none.
    ///
    /// Fails on anything but an object, and on names that occur twice or differ only in case.
    pub fn parse(json: &[u8]) -> Result<Self, &'static str> {
        Self::of(&read(json)?)
    }

    /// Flattens the claims. Two claims whose names differ only in case would be one condition key, so they are refused.
    pub(super) fn of(object: &BTreeMap<String, Value>) -> Result<Self, &'static str> {
        let mut claims = Self::default();
        for (name, value) in object {
            claims.add(name, value, 1)?;
        }
        let mut names: Vec<String> = claims.0.keys().map(|name| name.to_ascii_lowercase()).collect();
        names.sort();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err("two of its claims have the same name");
        }
        Ok(claims)
    }

    fn add(&mut self, name: &str, value: &Value, depth: usize) -> Result<(), &'static str> {
        if depth > DEPTH_MAX {
            return Err("its claims are nested too deeply");
        }
        let claim = match value {
            Value::Null => return Ok(()),
            Value::Array(members) => Claim::Many(members.iter().filter_map(scalar).collect()),
            Value::Object(members) => {
                for (inner, value) in members {
                    self.add(&format!("{name}.{inner}"), value, depth + 1)?;
                }
                Claim::Many(members.keys().cloned().collect())
            }
            value => Claim::One(scalar(value).unwrap_or_default()),
        };
        match self.0.insert(name.to_owned(), claim) {
            None => Ok(()),
            Some(_) => Err("two of its claims have the same name"),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The claims as JSON in which no object has a name twice: readers differ in which of the two they believe.
pub(super) fn read(json: &[u8]) -> Result<BTreeMap<String, Value>, &'static str> {
    let Unique(value) = serde_json::from_slice(json).map_err(|_| "its claims cannot be read")?;
    match value {
        Value::Object(members) => Ok(members.into_iter().collect()),
        _ => Err("its claims cannot be read"),
    }
}

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a name that occurs twice")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Unique(member)) = sequence.next_element()? {
            members.push(member);
        }
        Ok(Value::Array(members))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = serde_json::Map::new();
        while let Some((name, Unique(value))) = map.next_entry::<String, Unique>()? {
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom("a name occurs twice"));
            }
        }
        Ok(Value::Object(members))
    }
}
