//! Reads a tree. Whatever a later call could refuse is refused here if it can be known, with file, line and column.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ids::BucketName;
use json::{JsonError, Node, Object};
use percent_encoding::percent_decode_str;
use policy::{Policy, PolicyKind};

use super::write::file_name;
use super::{Document, Entity, FORMAT, Kind, MARKER, Tree, VERSION, is_of_aws};
use iam::is_name;

/// The seconds of a session that a role may allow. Source: IAM API Reference, CreateRole, `MaxSessionDuration`.
const SESSION_S: std::ops::RangeInclusive<i64> = 3600..=43200;

/// What is wrong with a tree, and in which file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeError {
    /// The path below the tree's directory; empty for a tree of one file.
    pub file: String,
    /// What, and what to do.
    pub what: String,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file.is_empty() { f.write_str(&self.what) } else { write!(f, "{}: {}", self.file, self.what) }
    }
}

impl Tree {
    /// Reads a tree of one file.
    pub fn from_json(text: &str) -> Result<Self, TreeError> {
        let read = || {
            let node = Node::parse(text)?;
            let mut object = node.object()?;
            let mut tree = head(&node, &mut object)?;
            for kind in Kind::ALL {
                let Some(node) = object.take(kind.directory()) else { continue };
                let mut entities = BTreeMap::new();
                for (name, node) in node.object()?.rest() {
                    entities.insert(name.clone(), entity(kind, &name, &node)?);
                }
                tree.kinds.insert(kind, entities);
            }
            nothing_else(object)?;
            Ok(tree)
        };
        let tree = read().map_err(|error: JsonError| TreeError { file: String::new(), what: error.to_string() })?;
        tree.spelled_once()
    }

    /// Reads a tree of files: their texts by path below the tree's directory, and the directories at its top, which say
    /// which kinds it has.
    pub fn from_files(files: &BTreeMap<String, String>, directories: &BTreeSet<String>) -> Result<Self, TreeError> {
        let marker = files.get(MARKER).ok_or_else(|| TreeError {
            file: MARKER.to_owned(),
            what: format!(
                "this file is missing; a tree has it at the top, with {{\"format\": \"{FORMAT}\", \"version\": {VERSION}}}"
            ),
        })?;
        let in_file = |file: &str| {
            let file = file.to_owned();
            move |error: JsonError| TreeError { file, what: error.to_string() }
        };
        let mut tree = read_marker(marker).map_err(in_file(MARKER))?;
        for directory in directories {
            let kind = kind_of(directory).ok_or_else(|| unknown_directory(directory))?;
            tree.kinds.entry(kind).or_default();
        }
        for (path, text) in files.iter().filter(|(path, _)| *path != MARKER) {
            let (kind, name) = named_by(path)?;
            let read = Node::parse(text).and_then(|node| entity(kind, &name, &node));
            tree.put(kind, name, read.map_err(in_file(path))?);
        }
        tree.spelled_once()
    }

    /// IAM compares names without case, and so do some file systems.
    fn spelled_once(self) -> Result<Self, TreeError> {
        for (kind, entities) in &self.kinds {
            let mut seen: BTreeMap<String, &String> = BTreeMap::new();
            for name in entities.keys() {
                if let Some(other) = seen.insert(name.to_ascii_lowercase(), name) {
                    let what = format!("`{other}` and `{name}` are one name, as IAM ignores case; remove one of them");
                    return Err(TreeError { file: kind.directory().to_owned(), what });
                }
            }
        }
        Ok(self)
    }
}

fn read_marker(text: &str) -> Result<Tree, JsonError> {
    let node = Node::parse(text)?;
    let mut object = node.object()?;
    let tree = head(&node, &mut object)?;
    nothing_else(object)?;
    Ok(tree)
}

fn kind_of(directory: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.directory() == directory)
}

fn unknown_directory(directory: &str) -> TreeError {
    let known = Kind::ALL.map(Kind::directory).join("`, `");
    TreeError { file: directory.to_owned(), what: format!("a tree has no such directory; it has `{known}`") }
}

