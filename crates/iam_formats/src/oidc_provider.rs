//! OpenID Connect providers, in the form of SeaweedFS's `OIDCProviderRecord`.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ids::AccountId;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::documents::{Facts, Tags, others, string_map};
use crate::json::{JsonError, Node, Object, go_indent};

/// A provider: `/etc/iam/oidc-providers/<sha1 of its ARN>.json`.
#[derive(Debug, Clone, Default)]
pub struct OidcProviderDocument {
    /// The account it belongs to; empty in records of weed that every account may use.
    pub account: String,
    /// `arn:aws:iam::<account>:oidc-provider/<host>/<path>`.
    pub arn: String,
    /// The issuer, `https://` and no slash at the end.
    pub url: String,
    /// The audiences whose tokens count.
    pub client_ids: Vec<String>,
    /// SHA-1 of certificates, 40 hexadecimal digits each; none for the roots of the system.
    pub thumbprints: Vec<String>,
    /// Tags of the provider.
    pub tags: Tags,
    /// Creation, seconds since 1970.
    pub created_s: i64,
    /// Last update, seconds since 1970.
    pub updated_s: i64,
    /// Fields of SeaweedFS that Kelpgate does not use, and what only a newer one knows: kept.
    pub other: BTreeMap<String, Value>,
    /// What weed's file has no place for.
    pub facts: Facts,
}

impl OidcProviderDocument {
    /// The stem of the file of an ARN: the SHA-1 of it in hexadecimal.
    pub fn file_stem(arn: &str) -> Arc<str> {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, arn.as_bytes());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
    }

    /// The account that the provider belongs to; `default` when the document names none.
    pub fn account_or(&self, default: AccountId) -> AccountId {
        let in_arn = self.arn.split(':').nth(4).unwrap_or_default();
        [self.account.as_str(), in_arn].iter().find_map(|account| account.parse().ok()).unwrap_or(default)
    }

    /// Reads a stored document.
    pub fn parse(text: &str, facts: Facts) -> Result<Self, JsonError> {
        let node = Node::parse(text)?;
        let mut object = node.object()?;
        let tags = object.take(&["tags"]).map(|node| string_map(&node)).transpose()?.unwrap_or_default();
        let provider = Self {
            account: object.string(&["accountId", "account_id"])?,
            arn: object.string(&["arn"])?,
            url: object.string(&["url"])?,
            client_ids: object.strings(&["clientIds", "client_ids"])?,
            thumbprints: object.strings(&["thumbprints"])?,
            tags,
            created_s: time(&mut object, "createdAt")?,
            updated_s: time(&mut object, "updatedAt")?,
            other: others(object),
            facts,
        };
        if provider.arn.is_empty() || provider.url.is_empty() {
            return Err(node.error("an OIDC provider needs an `arn` and a `url`"));
        }
        Ok(provider)
    }

    /// The document's text in Go's form.
    pub fn to_text(&self) -> String {
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
            other: &'a BTreeMap<String, Value>,
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
            other: &self.other,
        })
    }
}

/// A time as Go writes it, to the second; 0 for none.
fn time(object: &mut Object<'_>, name: &str) -> Result<i64, JsonError> {
    let Some(node) = object.take(&[name]) else { return Ok(0) };
    let text = node.string()?;
    let time: Timestamp =
        text.parse().map_err(|_| node.error(format!("`{text}` is no time such as 2026-01-31T12:00:00Z")))?;
    Ok(time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_weeds_form_survives_and_keeps_what_is_not_ours() {
        let text = "{\n  \"accountId\": \"111122223333\",\n  \"arn\": \"arn:aws:iam::111122223333:oidc-provider/idp.example.com/realm\",\n  \
            \"url\": \"https://idp.example.com/realm\",\n  \"clientIds\": [\n    \"app\"\n  ],\n  \"tags\": {\n    \"k\": \"v\"\n  },\n  \
            \"createdAt\": \"2026-01-31T12:00:00Z\",\n  \"updatedAt\": \"2026-02-01T12:00:00Z\",\n  \"policyClaim\": \"groups\"\n}";
        let provider = OidcProviderDocument::parse(text, Facts::default()).unwrap();
        assert_eq!(provider.to_text(), text);
        assert_eq!(provider.account_or(AccountId::DEFAULT).as_str(), "111122223333");
        let fractions = text.replace("12:00:00Z", "12:00:00.123456789Z");
        assert_eq!(OidcProviderDocument::parse(&fractions, Facts::default()).unwrap().created_s, provider.created_s);
        for wrong in
            ["{}", r#"{"arn":"a","url":"u","createdAt":"yesterday"}"#, r#"{"arn":"a","url":"u","tags":{"k":1}}"#]
        {
            assert!(OidcProviderDocument::parse(wrong, Facts::default()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_file_is_named_by_the_arn() {
        assert_eq!(&*OidcProviderDocument::file_stem("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
