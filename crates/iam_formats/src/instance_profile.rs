//! Instance profiles and account aliases: documents of our own, which SeaweedFS does not know.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::documents::{Tags, others, string_map};
use crate::json::{JsonError, Node, go_indent};

/// An instance profile: `<iam base>/instance-profiles/<name>.json`. It gives no rights here; tools that manage roles want one.
#[derive(Debug, Clone, Default)]
pub struct InstanceProfileDocument {
    /// Its name.
    pub name: String,
    /// `AIPA...`.
    pub id: String,
    /// The account it belongs to.
    pub account: String,
    /// `/` or `/a/b/`.
    pub path: String,
    /// Names of its roles: at most one.
    pub roles: Vec<String>,
    /// Tags of the profile.
    pub tags: Tags,
    /// Creation, seconds since 1970.
    pub created_s: i64,
    /// What a newer Kelpgate wrote: kept.
    pub other: BTreeMap<String, Value>,
}

impl InstanceProfileDocument {
    /// `arn:aws:iam::<account>:instance-profile/<path><name>`.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:instance-profile{}{}", self.account, self.path, self.name)
    }

    /// Reads a stored document.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let node = Node::parse(text)?;
        let mut object = node.object()?;
        let tags = object.take(&["tags"]).map(|node| string_map(&node)).transpose()?.unwrap_or_default();
        let profile = Self {
            name: object.string(&["name"])?,
            id: object.string(&["id"])?,
            account: object.string(&["account"])?,
            path: object.string(&["path"])?,
            roles: object.strings(&["roles"])?,
            tags,
            created_s: object.integer(&["created"])?,
            other: others(object),
        };
        let path_is_whole = profile.path.starts_with('/') && profile.path.ends_with('/');
        if profile.name.is_empty() || profile.account.is_empty() || !path_is_whole {
            return Err(node
                .error("an instance profile needs a `name`, an `account`, and a `path` that begins and ends with /"));
        }
        Ok(profile)
    }

    /// The document's text.
    pub fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'a> {
            name: &'a str,
            id: &'a str,
            account: &'a str,
            path: &'a str,
            roles: &'a [String],
            #[serde(skip_serializing_if = "Tags::is_empty")]
            tags: &'a Tags,
            created: i64,
            #[serde(flatten)]
            other: &'a BTreeMap<String, Value>,
        }
        go_indent(&Shape {
            name: &self.name,
            id: &self.id,
            account: &self.account,
            path: &self.path,
            roles: &self.roles,
            tags: &self.tags,
            created: self.created_s,
            other: &self.other,
        })
    }
}

/// The alias of an account: `<iam base>/account-aliases/<account>.json`, so that an account has one.
#[derive(Debug, Clone, Default)]
pub struct AccountAliasDocument {
    /// The account.
    pub account: String,
    /// 3 to 63 lower-case letters, digits and hyphens.
    pub alias: String,
    /// What a newer Kelpgate wrote: kept.
    pub other: BTreeMap<String, Value>,
}

impl AccountAliasDocument {
    /// Reads a stored document.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let node = Node::parse(text)?;
        let mut object = node.object()?;
        let alias =
            Self { account: object.string(&["account"])?, alias: object.string(&["alias"])?, other: others(object) };
        if alias.account.is_empty() || alias.alias.is_empty() {
            return Err(node.error("an account alias needs an `account` and an `alias`"));
        }
        Ok(alias)
    }

    /// The document's text.
    pub fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'a> {
            account: &'a str,
            alias: &'a str,
            #[serde(flatten)]
            other: &'a BTreeMap<String, Value>,
        }
        go_indent(&Shape { account: &self.account, alias: &self.alias, other: &self.other })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_documents_survive_a_round_trip() {
        let text = "{\n  \"name\": \"web\",\n  \"id\": \"AIPA1\",\n  \"account\": \"000000000000\",\n  \"path\": \"/\",\n  \"roles\": [\n    \"R\"\n  ],\n  \
            \"tags\": {\n    \"k\": \"v\"\n  },\n  \"created\": 5,\n  \"future\": 1\n}";
        let profile = InstanceProfileDocument::parse(text).unwrap();
        assert_eq!(profile.to_text(), text);
        assert_eq!(profile.arn(), "arn:aws:iam::000000000000:instance-profile/web");
        for wrong in ["{}", r#"{"name":"a","account":"1"}"#, r#"{"name":"a","account":"1","path":"x"}"#] {
            assert!(InstanceProfileDocument::parse(wrong).is_err(), "{wrong}");
        }
        let text = "{\n  \"account\": \"000000000000\",\n  \"alias\": \"reef\"\n}";
        let alias = AccountAliasDocument::parse(text).unwrap();
        assert_eq!(alias.to_text(), text);
        assert!(AccountAliasDocument::parse("{}").is_err());
    }
}
