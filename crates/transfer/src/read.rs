//! Import: reads our own text, and SeaweedFS's `S3ApiConfiguration`.

use std::sync::Arc;

use serde_json::Value;

use super::{Bundle, FORMAT, Secrets, VERSION};
use iam::{
    AccountAlias, Change, GroupRecord, Holder, InstanceProfile, OidcProvider, PolicyPlace, PolicyRecord, RolePlace,
    RoleRecord, ServiceAccount, UserRecord,
};
use iam_formats::{Facts, StoredDocument, document_text, identities};
use json::{JsonError, Node, Object};

/// Reads our export, or what `weed shell` (`s3.configure`) and `weed s3 -config` call `S3ApiConfiguration`. `variable` looks up the
/// environment for `${NAME}` in keys of the latter.
///
/// Fails if the text is not JSON, is neither of the two formats, or has an invalid part, each with line and column.
pub fn from_json(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Bundle, JsonError> {
    let node = Node::parse(text)?;
    let mut object = node.object()?;
    let mut bundle = match object.take("format") {
        Some(format) if format.string()? == FORMAT => ours(&node, object)?,
        Some(format) => return Err(format.error(format!("expected `{FORMAT}` here"))),
        None if object.take("identities").is_some() => weeds(text, variable)?,
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
            "this export has version {version}, but this Kelpgate knows only {VERSION}; use one as new as the one that wrote it"
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
    if let Some(kinds) = object.take("inlinePolicies") {
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
        let group = GroupRecord::read(&document, facts)?;
        same_name(&node, &name, &group.name)?;
        bundle.changes.push(Change::Group(name, Some(Ok(group))));
    }
    for (name, node) in entries(&mut object, "roles")? {
        let (document, facts) = document(&node, node.object()?)?;
        let role = RoleRecord::read(&document, facts)?;
        same_name(&node, &name, &role.name)?;
        bundle.changes.push(Change::Role(name, RolePlace::Base, Some(Ok(role))));
    }
    for (name, node) in entries(&mut object, "users")? {
        let (document, facts) = document(&node, node.object()?)?;
        let user = UserRecord::read(&document, facts)?;
        same_name(&node, &name, &user.name)?;
        bundle.changes.push(Change::User(name, Some(Ok(user))));
    }
    for (id, node) in entries(&mut object, "serviceAccounts")? {
        let (document, facts) = document(&node, node.object()?)?;
        let account = ServiceAccount::read(&document, facts)?;
        same_name(&node, &id, &account.id)?;
        bundle.changes.push(Change::ServiceAccount(id, Some(Ok(account))));
    }
    for (arn, node) in entries(&mut object, "oidcProviders")? {
        let (document, facts) = document(&node, node.object()?)?;
        let provider = inner(&document, OidcProvider::parse(document.text(), facts))?;
        same_name(&node, &arn, &provider.arn)?;
        let stem = OidcProvider::file_stem(&arn);
        bundle.changes.push(Change::OidcProvider(stem, Some(Ok(provider))));
    }
    for (name, node) in entries(&mut object, "instanceProfiles")? {
        let (document, facts) = document(&node, node.object()?)?;
        let profile = inner(&document, InstanceProfile::parse(document.text(), facts))?;
        same_name(&node, &name, &profile.name)?;
        bundle.changes.push(Change::InstanceProfile(name, Some(Ok(profile))));
    }
    for (account, node) in entries(&mut object, "accountAliases")? {
        let (document, facts) = document(&node, node.object()?)?;
        let alias = inner(&document, AccountAlias::parse(document.text(), facts))?;
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
    let Some(node) = object.take("secrets") else { return Ok(Secrets::None) };
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
        return Err(node.error(format!("secrets under `{cipher}` and `{kdf}` are not supported here")));
    }
    let iterations = how.integer(&["iterations"])?;
    // The upper limit prevents a forged file from delaying an import for hours.
    let iterations = u32::try_from(iterations).ok().filter(|steps| (1..=100_000_000).contains(steps));
    let iterations = iterations.ok_or_else(|| node.error("`iterations` is out of range: 1 to 100000000"))?;
    let salt = how.string(&["salt"])?;
    let salt = hex::decode(&salt)
        .ok()
        .filter(|salt| !salt.is_empty())
        .ok_or_else(|| node.error("`salt` is not hexadecimal text"))?;
    nothing_else(how)?;
    Ok(Secrets::Sealed { salt, iterations })
}

fn entries<'a>(object: &mut Object<'a>, key: &str) -> Result<Vec<(Arc<str>, Node<'a>)>, JsonError> {
    let Some(node) = object.take(key) else { return Ok(Vec::new()) };
    Ok(node.object()?.rest().into_iter().map(|(name, node)| (name.into(), node)).collect())
}

/// `{"document": ..., "facts": ...}`.
fn document<'a>(node: &Node<'_>, mut entry: Object<'a>) -> Result<(Node<'a>, Facts), JsonError> {
    let document = entry.take("document").ok_or_else(|| node.error("`document` is missing"))?;
    let facts = entry.take("facts").map(|node| facts(&node)).transpose()?.unwrap_or_default();
    nothing_else(entry)?;
    Ok((document, facts))
}

fn facts(node: &Node<'_>) -> Result<Facts, JsonError> {
    inner(node, Facts::parse(node.text()))
}

/// A document within the document. Errors are reported at its place.
fn inner<T>(node: &Node<'_>, read: Result<T, JsonError>) -> Result<T, JsonError> {
    read.map_err(|error| node.error(error.what))
}

fn policy<T: StoredDocument>(node: &Node<'_>, entry: Object<'_>) -> Result<T, JsonError> {
    let (document, facts) = document(node, entry)?;
    T::parse(&compact(&document_text(&document)?), facts)
}

/// Removes the white space that makes an export readable.
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
        Some((key, node)) => Err(node.error(format!("`{key}` is unknown here; a newer Kelpgate may have written it"))),
    }
}

/// SeaweedFS's own text. Its accounts are merged into the identities, as SeaweedFS does.
fn weeds(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Bundle, JsonError> {
    let found = identities::parse(text, variable)?;
    let mut bundle = Bundle { secrets: Secrets::Plain, ..Bundle::default() };
    for (name, text) in found.policies {
        let policy = PolicyRecord::of_text(compact(&text));
        bundle.changes.push(Change::Policy(name.into(), PolicyPlace::Api, Some(Ok(policy))));
    }
    let node = Node::parse(text)?;
    for node in node.object()?.array(&["groups"])? {
        let group = GroupRecord::read(&node, Facts::default())?;
        bundle.changes.push(Change::Group(group.name.as_str().into(), Some(Ok(group))));
    }
    for user in found.users {
        let user = UserRecord { is_static: false, ..user };
        bundle.changes.push(Change::User(user.name.as_str().into(), Some(Ok(user))));
    }
    for account in found.service_accounts {
        bundle.changes.push(Change::ServiceAccount(account.id.as_str().into(), Some(Ok(account))));
    }
    let about_groups = |warning: &String| warning.starts_with("`groups` of an identities file");
    bundle.notes.extend(found.warnings.into_iter().filter(|warning| !about_groups(warning)));
    Ok(bundle)
}
