//! Providers of type `ldap`: how a directory is asked, in SeaweedFS's form and beyond it.

use std::collections::BTreeMap;

use iam::{IdentityProvider, PolicyMapping, ProviderRights, directory_issuer, read_dn};
use ids::SecretAccessKey;
use json::{JsonError, Node, Object};

use crate::go::duration_s;
use crate::provider_rights::{role_mapping, without_tokens};
use crate::unknown_settings::refuse_unknown;

/// How a directory is asked.
#[derive(Debug, Clone)]
pub struct LdapSettings {
    /// The name of its provider.
    pub name: String,
    /// `server` and `servers`: URLs in the order in which they are tried, `ldap://` or `ldaps://`.
    pub servers: Vec<String>,
    /// `useTLS`: whether connections to `ldap://` switch to TLS before anything else is sent.
    pub starts_tls: bool,
    /// `tlsCaCert`: certificates that sign those of the servers, in place of the machine's roots.
    pub ca_file: Option<String>,
    /// `bindDN`: who searches; empty for nobody.
    pub bind_dn: String,
    /// `bindPassword`, if it is in the file.
    pub bind_password: Option<SecretAccessKey>,
    /// `bindPasswordFile`: the file with the password.
    pub bind_password_file: Option<String>,
    /// `baseDN`: where users are.
    pub base_dn: String,
    /// `userFilter`: the filter that finds a user; `%s` stands for the name.
    pub user_filter: String,
    /// `attributes.uid`: the attribute with the user's name.
    pub name_attribute: String,
    /// `attributes.groups`: the attribute of users with the DNs of their groups; empty for none.
    pub groups_attribute: String,
    /// `groupFilter`: the filter that finds a user's groups; `%s` and `%d` stand for the user's DN, `%u` for the name. Empty for none.
    pub group_filter: String,
    /// `groupBaseDN`: where groups are. Others do not count.
    pub group_base_dn: Option<String>,
    /// `nestedGroups`: how groups of groups are found.
    pub nested_groups: NestedGroups,
    /// `connectionTimeout`: how long a server may take to connect, or to answer one question, in seconds.
    pub timeout_s: u64,
    /// `poolSize`: how many connections there are at most.
    pub connections_max: usize,
}

/// How the groups that contain a user's groups are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NestedGroups {
    /// Not at all.
    #[default]
    Ignored,
    /// `activeDirectory`: by its matching rule for chains of members.
    MatchingRule,
    /// `search`: by searching for the groups of each group.
    Search,
}

/// Fields of SeaweedFS that have no effect here.
const WITHOUT_EFFECT: [&str; 1] = ["audience"];
const ATTRIBUTES_WITHOUT_EFFECT: [&str; 2] = ["email", "displayName"];

/// Reads the `config` of a provider of type `ldap`, and what its users get.
pub(crate) fn read(
    node: &Node<'_>,
    name: String,
    mapping: Option<Node<'_>>,
    warnings: &mut Vec<String>,
) -> Result<(IdentityProvider, LdapSettings), JsonError> {
    check_name(node, &name)?;
    let mut object = node.object()?;
    let rights = rights(&mut object, mapping)?;
    let settings = settings(node, &mut object, &name, warnings)?;
    refuse_unknown(object)?;
    Ok((without_tokens(directory_issuer(&name), name, rights), settings))
}

/// The name is part of the provider's ARN and of its issuer.
pub(crate) fn check_name(node: &Node<'_>, name: &str) -> Result<(), JsonError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.len() <= 128 && name.bytes().all(plain) {
        return Ok(());
    }
    Err(node.error(format!(
        "`{name}` cannot be the name of such a provider: use at most 128 letters, digits, hyphens, underscores and dots"
    )))
}

