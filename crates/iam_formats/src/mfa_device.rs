//! Virtual MFA devices: `<iam base>/mfa-devices/<sha1 of the serial number>.json`, our own documents.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::documents::StoredDocument;
use crate::facts::{Facts, others};
use crate::go::go_indent;
use crate::unknown::{fields_of, seal};
use iam::{Credential, MfaDevice};
use json::{JsonError, Node};

impl StoredDocument for MfaDevice {
    fn read(node: &Node<'_>, _: Facts) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let (serial, seed) = (object.string(&["serialNumber"])?, object.string(&["seed"])?);
        let device = Self {
            seed: (!seed.is_empty()).then(|| Credential::new(serial.as_str(), seed)),
            serial,
            account: object.string(&["account"])?,
            user_id: object.string(&["userId"])?,
            enabled_s: object.integer(&["enabled"])?,
            last_step: object.integer(&["lastStep"])?,
            drift: object.integer(&["drift"])?,
            created_s: object.integer(&["created"])?,
            unknown: seal(others(object)?, &Facts::default()),
        };
        if device.serial.is_empty() || device.account.is_empty() || device.seed.is_none() {
            return Err(node.error("an MFA device needs a `serialNumber`, an `account` and a `seed`"));
        }
        Ok(device)
    }

    fn to_text(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shape<'a> {
            serial_number: &'a str,
            account: &'a str,
            seed: &'a str,
            user_id: &'a str,
            enabled: i64,
            last_step: i64,
            drift: i64,
            created: i64,
            #[serde(flatten)]
            other: BTreeMap<String, Value>,
        }
        go_indent(&Shape {
            serial_number: &self.serial,
            account: &self.account,
            seed: self.seed.as_ref().map_or("", |seed| seed.secret_key.expose()),
            user_id: &self.user_id,
            enabled: self.enabled_s,
            last_step: self.last_step,
            drift: self.drift,
            created: self.created_s,
            other: fields_of(&self.unknown),
        })
    }

    fn facts(&self) -> Facts {
        Facts::default()
    }
}
