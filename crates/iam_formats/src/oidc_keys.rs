//! The keys of OIDC providers: `<iam base>/oidc-keys/<sha1 of the issuer>.json`, our own documents.

use jiff::Timestamp;
use serde::Serialize;
use sts::ProviderKeys;

use crate::documents::StoredDocument;
use crate::facts::Facts;
use crate::go::go_indent;
use iam::OidcKeys;
use json::{JsonError, Node};

impl StoredDocument for OidcKeys {
    fn read(node: &Node<'_>, _: Facts) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let issuer = object.string(&["issuer"])?;
        let jwks = object.string(&["jwks"])?;
        let fetched = object.string(&["fetchedAt"])?;
        let fetched: Timestamp = fetched
            .parse()
            .map_err(|_| node.error(format!("`{fetched}` is not a time such as 2026-01-31T12:00:00Z")))?;
        if issuer.is_empty() {
            return Err(node.error("the `issuer` of the keys is missing"));
        }
        let keys = ProviderKeys::parse(&jwks).map_err(|error| node.error(format!("`jwks`: {error}")))?;
        Ok(Self { issuer, jwks: jwks.into(), keys, fetched_s: fetched.as_second() })
    }

    fn to_text(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shape<'a> {
            issuer: &'a str,
            jwks: &'a str,
            fetched_at: String,
        }
        let fetched_at = Timestamp::from_second(self.fetched_s).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
        go_indent(&Shape { issuer: &self.issuer, jwks: &self.jwks, fetched_at })
    }

    fn facts(&self) -> Facts {
        Facts::default()
    }
}
