//! What a document says beyond the fields of its entity: packed into one text when it is read, and unpacked when it is
//! written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::facts::Facts;
use iam::UnknownFields;

/// The form of [`UnknownFields`].
#[derive(Default, Serialize, Deserialize)]
struct Sealed {
    /// Fields of the document.
    fields: BTreeMap<String, Value>,
    /// Facts that entities of this kind do not have, as text.
    facts: Option<String>,
}

/// Packs the fields of a document and the facts that its entity does not have.
pub(crate) fn seal(fields: BTreeMap<String, Value>, facts: &Facts) -> UnknownFields {
    let facts = facts.to_text();
    if fields.is_empty() && facts.is_none() {
        return UnknownFields::default();
    }
    UnknownFields::new(serde_json::to_string(&Sealed { fields, facts }).ok())
}

/// The fields that [`seal`] packed.
pub(crate) fn fields_of(unknown: &UnknownFields) -> BTreeMap<String, Value> {
    open(unknown).fields
}

/// The facts that [`seal`] packed.
pub(crate) fn facts_of(unknown: &UnknownFields) -> Facts {
    open(unknown).facts.and_then(|text| Facts::parse(&text).ok()).unwrap_or_default()
}

/// Only [`seal`] makes these, so they can be read.
fn open(unknown: &UnknownFields) -> Sealed {
    unknown.sealed().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
