//! Out: a Snapshot as changes, and changes as one text in an order that does not change.

use std::collections::BTreeMap;

use ids::SecretAccessKey;
use serde_json::{Map, Value, json};

use super::{Bundle, FORMAT, Secrets, VERSION};
use crate::change::{Change, Holder, PolicyPlace, PolicyText, Read, RolePlace};
use crate::documents::{CredentialDocument, Facts, ServiceAccountDocument};
use crate::oidc_provider::OidcProviderDocument;
use crate::policy_ids::shown_policy;
use crate::snapshot::{ManagedPolicy, Snapshot};

impl Bundle {
    /// Everything that is stored. What the files of a gateway define is not: it is in the files.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut bundle = Self { secrets: Secrets::Plain, ..Self::default() };
        for (about, why) in snapshot.problems() {
            bundle.refuse(about, why);
        }
        for policy in snapshot.policies() {
            bundle.changes.extend(stored_policy(policy));
        }
        let users = || snapshot.users().filter(|user| !snapshot.is_static_user(&user.name));
        let roles = || snapshot.roles().filter(|role| role.place == RolePlace::Base);
        let holders = users().map(|user| Holder::User(user.name.clone()));
        let holders = holders.chain(snapshot.groups().map(|group| Holder::Group(group.name.clone())));
        for holder in holders.chain(roles().map(|role| Holder::Role(role.name.clone()))) {
            bundle.inline(snapshot, &holder);
        }
        let groups = snapshot.groups();
        bundle
            .changes
            .extend(groups.map(|group| Change::Group(group.name.clone(), Some(Ok((*group.document).clone())))));
        let role = |name, document| Change::Role(name, RolePlace::Base, Some(Ok(document)));
        bundle.changes.extend(roles().map(|found| role(found.name.clone(), (*found.document).clone())));
        for user in users() {
            let mut document = (*user.document).clone();
            let from_weed =
                snapshot.inline_policies(&Holder::User(user.name.clone())).values().any(|p| p.weeds.is_some());
            if from_weed && !document.actions.is_empty() {
                // weed made them of the inline policies, often wider; they do not count beside these, and would without weed's file.
                document.actions.clear();
            }
            bundle.changes.push(Change::User(user.name.clone(), Some(Ok(document))));
        }
        let accounts =
            snapshot.all_service_accounts().filter(|account| !snapshot.is_static_service_account(&account.id));
        let account = |account: &ServiceAccountDocument| {
            Change::ServiceAccount(account.id.as_str().into(), Some(Ok(account.clone())))
        };
        bundle.changes.extend(accounts.map(|found| account(found)));
        for provider in snapshot.oidc_providers() {
            let stem = OidcProviderDocument::file_stem(&provider.arn);
            bundle.changes.push(Change::OidcProvider(stem, Some(Ok((**provider).clone()))));
        }
        for profile in snapshot.instance_profiles() {
            let name = profile.name.as_str().into();
            bundle.changes.push(Change::InstanceProfile(name, Some(Ok((**profile).clone()))));
        }
        for alias in snapshot.account_aliases() {
            let account = alias.account.as_str().into();
            bundle.changes.push(Change::AccountAlias(account, Some(Ok((**alias).clone()))));
        }
        let policies = snapshot.buckets().filter_map(|bucket| Some((bucket.name.to_string(), bucket.policy.as_ref()?)));
        // With the names of now: a name that stands in the text may belong to somebody else where it is imported.
        bundle.bucket_policies =
            policies.map(|(name, policy)| (name, shown_policy(policy, snapshot).into_owned())).collect();
        bundle
    }

    /// Empties every secret.
    pub fn leave_secrets_out(&mut self) {
        self.secrets = Secrets::None;
        for change in &mut self.changes {
            let credentials: &mut [CredentialDocument] = match change {
                Change::User(_, Some(Ok(user))) => &mut user.credentials,
                Change::ServiceAccount(_, Some(Ok(account))) => account.credential.as_mut_slice(),
                _ => &mut [],
            };
            for credential in credentials {
                credential.secret_key = SecretAccessKey::new("");
            }
        }
    }

    fn inline(&mut self, snapshot: &Snapshot, holder: &Holder) {
        for (name, policy) in snapshot.inline_policies(holder) {
            if policy.compiled.unreadable_reason().is_some() {
                continue; // among the problems
            }
            let facts = policy.ours.and_then(Result::ok).map(|own| own.facts).unwrap_or_default();
            let text = PolicyText { text: policy.text, facts };
            self.changes.push(Change::Inline(holder.clone(), name, Some(Ok(text))));
        }
    }

    /// The text: JSON, two spaces, names in byte order.
    pub fn to_json(&self) -> String {
        let mut parts: BTreeMap<&'static str, Value> = BTreeMap::new();
        for change in &self.changes {
            match change {
                Change::User(name, Some(Ok(user))) => {
                    put(&mut parts, "users", &[name], document(user.to_text(), &user.facts))
                }
                Change::ServiceAccount(id, Some(Ok(account))) => {
                    put(&mut parts, "serviceAccounts", &[id], document(account.to_text(), &account.facts));
                }
                Change::Group(name, Some(Ok(group))) => {
                    put(&mut parts, "groups", &[name], document(group.to_text(), &group.facts));
                }
                Change::Role(name, _, Some(Ok(role))) => {
                    put(&mut parts, "roles", &[name], document(role.to_text(), &role.facts));
                }
                Change::OidcProvider(_, Some(Ok(provider))) => {
                    let value = document(provider.to_text(), &provider.facts);
                    put(&mut parts, "oidcProviders", &[&provider.arn], value);
                }
                Change::InstanceProfile(name, Some(Ok(profile))) => {
                    put(&mut parts, "instanceProfiles", &[name], document(profile.to_text(), &Facts::default()));
                }
                Change::AccountAlias(account, Some(Ok(alias))) => {
                    put(&mut parts, "accountAliases", &[account], document(alias.to_text(), &Facts::default()));
                }
                Change::Policy(name, place, Some(Ok(policy))) => {
                    let mut value = document(policy.text.to_string(), &policy.facts);
                    if let Some(map) = value.as_object_mut() {
                        map.insert("place".to_owned(), place_name(*place).into());
                    }
                    put(&mut parts, "policies", &[name], value);
                }
                Change::Inline(holder, name, Some(Ok(policy))) => {
                    let kind = format!("{}s", holder.kind());
                    let value = document(policy.text.to_string(), &policy.facts);
                    put(&mut parts, "inlinePolicies", &[&kind, holder.name(), name], value);
                }
                _ => {}
            }
        }
        for (name, text) in &self.bucket_policies {
            put(&mut parts, "bucketPolicies", &[name], value_of(text));
        }
        let secrets = match &self.secrets {
            Secrets::None => json!("none"),
            Secrets::Plain => json!("plain"),
            Secrets::Sealed { salt, iterations } => json!({
                "cipher": "AES-256-GCM", "kdf": "PBKDF2-HMAC-SHA256", "iterations": iterations, "salt": hex_of(salt),
            }),
        };
        parts.extend([("format", FORMAT.into()), ("version", VERSION.into()), ("secrets", secrets)]);
        serde_json::to_string_pretty(&parts).unwrap_or_default() + "\n"
    }
}

