//! Export: turns a Snapshot into changes, and changes into one text in a fixed order.

use std::collections::BTreeMap;

use ids::SecretAccessKey;
use serde_json::{Map, Value, json};

use super::{Bundle, FORMAT, Secrets, VERSION};
use iam::{
    Change, Credential, Holder, InlinePolicyRecord, ManagedPolicy, OidcProvider, PolicyPlace, RolePlace,
    ServiceAccount, Snapshot, shown_policy,
};
use iam_formats::StoredDocument;

impl Bundle {
    /// Everything that is stored, without what a gateway's files define.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut bundle = Self { secrets: Secrets::Plain, ..Self::default() };
        for (about, why) in snapshot.problems() {
            bundle.refuse(about.to_string(), why);
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
        bundle.changes.extend(groups.map(|group| Change::Group(group.name.clone(), Some(Ok((*group.record).clone())))));
        let role = |name, document| Change::Role(name, RolePlace::Base, Some(Ok(document)));
        bundle.changes.extend(roles().map(|found| role(found.name.clone(), (*found.record).clone())));
        for user in users() {
            let mut document = (*user.record).clone();
            let from_weed =
                snapshot.inline_policies(&Holder::User(user.name.clone())).values().any(|p| p.weeds.is_some());
            if from_weed && !document.actions.is_empty() {
                // SeaweedFS derived them from the inline policies, and they often allow more. They do not apply next to
                // these, but would without SeaweedFS's file.
                document.actions.clear();
            }
            bundle.changes.push(Change::User(user.name.clone(), Some(Ok(document))));
        }
        let accounts =
            snapshot.all_service_accounts().filter(|account| !snapshot.is_static_service_account(&account.id));
        let account =
            |account: &ServiceAccount| Change::ServiceAccount(account.id.as_str().into(), Some(Ok(account.clone())));
        bundle.changes.extend(accounts.map(|found| account(found)));
        for provider in snapshot.oidc_providers() {
            let stem = OidcProvider::file_stem(&provider.arn);
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
        for stored in snapshot.account_blocks() {
            let account = stored.account.as_str().into();
            bundle.changes.push(Change::AccountPublicAccessBlock(account, Some(Ok((**stored).clone()))));
        }
        let policies = snapshot.buckets().filter_map(|bucket| Some((bucket.name.to_string(), bucket.policy.as_ref()?)));
        // With current names: a name in the stored text may belong to someone else where it is imported.
        bundle.bucket_policies =
            policies.map(|(name, policy)| (name, shown_policy(policy, snapshot).into_owned())).collect();
        bundle
    }

    /// Removes every secret.
    pub fn leave_secrets_out(&mut self) {
        self.secrets = Secrets::None;
        for change in &mut self.changes {
            let credentials: &mut [Credential] = match change {
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
                continue; // it is listed among the problems
            }
            let own = policy.ours.and_then(Result::ok).unwrap_or_default();
            let policy = InlinePolicyRecord { text: policy.text, ..own };
            self.changes.push(Change::Inline(holder.clone(), name, Some(Ok(policy))));
        }
    }

    /// The text: JSON, indented by two spaces, with names in byte order.
    pub fn to_json(&self) -> String {
        let mut parts: BTreeMap<&'static str, Value> = BTreeMap::new();
        for change in &self.changes {
            match change {
                Change::User(name, Some(Ok(user))) => put(&mut parts, "users", &[name], document(user)),
                Change::ServiceAccount(id, Some(Ok(account))) => {
                    put(&mut parts, "serviceAccounts", &[id], document(account));
                }
                Change::Group(name, Some(Ok(group))) => {
                    put(&mut parts, "groups", &[name], document(group));
                }
                Change::Role(name, _, Some(Ok(role))) => {
                    put(&mut parts, "roles", &[name], document(role));
                }
                Change::OidcProvider(_, Some(Ok(provider))) => {
                    let value = document(provider);
                    put(&mut parts, "oidcProviders", &[&provider.arn], value);
                }
                Change::InstanceProfile(name, Some(Ok(profile))) => {
                    put(&mut parts, "instanceProfiles", &[name], document(profile));
                }
                Change::AccountAlias(account, Some(Ok(alias))) => {
                    put(&mut parts, "accountAliases", &[account], document(alias));
                }
                Change::AccountPublicAccessBlock(account, Some(Ok(stored))) => {
                    put(&mut parts, "accountPublicAccessBlocks", &[account], document(stored));
                }
                Change::Policy(name, place, Some(Ok(policy))) => {
                    let mut value = document(policy);
                    if let Some(map) = value.as_object_mut() {
                        map.insert("place".to_owned(), place_name(*place).into());
                    }
                    put(&mut parts, "policies", &[name], value);
                }
                Change::Inline(holder, name, Some(Ok(policy))) => {
                    let kind = format!("{}s", holder.kind());
                    let value = document(policy);
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
                "cipher": "AES-256-GCM", "kdf": "PBKDF2-HMAC-SHA256", "iterations": iterations, "salt": hex::encode(salt),
            }),
        };
        parts.extend([("format", FORMAT.into()), ("version", VERSION.into()), ("secrets", secrets)]);
        serde_json::to_string_pretty(&parts).unwrap_or_default() + "\n"
    }
}

/// The place that is exported if a policy is in several places, which agree.
fn stored_policy(policy: &ManagedPolicy) -> Option<Change> {
    let stored = |place: &PolicyPlace| !matches!(place, PolicyPlace::Identities | PolicyPlace::Memory);
    let (place, _) = policy.places.iter().find(|(place, _)| stored(place))?;
    if policy.compiled.unreadable_reason().is_some() {
        return None; // it is listed among the problems
    }
    Some(Change::Policy(policy.name.clone(), *place, Some(Ok(policy.record.clone()))))
}

pub(super) fn place_name(place: PolicyPlace) -> &'static str {
    match place {
        PolicyPlace::Base | PolicyPlace::BasePrefixed => "configuration",
        _ => "api",
    }
}

fn document(stored: &impl StoredDocument) -> Value {
    let mut map = Map::from_iter([("document".to_owned(), value_of(&stored.to_text()))]);
    let mut facts = stored.facts();
    // The announcement of a deletion here does not apply elsewhere.
    facts.deleting_s = 0;
    if let Some(facts) = facts.to_text() {
        map.insert("facts".to_owned(), value_of(&facts));
    }
    Value::Object(map)
}

/// Text that was read from the store is JSON.
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