/// The kind and name of a path. A name has one spelling as a file name alone.
fn named_by(path: &str) -> Result<(Kind, String), TreeError> {
    let error = |what: String| TreeError { file: path.to_owned(), what };
    let (directory, file) = path.split_once('/').ok_or_else(|| {
        error(format!("only `{MARKER}` and directories are at the top of a tree; move this file or remove it"))
    })?;
    let kind = kind_of(directory).ok_or_else(|| unknown_directory(directory))?;
    let stem = file.strip_suffix(".json").unwrap_or_default();
    let name = percent_decode_str(stem).decode_utf8().unwrap_or_default().into_owned();
    if name.is_empty() || file_name(&name) != file {
        let hint = if name.is_empty() { "<name>.json".to_owned() } else { file_name(&name) };
        return Err(error(format!("this is not a file of a tree; an entity's file is called `{directory}/{hint}`")));
    }
    Ok((kind, name))
}

fn head(node: &Node<'_>, object: &mut Object<'_>) -> Result<Tree, JsonError> {
    if let Some(schema) = object.take("$schema") {
        schema.string()?; // for editors
    }
    match object.take("format") {
        Some(format) if format.string()? == FORMAT => {}
        Some(format) => return Err(format.error(format!("this is not a tree; a tree has `{FORMAT}` here"))),
        None => return Err(node.error(format!("`format` is missing; a tree has `\"format\": \"{FORMAT}\"`"))),
    }
    let version = object.integer(&["version"])?;
    if version != VERSION {
        return Err(node.error(format!("this tree has version {version}, but this Kelpgate knows only {VERSION}")));
    }
    let alias = object.take("accountAlias").map(|alias| alias.string()).transpose()?;
    Ok(Tree { account_alias: alias, ..Tree::default() })
}

fn entity(kind: Kind, name: &str, node: &Node<'_>) -> Result<Entity, JsonError> {
    if let Some(fault) = bad_name(kind, name) {
        return Err(node.error(fault));
    }
    let mut object = node.object()?;
    if let Some(schema) = object.take("$schema") {
        schema.string()?;
    }
    let mut entity = Entity::default();
    for field in kind.fields() {
        read_field(kind, name, field, &mut entity, object.take(field))?;
    }
    nothing_else(object)?;
    let missing = |field: &str| node.error(format!("`{field}` is missing: {} needs it", kind.named(name)));
    match kind {
        Kind::Policy | Kind::BucketPolicy if entity.document.is_none() => Err(missing("document")),
        Kind::Role if entity.trust.is_none() => Err(missing("trustPolicy")),
        _ => Ok(entity),
    }
}

fn read_field(
    kind: Kind,
    name: &str,
    field: &str,
    entity: &mut Entity,
    node: Option<Node<'_>>,
) -> Result<(), JsonError> {
    let Some(node) = node else {
        if field == "path" {
            entity.path = "/".to_owned();
        }
        return Ok(());
    };
    match field {
        "path" => entity.path = path(&node)?,
        "description" => entity.description = node.string()?,
        "tags" => entity.tags = tags(&node)?,
        "disabled" => entity.disabled = node.boolean()?,
        "boundary" => entity.boundary = Some(policy_name(&node)?),
        "policies" => entity.policies = set(&node, policy_name)?,
        "inlinePolicies" => {
            for (name, node) in node.object()?.rest() {
                if !is_name(&name, 128) {
                    return Err(node.error(format!("`{name}` is not a policy name: {NAMES}")));
                }
                entity.inline.insert(name, document(PolicyKind::Identity, &node)?);
            }
        }
        "members" | "roles" => {
            entity.members = set(&node, |node| {
                let name = node.string()?;
                if is_name(&name, 64) { Ok(name) } else { Err(node.error(format!("`{name}` is not a name: {NAMES}"))) }
            })?;
            if field == "roles" && entity.members.len() > 1 {
                return Err(node.error("an instance profile has at most one role"));
            }
        }
        "document" if kind == Kind::BucketPolicy => {
            Policy::parse_bucket(name, node.text()).map_err(|error| faulty(&node, &error))?;
            entity.document = Document::of(node.text());
        }
        "document" => entity.document = Some(document(PolicyKind::Identity, &node)?),
        "trustPolicy" => entity.trust = Some(document(PolicyKind::Trust, &node)?),
        "maxSessionDuration" => {
            let seconds = node.integer()?;
            if !SESSION_S.contains(&seconds) {
                return Err(node.error(format!("`{seconds}` is out of range: 3600 to 43200 seconds")));
            }
            entity.max_session_s = (seconds != *SESSION_S.start()).then_some(seconds);
        }
        "clientIds" => entity.client_ids = set(&node, |node| node.string())?,
        "thumbprints" => entity.thumbprints = set(&node, |node| Ok(node.string()?.to_ascii_lowercase()))?,
        _ => {}
    }
    Ok(())
}

