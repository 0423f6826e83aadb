//! The provider of type `plugin`: how the webhook is asked, with what MinIO's settings of the same names say.

use iam::{IdentityProvider, ProviderRights, plugin_issuer};
use ids::SecretAccessKey;
use json::{JsonError, Node, Object};

use crate::ldap::check_name;
use crate::provider_address::check_address;
use crate::provider_rights::{self, without_tokens};
use crate::unknown_settings::refuse_unknown;

/// How a plugin is asked.
#[derive(Debug, Clone)]
pub struct PluginSettings {
    /// The name of its provider.
    pub name: String,
    /// `url`: the webhook.
    pub url: String,
    /// `authToken`: the value of the header Authorization, if it is in the file.
    pub auth_token: Option<SecretAccessKey>,
    /// `authTokenFile`: the file with this value.
    pub auth_token_file: Option<String>,
    /// `roleId`: clients of MinIO name the role `arn:minio:iam:::role/idmp-<roleId>`.
    pub role_id: Option<String>,
    /// `tlsCaCert`: certificates that sign the plugin's own, in place of the machine's roots.
    pub ca_file: Option<String>,
    /// `allowPrivateAddresses`: whether the plugin may be at a private or loopback address.
    pub allows_private_addresses: bool,
}

impl PluginSettings {
    /// Whether an ARN is the one by which clients of MinIO name the plugin's role.
    pub fn is_own_role(&self, arn: &str) -> bool {
        // MinIO puts its region in front of the empty account.
        let id = arn.strip_prefix("arn:minio:iam:").and_then(|rest| rest.split_once("::role/idmp-"));
        id.is_some_and(|(region, id)| !region.contains(':') && self.role_id.as_deref() == Some(id))
    }
}

/// Reads the `config` of the provider.
pub(crate) fn read(
    node: &Node<'_>,
    name: String,
    mapping: Option<Node<'_>>,
) -> Result<(IdentityProvider, PluginSettings), JsonError> {
    check_name(node, &name)?;
    let mut object = node.object()?;
    let rights = rights(node, &mut object, mapping)?;
    let settings = settings(node, &mut object, &name)?;
    refuse_unknown(object)?;
    Ok((without_tokens(plugin_issuer(&name), name, rights), settings))
}

fn settings(node: &Node<'_>, object: &mut Object<'_>, name: &str) -> Result<PluginSettings, JsonError> {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let allows_private_addresses = object.boolean(&["allowPrivateAddresses"])?;
    let url = object.take("url").ok_or_else(|| node.error("name the `url` of the plugin"))?;
    check_address(&url, &url.string()?, allows_private_addresses)?;
    let auth_token = given(object.string(&["authToken"])?);
    let auth_token_file = given(object.string(&["authTokenFile"])?);
    if auth_token.is_some() && auth_token_file.is_some() {
        return Err(node.error("keep one of `authToken` and `authTokenFile`"));
    }
    let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if auth_token.as_ref().is_some_and(|token| !token.bytes().all(visible)) {
        return Err(
            node.error("`authToken` cannot be the value of a header: it has other characters than visible ASCII")
        );
    }
    Ok(PluginSettings {
        name: name.to_owned(),
        url: url.string()?,
        auth_token: auth_token.map(SecretAccessKey::new),
        auth_token_file,
        role_id: role_id(object)?,
        ca_file: given(object.string(&["tlsCaCert"])?),
        allows_private_addresses,
    })
}

fn role_id(object: &mut Object<'_>) -> Result<Option<String>, JsonError> {
    let Some(node) = object.take("roleId") else { return Ok(None) };
    let id = node.string()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if id.is_empty() || !id.bytes().all(plain) {
        return Err(node.error(format!("`{id}` is not a role id: use letters, digits, hyphens and underscores")));
    }
    Ok(Some(id))
}

/// Exactly one source of rights for callers that name no role.
fn rights(node: &Node<'_>, object: &mut Object<'_>, mapping: Option<Node<'_>>) -> Result<ProviderRights, JsonError> {
    let policy_claim = object.string(&["policyClaim"])?;
    let Some(own) = object.take("rolePolicy") else {
        return provider_rights::rights(node, policy_claim, mapping);
    };
    if mapping.is_some() || !policy_claim.is_empty() {
        let message = "keep one of `rolePolicy`, `policyClaim` and `roleMapping`: one source gives rights";
        return Err(own.error(message));
    }
    let text = own.string()?;
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let names: Vec<String> = names.collect();
    match names.is_empty() {
        true => Err(own.error("name at least one policy")),
        false => Ok(ProviderRights::RolePolicy(names)),
    }
}
