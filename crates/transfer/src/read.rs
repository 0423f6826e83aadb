//! In: our own text, and SeaweedFS's `S3ApiConfiguration`.

use std::sync::Arc;

use serde_json::Value;

use super::{Bundle, FORMAT, Secrets, VERSION};
use crate::change::{Change, Holder, PolicyPlace, PolicyText, RolePlace};
use crate::documents::{Facts, GroupDocument, RoleDocument, ServiceAccountDocument, UserDocument, document_text};
use crate::identities::Identities;
use crate::instance_profile::{AccountAliasDocument, InstanceProfileDocument};
use crate::json::{JsonError, Node, Object};
use crate::oidc_provider::OidcProviderDocument;

/// Reads our export, or what `weed shell` (`s3.configure`) and `weed s3 -config` call `S3ApiConfiguration`. `variable` looks up the
/// environment for `${NAME}` in keys of the latter.
///
/// Errors: no JSON, neither of the two, or a part that is not what it should be, each with line and column.
pub fn from_json(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Bundle, JsonError> {
    let node = Node::parse(text)?;
    let mut object = node.object()?;
    let mut bundle = match object.take(&["format"]) {
        Some(format) if format.string()? == FORMAT => ours(&node, object)?,
        Some(format) => return Err(format.error(format!("`{FORMAT}` is expected here"))),
        None if object.take(&["identities"]).is_some() => weeds(text, variable)?,
        None => {
            return Err(node.error(
                "this is neither an export of Kelpgate (`format`) nor an S3ApiConfiguration of SeaweedFS (`identities`)",
            ));
        }
    };
    bundle.check();
    Ok(bundle)
}

fn ours(node: &Node<'_>, mut object: Object<'_>) -> Result<Bundle, JsonError> {
    let version = object.integer(&["version"])?;
    if version != VERSION {
        return Err(node.error(format!(
            "this export has version {version}, and {VERSION} is known here; use a Kelpgate as new as the one that wrote it"
        )));
    }
    let mut bundle = Bundle { secrets: secrets(&mut object)?, ..Bundle::default() };
    for (name, node) in entries(&mut object, "policies")? {
        let mut entry = node.object()?;
        let place = match entry.string(&["place"])?.as_str() {
            "configuration" => PolicyPlace::BasePrefixed,
            "api" | "" => PolicyPlace::Api,
            other => return Err(node.error(format!("the place `{other}` is neither `api` nor `configuration`"))),
        };
        bundle.changes.push(Change::Policy(name, place, Some(Ok(policy(&node, entry)?))));
    }
    if let Some(kinds) = object.take(&["inlinePolicies"]) {
        let mut kinds = kinds.object()?;
        for kind in ["users", "groups", "roles"] {
            let holder = |name| match kind {
                "users" => Holder::User(name),
                "groups" => Holder::Group(name),
                _ => Holder::Role(name),
            };
            for (name, node) in entries(&mut kinds, kind)? {
                for (policy_name, node) in node.object()?.rest() {
                    let text = policy(&node, node.object()?)?;
                    bundle.changes.push(Change::Inline(holder(name.clone()), policy_name.into(), Some(Ok(text))));
                }
            }
        }
        nothing_else(kinds)?;
    }
    for (name, node) in entries(&mut object, "groups")? {
        let (document, facts) = document(&node, node.object()?)?;
        let group = GroupDocument { facts, ..GroupDocument::read(&document)? };
        same_name(&node, &name, &group.name)?;
        bundle.changes.push(Change::Group(name, Some(Ok(group))));
    }
    for (name, node) in entries(&mut object, "roles")? {
        let (document, facts) = document(&node, node.object()?)?;
        let role = RoleDocument { facts, ..RoleDocument::read(&document)? };
        same_name(&node, &name, &role.name)?;
        bundle.changes.push(Change::Role(name, RolePlace::Base, Some(Ok(role))));
    }
    for (name, node) in entries(&mut object, "users")? {
        let (document, facts) = document(&node, node.object()?)?;
        let user = UserDocument { facts, ..UserDocument::read(&document)? };
        same_name(&node, &name, &user.name)?;
        bundle.changes.push(Change::User(name, Some(Ok(user))));
    }
    for (id, node) in entries(&mut object, "serviceAccounts")? {
        let (document, facts) = document(&node, node.object()?)?;
        let account = ServiceAccountDocument { facts, ..ServiceAccountDocument::read(&document)? };
        same_name(&node, &id, &account.id)?;
        bundle.changes.push(Change::ServiceAccount(id, Some(Ok(account))));
    }
    for (arn, node) in entries(&mut object, "oidcProviders")? {
        let (document, facts) = document(&node, node.object()?)?;
        let provider = inner(&document, OidcProviderDocument::parse(document.text(), facts))?;
        same_name(&node, &arn, &provider.arn)?;
        let stem = OidcProviderDocument::file_stem(&arn);
        bundle.changes.push(Change::OidcProvider(stem, Some(Ok(provider))));
    }
    for (name, node) in entries(&mut object, "instanceProfiles")? {
        let (document, _) = document(&node, node.object()?)?;
        let profile = inner(&document, InstanceProfileDocument::parse(document.text()))?;
        same_name(&node, &name, &profile.name)?;
        bundle.changes.push(Change::InstanceProfile(name, Some(Ok(profile))));
    }
    for (account, node) in entries(&mut object, "accountAliases")? {
        let (document, _) = document(&node, node.object()?)?;
        let alias = inner(&document, AccountAliasDocument::parse(document.text()))?;
        same_name(&node, &account, &alias.account)?;
        bundle.changes.push(Change::AccountAlias(account, Some(Ok(alias))));
    }
    for (name, node) in entries(&mut object, "bucketPolicies")? {
        bundle.bucket_policies.insert(name.to_string(), compact(node.text()));
    }
    nothing_else(object)?;
    Ok(bundle)
}

fn secrets(object: &mut Object<'_>) -> Result<Secrets, JsonError> {
    let Some(node) = object.take(&["secrets"]) else { return Ok(Secrets::None) };
    if node.is_string() {
        return match node.string()?.as_str() {
            "none" => Ok(Secrets::None),
            "plain" => Ok(Secrets::Plain),
            other => Err(node.error(format!("`{other}` is neither `none` nor `plain`"))),
        };
    }
    let mut how = node.object()?;
    let (cipher, kdf) = (how.string(&["cipher"])?, how.string(&["kdf"])?);
    if (cipher.as_str(), kdf.as_str()) != ("AES-256-GCM", "PBKDF2-HMAC-SHA256") {
        return Err(node.error(format!("secrets under `{cipher}` and `{kdf}` are not known here")));
    }
    let iterations = how.integer(&["iterations"])?;
    // The upper bound keeps a forged file from holding an import up for hours.
    let iterations = u32::try_from(iterations).ok().filter(|steps| (1..=100_000_000).contains(steps));
    let iterations = iterations.ok_or_else(|| node.error("`iterations` is out of range: 1 to 100000000"))?;
    let salt = how.string(&["salt"])?;
    let salt = bytes_of(&salt).ok_or_else(|| node.error("`salt` is no hexadecimal text"))?;
    nothing_else(how)?;
    Ok(Secrets::Sealed { salt, iterations })
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (hex.len().is_multiple_of(2) && !hex.is_empty()).then(|| (0..hex.len()).step_by(2).map(pair).collect())?
}

fn entries<'a>(object: &mut Object<'a>, key: &str) -> Result<Vec<(Arc<str>, Node<'a>)>, JsonError> {
    let Some(node) = object.take(&[key]) else { return Ok(Vec::new()) };
    Ok(node.object()?.rest().into_iter().map(|(name, node)| (name.into(), node)).collect())
}

