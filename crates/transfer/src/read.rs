//! Import: reads our own text, and SeaweedFS's `S3ApiConfiguration`.

use std::sync::Arc;

use super::{Bundle, FORMAT, Secrets, VERSION};
use iam::{
    AccountAlias, AccountPublicAccessBlock, Change, GroupRecord, Holder, InstanceProfile, OidcProvider, PolicyPlace,
    PolicyRecord, RolePlace, RoleRecord, ServiceAccount, UserRecord,
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
    let changes = &mut bundle.changes;
    let group = |name, group| Change::Group(name, Some(Ok(group)));
    each(&mut object, "groups", changes, |group: &GroupRecord| &group.name, group)?;
    let role = |name, role| Change::Role(name, RolePlace::Base, Some(Ok(role)));
    each(&mut object, "roles", changes, |role: &RoleRecord| &role.name, role)?;
    let user = |name, user| Change::User(name, Some(Ok(user)));
    each(&mut object, "users", changes, |user: &UserRecord| &user.name, user)?;
    let account = |id, account| Change::ServiceAccount(id, Some(Ok(account)));
    each(&mut object, "serviceAccounts", changes, |account: &ServiceAccount| &account.id, account)?;
    let provider = |arn: Arc<str>, provider| Change::OidcProvider(OidcProvider::file_stem(&arn), Some(Ok(provider)));
    each(&mut object, "oidcProviders", changes, |provider: &OidcProvider| &provider.arn, provider)?;
    let profile = |name, profile| Change::InstanceProfile(name, Some(Ok(profile)));
    each(&mut object, "instanceProfiles", changes, |profile: &InstanceProfile| &profile.name, profile)?;
    let alias = |account, alias| Change::AccountAlias(account, Some(Ok(alias)));
    each(&mut object, "accountAliases", changes, |alias: &AccountAlias| &alias.account, alias)?;
    let block = |account, block| Change::AccountPublicAccessBlock(account, Some(Ok(block)));
    each(&mut object, "accountPublicAccessBlocks", changes, |block: &AccountPublicAccessBlock| &block.account, block)?;
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

/// The entities of one kind, each under its name.
fn each<T: StoredDocument>(
    object: &mut Object<'_>,
    key: &str,
    changes: &mut Vec<Change>,
    name_of: impl Fn(&T) -> &String,
    change: impl Fn(Arc<str>, T) -> Change,
) -> Result<(), JsonError> {
    for (name, node) in entries(object, key)? {
        let (document, facts) = document(&node, node.object()?)?;
        let entity = T::read(&document, facts)?;
        same_name(&node, &name, name_of(&entity))?;
        changes.push(change(name, entity));
    }
    Ok(())
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

/// Removes the white space that makes an export readable, and nothing else: a policy with a member that occurs twice is
/// refused, and must not become one that is accepted because only the last of the two is left.
fn compact(text: &str) -> String {
    if Node::parse(text).is_err() {
        return text.to_owned();
    }
    let (mut in_string, mut is_escaped) = (false, false);
    let counts = |c: &char| {
        if in_string {
            in_string = *c != '"' || is_escaped;
            is_escaped = *c == '\\' && !is_escaped;
            return true;
        }
        in_string = *c == '"';
        !c.is_ascii_whitespace()
    };
    text.chars().filter(counts).collect()
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