/// The place that is exported where a policy stands in several, which agree.
fn stored_policy(policy: &ManagedPolicy) -> Option<Change> {
    let stored = |place: &PolicyPlace| !matches!(place, PolicyPlace::Identities | PolicyPlace::Memory);
    let (place, _) = policy.places.iter().find(|(place, _)| stored(place))?;
    if policy.compiled.unreadable_reason().is_some() {
        return None; // among the problems
    }
    let text = PolicyText { text: policy.text.clone(), facts: policy.facts.clone() };
    Some(Change::Policy(policy.name.clone(), *place, Some(Ok(text) as Read<PolicyText>)))
}

pub(super) fn place_name(place: PolicyPlace) -> &'static str {
    match place {
        PolicyPlace::Base | PolicyPlace::BasePrefixed => "configuration",
        _ => "api",
    }
}

fn document(text: String, facts: &Facts) -> Value {
    let mut map = Map::from_iter([("document".to_owned(), value_of(&text))]);
    // What somebody is about to delete here is not elsewhere.
    let facts = Facts { deleting_s: 0, ..facts.clone() };
    if let Some(facts) = facts.to_text() {
        map.insert("facts".to_owned(), value_of(&facts));
    }
    Value::Object(map)
}

/// What is stored and was read is JSON.
fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn put(parts: &mut BTreeMap<&'static str, Value>, part: &'static str, path: &[&str], value: Value) {
    let mut place = parts.entry(part).or_default();
    for name in path {
        if place.is_null() {
            *place = json!({});
        }
        let Some(map) = place.as_object_mut() else { return };
        place = map.entry((*name).to_owned()).or_insert(Value::Null);
    }
    *place = value;
}

pub(super) fn hex_of(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