/// `{"document": ..., "facts": ...}`.
fn document<'a>(node: &Node<'_>, mut entry: Object<'a>) -> Result<(Node<'a>, Facts), JsonError> {
    let document = entry.take(&["document"]).ok_or_else(|| node.error("`document` is missing"))?;
    let facts = entry.take(&["facts"]).map(|node| facts(&node)).transpose()?.unwrap_or_default();
    nothing_else(entry)?;
    Ok((document, facts))
}

fn facts(node: &Node<'_>) -> Result<Facts, JsonError> {
    inner(node, Facts::parse(node.text()))
}

/// A document within the document: what is wrong is said where it stands.
fn inner<T>(node: &Node<'_>, read: Result<T, JsonError>) -> Result<T, JsonError> {
    read.map_err(|error| node.error(error.what))
}

fn policy(node: &Node<'_>, entry: Object<'_>) -> Result<PolicyText, JsonError> {
    let (document, facts) = document(node, entry)?;
    Ok(PolicyText { text: compact(&document_text(&document)?).into(), facts })
}

/// Without the white space that an export has for people.
pub(super) fn compact(text: &str) -> String {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |value| value.to_string())
}

fn same_name(node: &Node<'_>, key: &str, inside: &str) -> Result<(), JsonError> {
    if key == inside {
        return Ok(());
    }
    Err(node.error(format!("this is called `{key}` but says `{inside}` inside; make them the same")))
}

fn nothing_else(object: Object<'_>) -> Result<(), JsonError> {
    match object.rest().first() {
        None => Ok(()),
        Some((key, node)) => {
            Err(node.error(format!("`{key}` is not known here; a newer Kelpgate may have written it")))
        }
    }
}

/// SeaweedFS's own text. Its accounts are merged into the identities, as weed does.
fn weeds(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Bundle, JsonError> {
    let found = Identities::parse(text, variable)?;
    let mut bundle = Bundle { secrets: Secrets::Plain, ..Bundle::default() };
    for (name, text) in found.policies {
        let text = PolicyText { text: compact(&text).into(), facts: Facts::default() };
        bundle.changes.push(Change::Policy(name.into(), PolicyPlace::Api, Some(Ok(text))));
    }
    let node = Node::parse(text)?;
    for node in node.object()?.array(&["groups"])? {
        let group = GroupDocument::read(&node)?;
        bundle.changes.push(Change::Group(group.name.as_str().into(), Some(Ok(group))));
    }
    for user in found.users {
        let user = UserDocument { is_static: false, ..user };
        bundle.changes.push(Change::User(user.name.as_str().into(), Some(Ok(user))));
    }
    for account in found.service_accounts {
        bundle.changes.push(Change::ServiceAccount(account.id.as_str().into(), Some(Ok(account))));
    }
    let about_groups = |warning: &String| warning.starts_with("`groups` of an identities file");
    bundle.notes.extend(found.warnings.into_iter().filter(|warning| !about_groups(warning)));
    Ok(bundle)
}
