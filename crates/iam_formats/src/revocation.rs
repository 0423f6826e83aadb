//! Revocations of sessions: `<iam base>/session-revocations/<sha1 of the target>.json`, our own documents.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::documents::StoredDocument;
use crate::facts::{Facts, others};
use crate::go::go_indent;
use crate::unknown::{fields_of, seal};
use iam::Revocation;
use json::{JsonError, Node, Object};

impl StoredDocument for Revocation {
    fn read(node: &Node<'_>, _: Facts) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let revocation = Self {
            target: object.string(&["target"])?,
            account: object.string(&["account"])?,
            issued_until_ms: time(node, &mut object, "issuedUntil")?.as_millisecond(),
            revoked_s: time(node, &mut object, "revokedAt")?.as_second(),
            revoked_by: object.string(&["revokedBy"])?,
            unknown: seal(others(object)?, &Facts::default()),
        };
        if revocation.target.is_empty() {
            return Err(node.error("a revocation needs a `target`"));
        }
        Ok(revocation)
    }

    fn to_text(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shape<'a> {
            target: &'a str,
            account: &'a str,
            issued_until: String,
            revoked_at: String,
            revoked_by: &'a str,
            #[serde(flatten)]
            other: BTreeMap<String, Value>,
        }
        let date = |time: Result<Timestamp, _>| time.unwrap_or(Timestamp::MAX).to_string();
        go_indent(&Shape {
            target: &self.target,
            account: &self.account,
            issued_until: date(Timestamp::from_millisecond(self.issued_until_ms)),
            revoked_at: date(Timestamp::from_second(self.revoked_s)),
            revoked_by: &self.revoked_by,
            other: fields_of(&self.unknown),
        })
    }

    fn facts(&self) -> Facts {
        Facts::default()
    }
}

fn time(node: &Node<'_>, object: &mut Object<'_>, name: &str) -> Result<Timestamp, JsonError> {
    let text = object.string(&[name])?;
    let time: Result<Timestamp, _> = text.parse();
    time.map_err(|_| node.error(format!("`{name}`: `{text}` is not a time such as 2026-01-31T12:00:00Z")))
}
