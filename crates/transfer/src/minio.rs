//! MinIO's export (`mc admin cluster iam export`): the JSON files of its zip, below `iam-assets/`.
//!
//! In MinIO a user *is* an access key. Here it becomes a user with that name, who has one access key with that id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Bundle, Secrets};
use iam::{Change, Credential, GroupRecord, PolicyPlace, PolicyRecord, ServiceAccount, UserRecord};
use json::{JsonError, Node};

/// The files that are read. The notes name any others.
pub const MINIO_FILES: [&str; 7] = [
    "policies.json",
    "users.json",
    "groups.json",
    "svcaccts.json",
    "user_mappings.json",
    "group_mappings.json",
    "stsuser_mappings.json",
];

/// Services whose actions exist in MinIO's policies and not here.
const FOREIGN_SERVICES: [&str; 2] = ["admin:", "kms:"];

/// Reads the files, by their names without a directory.
///
/// Fails if a file is not JSON or not what MinIO writes, with its name, line and column.
pub fn from_minio(files: &BTreeMap<String, String>) -> Result<Bundle, (String, JsonError)> {
    let mut bundle = Bundle { secrets: Secrets::Plain, ..Bundle::default() };
    for name in files.keys().filter(|name| !MINIO_FILES.contains(&name.as_str())) {
        bundle.notes.push(format!("`{name}` is not read"));
    }
    let each = |file: &str| -> Result<Vec<(String, Node<'_>)>, (String, JsonError)> {
        let Some(text) = files.get(file).filter(|text| !text.trim().is_empty()) else { return Ok(Vec::new()) };
        let read =
            Node::parse(text).and_then(|node| if node.is_null() { Ok(Vec::new()) } else { Ok(node.object()?.rest()) });
        read.map_err(|error| (file.to_owned(), error))
    };
    let in_file = |file: &str| {
        let file = file.to_owned();
        move |error| (file, error)
    };
    let mut empty = BTreeSet::new();
    for (name, node) in each("policies.json")? {
        if !bundle.policy(&name, node.text()) {
            empty.insert(name);
        }
    }
    let mut attached = [BTreeMap::new(), BTreeMap::new()];
    for (map, file) in attached.iter_mut().zip(["user_mappings.json", "group_mappings.json"]) {
        for (name, node) in each(file)? {
            let mut policies = mapped(&node).map_err(in_file(file))?;
            policies.retain(|policy| !empty.contains(policy));
            map.insert(name, policies);
        }
    }
    let [mut of_users, mut of_groups] = attached;
    let mut of_directory = DirectoryPolicies::default();
    for (name, node) in each("stsuser_mappings.json")? {
        let mut policies = mapped(&node).map_err(in_file("stsuser_mappings.json"))?;
        policies.retain(|policy| !empty.contains(policy));
        if let Err(policies) = of_directory.add(Kind::User, &name, policies) {
            let policies = policies.join(", ");
            let why = format!(
                "it belongs to a user of an identity provider (policies: {policies}); write a role whose trust policy names that \
                 provider, or let its tokens name policies (`policyClaim`)"
            );
            bundle.refuse(format!("policy mapping of `{name}`"), why);
        }
    }
    for (name, node) in each("groups.json")? {
        let group = group(&name, &node, of_groups.remove(&name).unwrap_or_default()).map_err(in_file("groups.json"))?;
        bundle.changes.push(Change::Group(name.as_str().into(), Some(Ok(group))));
    }
    for (name, node) in each("users.json")? {
        let user = user(&name, &node, of_users.remove(&name).unwrap_or_default()).map_err(in_file("users.json"))?;
        bundle.changes.push(Change::User(name.as_str().into(), Some(Ok(user))));
    }
    let left = of_users.into_iter().map(|left| (Kind::User, left));
    for (kind, (name, policies)) in left.chain(of_groups.into_iter().map(|left| (Kind::Group, left))) {
        if of_directory.add(kind, &name, policies).is_err() {
            let why = "neither users.json nor groups.json has it, and it is not the DN of a directory";
            bundle.refuse(format!("policy mapping of `{name}`"), why);
        }
    }
    bundle.notes.extend(of_directory.into_note());
    for (key, node) in each("svcaccts.json")? {
        bundle.service_account(&key, &node).map_err(in_file("svcaccts.json"))?;
    }
    bundle.check();
    Ok(bundle)
}

/// Whose policies a mapping of a directory is about.
#[derive(Clone, Copy)]
enum Kind {
    User,
    Group,
}