/// What names consist of.
const NAMES: &str = "letters, digits and _+=,.@-";

fn bad_name(kind: Kind, name: &str) -> Option<String> {
    let longest = match kind {
        Kind::User | Kind::Role => 64,
        _ => 128,
    };
    let good = match kind {
        Kind::BucketPolicy => name.parse::<BucketName>().is_ok(),
        Kind::OidcProvider => {
            (1..=247).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"<>`".contains(&byte))
                && !name.split('/').any(|part| matches!(part, "" | "." | ".."))
        }
        _ => is_name(name, longest),
    };
    (!good).then(|| match kind {
        Kind::BucketPolicy => format!("`{name}` is not a bucket name"),
        Kind::OidcProvider => {
            format!("`{name}` is not a provider; write its URL without `https://`, as in `idp.example/realm`")
        }
        _ => format!("`{name}` is not a name: at most {longest} {NAMES}"),
    })
}

fn path(node: &Node<'_>) -> Result<String, JsonError> {
    let path = node.string()?;
    let printable = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"*?:".contains(&byte));
    if path.len() <= 512 && printable && path.starts_with('/') && path.ends_with('/') && !path.contains("//") {
        return Ok(path);
    }
    Err(node.error(format!("`{path}` is not a path; a path begins and ends with a slash, as in `/teams/blue/`")))
}

fn tags(node: &Node<'_>) -> Result<BTreeMap<String, String>, JsonError> {
    let mut tags: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in node.object()?.rest() {
        if tags.keys().any(|known| known.to_lowercase() == key.to_lowercase()) {
            return Err(value.error(format!("the tag `{key}` occurs twice, as IAM ignores case; remove one of them")));
        }
        tags.insert(key, value.string()?);
    }
    Ok(tags)
}

fn policy_name(node: &Node<'_>) -> Result<String, JsonError> {
    let name = node.string()?;
    if is_of_aws(&name) || is_name(&name, 128) {
        return Ok(name);
    }
    Err(node.error(format!("`{name}` is neither the name of a policy nor `arn:aws:iam::aws:policy/...`")))
}

fn set(node: &Node<'_>, read: impl Fn(&Node<'_>) -> Result<String, JsonError>) -> Result<BTreeSet<String>, JsonError> {
    node.array()?.iter().map(read).collect()
}

fn document(kind: PolicyKind, node: &Node<'_>) -> Result<Document, JsonError> {
    Policy::parse(kind, node.text()).map_err(|error| faulty(node, &error))?;
    Document::of(node.text()).ok_or_else(|| node.error("this is not JSON"))
}

fn faulty(node: &Node<'_>, error: &policy::PolicyError) -> JsonError {
    let place = if error.path().is_empty() { String::new() } else { format!("{}: ", error.path()) };
    node.error(format!("{place}{}", error.message()))
}

/// What could be a secret is named as such, and never shown.
fn nothing_else(object: Object<'_>) -> Result<(), JsonError> {
    let rest = object.rest();
    let Some((key, node)) = rest.first() else { return Ok(()) };
    let small = key.to_ascii_lowercase();
    if ["key", "secret", "credential", "password", "token"].iter().any(|word| small.contains(word)) {
        return Err(node.error(format!(
            "`{key}` has no place in a tree: access keys and secrets are never part of it; remove it, and if it is a secret, make a new one"
        )));
    }
    Err(node.error(format!("`{key}` is unknown here; docs/iam-as-files.md lists the fields")))
}
