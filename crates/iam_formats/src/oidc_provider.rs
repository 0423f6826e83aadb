//! OpenID Connect providers, in the form of SeaweedFS's `OIDCProviderRecord`:
//! `/etc/iam/oidc-providers/<sha1 of its ARN>.json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::documents::StoredDocument;
use crate::facts::{Facts, others, string_map};
use crate::go::go_indent;
use crate::unknown::{facts_of, fields_of, seal};
use iam::{OidcProvider, Tags};
use json::{JsonError, Node, Object};

impl StoredDocument for OidcProvider {
    fn read(node: &Node<'_>, facts: Facts) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let tags = object.take("tags").map(|node| string_map(&node)).transpose()?.unwrap_or_default();
        let provider = Self {
            account: object.string(&["accountId", "account_id"])?,
            arn: object.string(&["arn"])?,
            url: object.string(&["url"])?,
            client_ids: object.strings(&["clientIds", "client_ids"])?,
            thumbprints: object.strings(&["thumbprints"])?,
            tags,
            created_s: time(&mut object, "createdAt")?,
            updated_s: time(&mut object, "updatedAt")?,
            unknown: seal(others(object)?, &facts),
        };
        if provider.arn.is_empty() || provider.url.is_empty() {
            return Err(node.error("an OIDC provider needs an `arn` and a `url`"));
        }
        Ok(provider)
    }

    fn to_text(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shape<'a> {
            #[serde(rename = "accountId", skip_serializing_if = "str::is_empty")]
            account: &'a str,
            arn: &'a str,
            url: &'a str,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            client_ids: &'a [String],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            thumbprints: &'a [String],
            #[serde(skip_serializing_if = "Tags::is_empty")]
            tags: &'a Tags,
            created_at: String,
            updated_at: String,
            #[serde(flatten)]
            other: BTreeMap<String, Value>,
        }
        let date = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
        go_indent(&Shape {
            account: &self.account,
            arn: &self.arn,
            url: &self.url,
            client_ids: &self.client_ids,
            thumbprints: &self.thumbprints,
            tags: &self.tags,
            created_at: date(self.created_s),
            updated_at: date(self.updated_s),
            other: fields_of(&self.unknown),
        })
    }

    fn facts(&self) -> Facts {
        facts_of(&self.unknown)
    }
}

/// A time as Go writes it, rounded to the second; 0 for none.
fn time(object: &mut Object<'_>, name: &str) -> Result<i64, JsonError> {
    let Some(node) = object.take(name) else { return Ok(0) };
    let text = node.string()?;
    let time: Timestamp =
        text.parse().map_err(|_| node.error(format!("`{text}` is not a time such as 2026-01-31T12:00:00Z")))?;
    Ok(time.as_second())
}

#[cfg(test)]
mod tests {
    use ids::AccountId;

    use super::*;

    #[test]
    fn a_record_of_seaweedfs_survives_with_its_other_fields() {
        let text = "{\n  \"accountId\": \"111122223333\",\n  \"arn\": \"arn:aws:iam::111122223333:oidc-provider/idp.example.com/realm\",\n  \
            \"url\": \"https://idp.example.com/realm\",\n  \"clientIds\": [\n    \"app\"\n  ],\n  \"tags\": {\n    \"k\": \"v\"\n  },\n  \
            \"createdAt\": \"2026-01-31T12:00:00Z\",\n  \"updatedAt\": \"2026-02-01T12:00:00Z\",\n  \"policyClaim\": \"groups\"\n}";
        let provider = OidcProvider::parse(text, Facts::default()).unwrap();
        assert_eq!(provider.to_text(), text);
        assert_eq!(provider.account_or(AccountId::DEFAULT).as_str(), "111122223333");
        let fractions = text.replace("12:00:00Z", "12:00:00.123456789Z");
        assert_eq!(OidcProvider::parse(&fractions, Facts::default()).unwrap().created_s, provider.created_s);
        for wrong in
            ["{}", r#"{"arn":"a","url":"u","createdAt":"yesterday"}"#, r#"{"arn":"a","url":"u","tags":{"k":1}}"#]
        {
            assert!(OidcProvider::parse(wrong, Facts::default()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_file_name_comes_from_the_arn() {
        assert_eq!(&*OidcProvider::file_stem("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
