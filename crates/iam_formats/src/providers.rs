//! `providers` and `sts.providers`: identity providers in SeaweedFS's form.

use std::sync::Arc;

use iam::{IdentityProvider, KeySource, is_reserved_issuer};
use ids::AccountId;
use json::{JsonError, Node, Object};

use crate::certificate;
use crate::ldap::{self, LdapSettings};
use crate::plugin::{self, PluginSettings};
use crate::provider_address::check_address;
use crate::provider_rights::rights;
use crate::unknown_settings::refuse_unknown;

/// Fields of SeaweedFS that have no effect here: tokens are verified by the provider's keys and give what they say.
const WITHOUT_EFFECT: [&str; 5] = ["clientSecret", "userInfoUri", "scopes", "claimsMapping", "jwksCacheTTLSeconds"];

/// What a configuration says of identity providers.
#[derive(Default)]
pub(crate) struct Providers<'a> {
    /// All of them, without account and ARN, and where each stands.
    pub(crate) all: Vec<(IdentityProvider, Node<'a>)>,
    /// How those are asked that are directories.
    pub(crate) directories: Vec<LdapSettings>,
    /// The file with the authorities of client certificates, if their holders can sign in.
    pub(crate) client_authorities: Option<String>,
    /// How the plugin is asked, if there is one.
    pub(crate) plugin: Option<PluginSettings>,
}

impl<'a> Providers<'a> {
    /// Reads the list `providers` of an object. Providers that are switched off are left out.
    pub(crate) fn read(&mut self, object: &mut Object<'a>, warnings: &mut Vec<String>) -> Result<(), JsonError> {
        for node in object.array(&["providers"])? {
            let Some((provider, source)) = provider(&node, warnings)? else { continue };
            self.all.push((provider, node.clone()));
            match source {
                Source::Tokens => {}
                Source::Directory(asked) => self.directories.push(*asked),
                Source::Certificates(authorities) => {
                    if self.client_authorities.replace(authorities).is_some() {
                        return Err(node.error(
                            "there is a provider of type `certificate` already; put the authorities of both into one file",
                        ));
                    }
                }
                Source::Plugin(asked) => {
                    if self.plugin.replace(*asked).is_some() {
                        return Err(
                            node.error("there is a provider of type `plugin` already; let one webhook ask both")
                        );
                    }
                }
            }
        }
        Ok(())
    }
}

