//! Instance profiles (`<iam base>/instance-profiles/<name>.json`), account aliases (`<iam base>/account-aliases/<account>.json`)
//! and public access blocks of accounts (`<iam base>/public-access-blocks/<account>.json`): our own documents, which
//! SeaweedFS does not know.
//!
//! They have no facts beside them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::documents::StoredDocument;
use crate::facts::{Facts, others, string_map};
use crate::go::go_indent;
use crate::unknown::{fields_of, seal};
use iam::{AccountAlias, AccountPublicAccessBlock, InstanceProfile, Tags};
use ids::PublicAccessBlock;
use json::{JsonError, Node};

impl StoredDocument for InstanceProfile {
    fn read(node: &Node<'_>, _: Facts) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let tags = object.take("tags").map(|node| string_map(&node)).transpose()?.unwrap_or_default();
        let profile = Self {
            name: object.string(&["name"])?,
            id: object.string(&["id"])?,
            account: object.string(&["account"])?,
            path: object.string(&["path"])?,
            roles: object.strings(&["roles"])?,
            tags,
            created_s: object.integer(&["created"])?,
            unknown: seal(others(object)?, &Facts::default()),
        };
        let path_is_whole = profile.path.starts_with('/') && profile.path.ends_with('/');
        if profile.name.is_empty() || profile.account.is_empty() || !path_is_whole {
            return Err(node
                .error("an instance profile needs a `name`, an `account`, and a `path` that begins and ends with /"));
        }
        Ok(profile)
    }

    fn to_text(&self) -> String {
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
            other: BTreeMap<String, Value>,
        }
        go_indent(&Shape {
            name: &self.name,
            id: &self.id,
            account: &self.account,
            path: &self.path,
            roles: &self.roles,
            tags: &self.tags,
            created: self.created_s,
            other: fields_of(&self.unknown),
        })
    }

    fn facts(&self) -> Facts {
        Facts::default()
    }
}

impl StoredDocument for AccountAlias {
    fn read(node: &Node<'_>, _: Facts) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let alias = Self {
            account: object.string(&["account"])?,
            alias: object.string(&["alias"])?,
            unknown: seal(others(object)?, &Facts::default()),
        };
        if alias.account.is_empty() || alias.alias.is_empty() {
            return Err(node.error("an account alias needs an `account` and an `alias`"));
        }
        Ok(alias)
    }

    fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'a> {
            account: &'a str,
            alias: &'a str,
            #[serde(flatten)]
            other: BTreeMap<String, Value>,
        }
        go_indent(&Shape { account: &self.account, alias: &self.alias, other: fields_of(&self.unknown) })
    }

    fn facts(&self) -> Facts {
        Facts::default()
    }
}

impl StoredDocument for AccountPublicAccessBlock {
    fn read(node: &Node<'_>, _: Facts) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let account = object.string(&["account"])?;
        let block = object.take("block").ok_or_else(|| node.error("a public access block needs a `block`"))?;
        let block = PublicAccessBlock::read(&block.string()?);
        if account.is_empty() {
            return Err(node.error("a public access block needs an `account`"));
        }
        Ok(Self { account, block, unknown: seal(others(object)?, &Facts::default()) })
    }

    fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'a> {
            account: &'a str,
            block: String,
            #[serde(flatten)]
            other: BTreeMap<String, Value>,
        }
        go_indent(&Shape { account: &self.account, block: self.block.to_text(), other: fields_of(&self.unknown) })
    }

    fn facts(&self) -> Facts {
        Facts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_and_aliases_survive_a_round_trip() {
        let text = "{\n  \"name\": \"web\",\n  \"id\": \"AIPA1\",\n  \"account\": \"000000000000\",\n  \"path\": \"/\",\n  \"roles\": [\n    \"R\"\n  ],\n  \
            \"tags\": {\n    \"k\": \"v\"\n  },\n  \"created\": 5,\n  \"future\": 1\n}";
        let profile = InstanceProfile::parse(text, Facts::default()).unwrap();
        assert_eq!(profile.to_text(), text);
        assert_eq!(profile.arn(), "arn:aws:iam::000000000000:instance-profile/web");
        for wrong in ["{}", r#"{"name":"a","account":"1"}"#, r#"{"name":"a","account":"1","path":"x"}"#] {
            assert!(InstanceProfile::parse(wrong, Facts::default()).is_err(), "{wrong}");
        }
        let text = "{\n  \"account\": \"000000000000\",\n  \"alias\": \"reef\"\n}";
        let alias = AccountAlias::parse(text, Facts::default()).unwrap();
        assert_eq!(alias.to_text(), text);
        assert!(AccountAlias::parse("{}", Facts::default()).is_err());
        let text = "{\n  \"account\": \"000000000000\",\n  \"block\": \"BlockPublicAcls\",\n  \"future\": 1\n}";
        let block = AccountPublicAccessBlock::parse(text, Facts::default()).unwrap();
        assert_eq!((block.to_text().as_str(), block.block.block_public_acls), (text, true));
        for wrong in ["{}", r#"{"account":"1"}"#, r#"{"block":""}"#] {
            assert!(AccountPublicAccessBlock::parse(wrong, Facts::default()).is_err(), "{wrong}");
        }
    }
}
