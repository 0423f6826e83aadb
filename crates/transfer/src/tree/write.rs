//! Writes a tree: as one JSON text, or as files.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{Entity, FORMAT, Kind, MARKER, Tree, VERSION};

/// What stands in file names as it is. A name never has another path separator than its own directory's.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'_').remove(b'+').remove(b'=').remove(b',').remove(b'.').remove(b'@').remove(b'-');

/// The file name of an entity, without its directory. A dot at the beginning is encoded, so that no file is hidden.
pub(super) fn file_name(name: &str) -> String {
    let encoded = utf8_percent_encode(name, PLAIN).to_string();
    match encoded.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}.json"),
        None => encoded + ".json",
    }
}

impl Tree {
    /// One JSON text, indented by two spaces, with names in byte order.
    pub fn to_json(&self) -> String {
        let mut map = self.head();
        for (kind, entities) in &self.kinds {
            let entities = entities.iter().map(|(name, entity)| (name.clone(), value(*kind, entity)));
            map.insert(kind.directory().to_owned(), Value::Object(entities.collect()));
        }
        pretty(&map)
    }

    /// The files by their paths below the tree's directory, with `/` between directory and file.
    pub fn to_files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::from([(MARKER.to_owned(), pretty(&self.head()))]);
        for (kind, entities) in &self.kinds {
            for (name, entity) in entities {
                let path = format!("{}/{}", kind.directory(), file_name(name));
                files.insert(path, pretty(&value(*kind, entity)));
            }
        }
        files
    }

    fn head(&self) -> Map<String, Value> {
        let mut map = Map::from_iter([("format".to_owned(), json!(FORMAT)), ("version".to_owned(), json!(VERSION))]);
        if let Some(alias) = &self.account_alias {
            map.insert("accountAlias".to_owned(), json!(alias));
        }
        map
    }
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// The fields that differ from their defaults.
fn value(kind: Kind, entity: &Entity) -> Value {
    let mut map = Map::new();
    for field in kind.fields() {
        let value = match *field {
            "path" => json!(entity.path),
            "description" => json!(entity.description),
            "tags" => json!(entity.tags),
            "disabled" => json!(entity.disabled),
            "boundary" => json!(entity.boundary),
            "policies" => json!(entity.policies),
            "inlinePolicies" => {
                entity.inline.iter().map(|(name, document)| (name.clone(), document.0.clone())).collect()
            }
            "members" | "roles" => json!(entity.members),
            "document" => entity.document.as_ref().map_or(Value::Null, |document| document.0.clone()),
            "trustPolicy" => entity.trust.as_ref().map_or(Value::Null, |document| document.0.clone()),
            "maxSessionDuration" => json!(entity.max_session_s),
            "clientIds" => json!(entity.client_ids),
            "thumbprints" => json!(entity.thumbprints),
            _ => Value::Null,
        };
        if !is_default(&value) {
            map.insert((*field).to_owned(), value);
        }
    }
    Value::Object(map)
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || text == "/",
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