/// Gives the providers their account and ARNs, and refuses two with the same name or issuer.
pub(crate) fn of_account(
    providers: Vec<(IdentityProvider, Node<'_>)>,
    account: AccountId,
) -> Result<Vec<Arc<IdentityProvider>>, JsonError> {
    let mut all: Vec<Arc<IdentityProvider>> = Vec::new();
    for (provider, node) in providers {
        let arn = match provider.key_prefix() {
            issuer if provider.has_tokens() => format!("arn:aws:iam::{account}:oidc-provider/{issuer}"),
            kind => format!("arn:aws:iam::{account}:{kind}-provider/{}", provider.name),
        };
        if let Some(other) = all.iter().find(|known| known.name == provider.name || known.arn == arn) {
            return Err(node.error(format!(
                "the identity providers `{}` and `{}` have the same name or issuer; merge the two",
                other.name, provider.name
            )));
        }
        all.push(Arc::new(IdentityProvider { account, arn, ..provider }));
    }
    Ok(all)
}

/// What vouches for the users of a provider, as far as it is not a part of the provider.
enum Source {
    Tokens,
    Directory(Box<LdapSettings>),
    Certificates(String),
    Plugin(Box<PluginSettings>),
}

type Read = (IdentityProvider, Source);

fn provider(node: &Node<'_>, warnings: &mut Vec<String>) -> Result<Option<Read>, JsonError> {
    let mut object = node.object()?;
    let name = object.string(&["name"])?;
    if name.is_empty() {
        return Err(node.error("an identity provider needs a `name`"));
    }
    let enabled = object.take("enabled").map(|node| node.boolean()).transpose()?.unwrap_or(true);
    let kind = object.string(&["type"])?;
    check_type(node, &name, &kind)?;
    let mapping = object.take("roleMapping");
    let Some(config) = object.take("config") else {
        return Err(node.error(format!(
            "the identity provider `{name}` needs a `config` with its `issuer` (`ldap`: its `server`; `certificate`: its \
             `clientCaCert`; `plugin`: its `url`)"
        )));
    };
    refuse_unknown(object)?;
    if !enabled {
        let off = format!("the identity provider `{name}` is switched off (`enabled`): its sessions are refused");
        warnings.push(node.remark(off));
        return Ok(None);
    }
    let read = match kind.as_str() {
        "ldap" => ldap::read(&config, name, mapping, warnings)
            .map(|(provider, asked)| (provider, Source::Directory(Box::new(asked)))),
        "certificate" => certificate::read(&config, name, mapping)
            .map(|(provider, authorities)| (provider, Source::Certificates(authorities))),
        "plugin" => {
            plugin::read(&config, name, mapping).map(|(provider, asked)| (provider, Source::Plugin(Box::new(asked))))
        }
        _ => oidc(&config, name, mapping, warnings).map(|provider| (provider, Source::Tokens)),
    };
    read.map(Some)
}

fn check_type(node: &Node<'_>, name: &str, kind: &str) -> Result<(), JsonError> {
    match kind {
        "oidc" | "ldap" | "certificate" | "plugin" => Ok(()),
        "saml" => Err(node.error(format!(
            "the identity provider `{name}` is refused: SAML is not supported; let Keycloak or Authentik translate it to \
             OpenID Connect"
        ))),
        other => Err(node.error(format!(
            "`{other}` is not a type of identity provider; use `oidc`, `ldap`, `certificate` or `plugin`"
        ))),
    }
}

fn oidc(
    node: &Node<'_>,
    name: String,
    mapping: Option<Node<'_>>,
    warnings: &mut Vec<String>,
) -> Result<IdentityProvider, JsonError> {
    let mut object = node.object()?;
    let keys = key_source(&mut object)?;
    let issuer = object.take("issuer").ok_or_else(|| node.error("the `issuer` of the provider is missing"))?;
    check_url(&issuer, &issuer.string()?, keys.allows_private_addresses)?;
    let mut client_ids = object.strings(&["clientIds"])?;
    client_ids.extend(Some(object.string(&["clientId"])?).filter(|id| !id.is_empty()));
    if client_ids.is_empty() || client_ids.iter().any(String::is_empty) {
        return Err(
            node.error("name at least one client id (`clientId` or `clientIds`): tokens for others are refused")
        );
    }
    let inner = object.take("roleMapping");
    if let (Some(_), Some(inner)) = (&mapping, &inner) {
        return Err(inner.error("this provider has a `roleMapping` twice, in its `config` and beside it; keep one"));
    }
    let rights = rights(node, object.string(&["policyClaim"])?, mapping.or(inner))?;
    let provider = IdentityProvider {
        issuer: issuer.string()?,
        client_ids,
        created_s: 0,
        keys,
        rights,
        source_identity_claim: object.string(&["sourceIdentityClaim"])?,
        session_name_claim: object.string(&["sessionNameClaim"])?,
        allowed_tag_keys: object.take("allowedPrincipalTagKeys").map(|node| node.strings()).transpose()?,
        arn: String::new(),
        account: AccountId::DEFAULT,
        name,
    };
    without_effect(&mut object, warnings);
    refuse_unknown(object)?;
    Ok(provider)
}

fn key_source(object: &mut Object<'_>) -> Result<KeySource, JsonError> {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    if let Some(node) = object.take("tlsInsecureSkipVerify")
        && node.boolean()?
    {
        return Err(node.error(
            "anyone between the gateway and the provider could then issue tokens; name the provider's certificate \
             authority in `tlsCaCert` instead",
        ));
    }
    let allows_private_addresses = object.boolean(&["allowPrivateAddresses"])?;
    let jwks_uri = object.take("jwksUri");
    if let Some(node) = &jwks_uri {
        check_url(node, &node.string()?, allows_private_addresses)?;
    }
    Ok(KeySource {
        jwks_uri: jwks_uri.map(|node| node.string()).transpose()?,
        jwks_file: given(object.string(&["jwksFile"])?),
        ca_file: given(object.string(&["tlsCaCert"])?),
        bearer_file: given(object.string(&["bearerTokenFile"])?),
        allows_private_addresses,
    })
}

fn without_effect(object: &mut Object<'_>, warnings: &mut Vec<String>) {
    for field in WITHOUT_EFFECT {
        if let Some(node) = object.take(field) {
            warnings.push(node.remark("this has no effect: tokens are verified by the provider's public keys"));
        }
    }
    if let Some(node) = object.take("thumbprints") {
        warnings.push(node.remark("this has no effect; name the provider's authority in `tlsCaCert`"));
    }
}

/// An URL that can be an issuer or the address of its keys.
fn check_url(node: &Node<'_>, url: &str, allows_private_addresses: bool) -> Result<(), JsonError> {
    check_address(node, url, allows_private_addresses)?;
    if is_reserved_issuer(url) {
        let hint = "its host is reserved: its claims would look like other condition keys";
        return Err(node.error(format!("`{url}`: {hint}")));
    }
    Ok(())
}