/// Policies that MinIO gives to users and groups of a directory, by DN. Here they stand in the file of the gateways.
#[derive(Default)]
struct DirectoryPolicies {
    users: BTreeMap<String, BTreeSet<String>>,
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl DirectoryPolicies {
    /// Adds the policies of a DN, in whichever spelling. What is not a DN gives them back.
    fn add(&mut self, kind: Kind, name: &str, policies: Vec<String>) -> Result<(), Vec<String>> {
        let Some(dn) = iam::read_dn(name) else { return Err(policies) };
        let known = match kind {
            Kind::User => &mut self.users,
            Kind::Group => &mut self.groups,
        };
        if !policies.is_empty() {
            known.entry(dn).or_default().extend(policies);
        }
        Ok(())
    }

    fn into_note(self) -> Option<String> {
        if self.users.is_empty() && self.groups.is_empty() {
            return None;
        }
        let mapping = json!({"users": self.users, "groups": self.groups});
        Some(format!(
            "policies of users and groups of a directory: put this into the `config` of its provider (type `ldap`) in -iam.config: \
             \"policyMapping\": {mapping}"
        ))
    }
}

impl Bundle {
    /// Adds a canned policy without the parts about MinIO itself; false if it has no other parts.
    fn policy(&mut self, name: &str, text: &str) -> bool {
        // The text is part of a document that was parsed.
        let mut document: Value = serde_json::from_str(text).unwrap_or_default();
        let before = document.clone();
        if let Some(statements) = document.get_mut("Statement").and_then(Value::as_array_mut) {
            statements.retain_mut(has_actions_of_ours);
            if statements.is_empty() {
                let note = "is only about the administration of MinIO (admin:*, kms:*): it is left out and detached from its holders";
                self.notes.push(format!("policy `{name}` {note}"));
                return false;
            }
        }
        if document != before {
            self.notes.push(format!("policy `{name}`: what it says of admin:* and kms:* is left out"));
        }
        let policy = PolicyRecord::of_text(document.to_string());
        self.changes.push(Change::Policy(name.into(), PolicyPlace::Api, Some(Ok(policy))));
        true
    }

    fn service_account(&mut self, key: &str, node: &Node<'_>) -> Result<(), JsonError> {
        let mut object = node.object()?;
        let parent = object.string(&["parent"])?;
        let id: Arc<str> = format!("sa:{parent}:{}", hex::encode(key)).into();
        if let Some(policy) = object.take("sessionPolicy").filter(|policy| !is_empty(policy.text())) {
            let bytes = policy.text().len();
            let why = format!(
                "access key `{key}` is narrowed by a policy of its own ({bytes} bytes), which service accounts do not have here: it would have all rights \
                 of its parent; make a user with that policy"
            );
            self.refuse(format!("service account `{id}`"), why);
            return Ok(());
        }
        let account = ServiceAccount {
            id: id.to_string(),
            parent_user: parent,
            description: [object.string(&["name"])?, object.string(&["description"])?].join(" ").trim().to_owned(),
            credential: Some(Credential::new(key, object.string(&["secretKey"])?)),
            expires_s: object.take("expiration").map(|node| expiration_s(&node)).transpose()?.unwrap_or_default(),
            disabled: !matches!(object.string(&["status"])?.as_str(), "" | "on" | "enabled"),
            ..ServiceAccount::default()
        };
        self.changes.push(Change::ServiceAccount(id, Some(Ok(account))));
        Ok(())
    }
}

fn user(name: &str, node: &Node<'_>, attached_policies: Vec<String>) -> Result<UserRecord, JsonError> {
    let mut object = node.object()?;
    let key = Credential::new(name, object.string(&["secretKey"])?);
    let disabled = !matches!(object.string(&["status"])?.as_str(), "" | "on" | "enabled");
    Ok(UserRecord {
        name: name.to_owned(),
        credentials: vec![key],
        disabled,
        attached_policies,
        ..UserRecord::default()
    })
}

fn group(name: &str, node: &Node<'_>, attached_policies: Vec<String>) -> Result<GroupRecord, JsonError> {
    let mut object = node.object()?;
    let members = object.strings(&["members"])?;
    let disabled = !matches!(object.string(&["status"])?.as_str(), "" | "on" | "enabled");
    Ok(GroupRecord { name: name.to_owned(), members, disabled, attached_policies, ..GroupRecord::default() })
}

/// `{"policy": "one,two"}`.
fn mapped(node: &Node<'_>) -> Result<Vec<String>, JsonError> {
    let names = node.object()?.string(&["policy"])?;
    Ok(names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Seconds since 1970. MinIO writes the year 1 or 1970 for never.
fn expiration_s(node: &Node<'_>) -> Result<i64, JsonError> {
    let text = node.string()?;
    let at: Timestamp =
        text.parse().map_err(|_| node.error(format!("`{text}` is not a time such as 2030-01-31T00:00:00Z")))?;
    Ok(at.as_second().max(0))
}

/// `null`, `{}`, or one of these as text.
fn is_empty(policy: &str) -> bool {
    matches!(policy.trim_matches('"').trim(), "" | "null" | "{}") || policy.contains(r#""Statement":null"#)
}

/// Removes actions that do not exist here from a statement; false if none is left.
fn has_actions_of_ours(statement: &mut Value) -> bool {
    let foreign = |action: &Value| {
        action.as_str().is_some_and(|action| {
            FOREIGN_SERVICES.iter().any(|service| action.to_ascii_lowercase().starts_with(service))
        })
    };
    match statement.get_mut("Action") {
        Some(Value::Array(actions)) => {
            actions.retain(|action| !foreign(action));
            !actions.is_empty()
        }
        Some(action) => !foreign(action),
        None => true,
    }
}