fn settings(
    node: &Node<'_>,
    object: &mut Object<'_>,
    name: &str,
    warnings: &mut Vec<String>,
) -> Result<LdapSettings, JsonError> {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let starts_tls = object.boolean(&["useTLS"])?;
    let servers = servers(node, object, starts_tls)?;
    if let Some(node) = object.take("insecureSkipVerify")
        && node.boolean()?
    {
        return Err(node.error(
            "anyone between the gateway and the directory could then read passwords; name the authority of the server's \
             certificate in `tlsCaCert` instead",
        ));
    }
    for field in WITHOUT_EFFECT {
        warnings.extend(object.take(field).map(|node| node.remark("this has no effect")));
    }
    let (name_attribute, groups_attribute) = attributes(object, warnings)?;
    let (bind_dn, bind_password, bind_password_file) = bind(object)?;
    let base_dn = object.take("baseDN").ok_or_else(|| node.error("the `baseDN` of the directory is missing"))?;
    let group_base_dn = object.take("groupBaseDN").map(|node| dn(&node)).transpose()?;
    Ok(LdapSettings {
        name: name.to_owned(),
        servers,
        starts_tls,
        ca_file: given(object.string(&["tlsCaCert"])?),
        bind_dn,
        bind_password,
        bind_password_file,
        base_dn: dn(&base_dn)?,
        user_filter: filter(object, "userFilter", &["%s"])?.unwrap_or_else(|| "(cn=%s)".to_owned()),
        name_attribute,
        groups_attribute,
        group_filter: filter(object, "groupFilter", &["%s", "%d", "%u"])?.unwrap_or_default(),
        group_base_dn,
        nested_groups: nested_groups(object)?,
        timeout_s: within(object, "connectionTimeout", 10, 1..=60)?,
        connections_max: usize::try_from(within(object, "poolSize", 10, 1..=100)?).unwrap_or(10),
    })
}

/// The URLs of the servers. Passwords travel in plain text only where the configuration says so.
fn servers(node: &Node<'_>, object: &mut Object<'_>, starts_tls: bool) -> Result<Vec<String>, JsonError> {
    let allows_plain_text = object.boolean(&["allowPlainText"])?;
    let one = object.take("server");
    let nodes: Vec<Node<'_>> = one.into_iter().chain(object.array(&["servers"])?).collect();
    if nodes.is_empty() {
        return Err(node.error("name the `server` of the directory, such as `ldaps://ldap.example.com`"));
    }
    let mut servers = Vec::new();
    for node in nodes {
        let url = node.string()?;
        let rest = url.strip_prefix("ldaps://").or_else(|| url.strip_prefix("ldap://"));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte);
        let host = rest.unwrap_or_default();
        if host.is_empty() || host.starts_with(':') || !host.bytes().all(plain) {
            return Err(node.error(format!("`{url}` is not `ldap://HOST:PORT` or `ldaps://HOST:PORT`")));
        }
        if url.starts_with("ldap://") && !starts_tls && !allows_plain_text {
            return Err(node.error(format!(
                "passwords would travel to `{url}` in plain text; use `ldaps://`, or set `useTLS` for StartTLS (or \
                 `allowPlainText` where the network is trusted)"
            )));
        }
        servers.push(url);
    }
    Ok(servers)
}

fn bind(object: &mut Object<'_>) -> Result<(String, Option<SecretAccessKey>, Option<String>), JsonError> {
    let bind_dn = object.take("bindDN");
    let password = object.take("bindPassword");
    let file = object.take("bindPasswordFile");
    if let (Some(_), Some(file)) = (&password, &file) {
        return Err(file.error("keep one of `bindPassword` and `bindPasswordFile`"));
    }
    let Some(node) = bind_dn.filter(|node| node.string().is_ok_and(|text| !text.is_empty())) else {
        return Ok((String::new(), None, None));
    };
    let text = password.as_ref().map(Node::string).transpose()?.filter(|text| !text.is_empty());
    if text.is_none() && file.is_none() {
        // Directories treat a name without a password as anonymous, and let it in.
        return Err(node.error("a `bindDN` needs a `bindPassword` or a `bindPasswordFile`"));
    }
    Ok((node.string()?, text.map(SecretAccessKey::new), file.map(|node| node.string()).transpose()?))
}

fn attributes(object: &mut Object<'_>, warnings: &mut Vec<String>) -> Result<(String, String), JsonError> {
    let (mut name, mut groups) = ("uid".to_owned(), "memberOf".to_owned());
    let Some(node) = object.take("attributes") else { return Ok((name, groups)) };
    let mut attributes = node.object()?;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    for (key, target) in [("uid", &mut name), ("groups", &mut groups)] {
        if let Some(node) = attributes.take(key) {
            *target = node.string()?;
            if !plain(target) || key == "uid" && target.is_empty() {
                return Err(node.error(format!("`{target}` is not the name of an attribute")));
            }
        }
    }
    for field in ATTRIBUTES_WITHOUT_EFFECT {
        warnings.extend(attributes.take(field).map(|node| node.remark("this has no effect")));
    }
    refuse_unknown(attributes)?;
    Ok((name, groups))
}

fn nested_groups(object: &mut Object<'_>) -> Result<NestedGroups, JsonError> {
    let Some(node) = object.take("nestedGroups") else { return Ok(NestedGroups::Ignored) };
    match node.string()?.as_str() {
        "" => Ok(NestedGroups::Ignored),
        "activeDirectory" => Ok(NestedGroups::MatchingRule),
        "search" => Ok(NestedGroups::Search),
        other => Err(node.error(format!("`{other}` is neither `activeDirectory` nor `search`"))),
    }
}

/// A filter with at least one of these placeholders, without which it would not be about the user.
fn filter(object: &mut Object<'_>, key: &str, placeholders: &[&str]) -> Result<Option<String>, JsonError> {
    let Some(node) = object.take(key) else { return Ok(None) };
    let text = node.string()?;
    if text.is_empty() || placeholders.iter().any(|placeholder| text.contains(placeholder)) {
        return Ok(Some(text).filter(|text| !text.is_empty()));
    }
    Err(node.error(format!("`{text}` is about everybody: it needs one of {}", placeholders.join(", "))))
}

fn dn(node: &Node<'_>) -> Result<String, JsonError> {
    let text = node.string()?;
    match read_dn(&text) {
        Some(_) => Ok(text),
        None => Err(node.error(format!("`{text}` is not a DN such as `ou=people,dc=example,dc=com`"))),
    }
}

fn within(
    object: &mut Object<'_>,
    key: &str,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, JsonError> {
    let Some(node) = object.take(key) else { return Ok(default) };
    let number = if key == "poolSize" { node.integer()? } else { duration_s(&node)? };
    let number = u64::try_from(number).ok().filter(|number| range.contains(number));
    number.ok_or_else(|| node.error(format!("this is not between {} and {}", range.start(), range.end())))
}

/// Exactly one source of rights for callers that name no role.
fn rights(object: &mut Object<'_>, mapping: Option<Node<'_>>) -> Result<ProviderRights, JsonError> {
    let inner = object.take("roleMapping");
    if let (Some(_), Some(inner)) = (&mapping, &inner) {
        return Err(inner.error("this provider has a `roleMapping` twice, in its `config` and beside it; keep one"));
    }
    match (object.take("policyMapping"), mapping.or(inner)) {
        (Some(node), Some(_)) => {
            Err(node.error("keep one of `policyMapping` and `roleMapping`: one source gives rights"))
        }
        (Some(node), None) => policy_mapping(&node).map(ProviderRights::Policies),
        (None, Some(node)) => role_mapping(&node).map(ProviderRights::Roles),
        (None, None) => Ok(ProviderRights::None),
    }
}

/// `{"users": {"<DN>": ["<policy>"]}, "groups": {"<DN>": ["<policy>"]}}`.
fn policy_mapping(node: &Node<'_>) -> Result<PolicyMapping, JsonError> {
    let mut object = node.object()?;
    let mapping =
        PolicyMapping { users: policies_by_dn(object.take("users"))?, groups: policies_by_dn(object.take("groups"))? };
    refuse_unknown(object)?;
    Ok(mapping)
}

fn policies_by_dn(node: Option<Node<'_>>) -> Result<BTreeMap<String, Vec<String>>, JsonError> {
    let mut policies = BTreeMap::new();
    let Some(node) = node else { return Ok(policies) };
    for (key, names) in node.object()?.rest() {
        let wrong = || names.error(format!("`{key}` is not a DN such as `cn=readers,ou=groups,dc=example,dc=com`"));
        let dn = read_dn(&key).ok_or_else(wrong)?;
        if policies.insert(dn, names.strings()?).is_some() {
            return Err(names.error(format!("`{key}` is here twice, in two spellings; merge the two")));
        }
    }
    Ok(policies)
}
