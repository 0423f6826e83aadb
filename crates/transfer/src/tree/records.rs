//! The state of a store as a tree, and a tree as changes of a store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use iam::{
    AccountAlias, Change, Group, Holder, InlinePolicyRecord, InstanceProfile, ManagedPolicy, OidcProvider, PolicyPlace,
    PolicyRecord, Role, RolePlace, SmallMap, Snapshot, User, policy_name_of, shown_policy, shown_trust, trust_ids,
};
use ids::AccountId;

use super::{Document, Entity, Kind, Tree, tags_of};
use crate::{Bundle, Secrets};

impl Tree {
    /// What is stored of the account of the gateway, without what its files define. The notes say what a tree cannot
    /// hold.
    pub fn of(snapshot: &Snapshot) -> (Self, Vec<String>) {
        let (mut tree, mut notes) = (Self::default(), Vec::new());
        for kind in Kind::ALL {
            tree.kinds.insert(kind, BTreeMap::new());
        }
        let account = snapshot.settings().account;
        notes.extend(snapshot.problems().map(|(about, why)| format!("{about} {why}")));
        for policy in snapshot.policies().filter(|policy| is_stored(policy) && is_of(policy.account, account)) {
            tree.put(Kind::Policy, &*policy.name, of_policy(policy));
        }
        for group in snapshot.groups().filter(|group| group.account == account) {
            tree.put(Kind::Group, &*group.name, of_group(snapshot, group));
        }
        let users = snapshot.users().filter(|user| !snapshot.is_static_user(&user.name) && user.account == account);
        for user in users {
            if !user.record.actions.is_empty() {
                notes.push(format!(
                    "user `{}` has actions of SeaweedFS ({}), which a tree does not hold; it stays as it is with them",
                    user.name,
                    user.record.actions.join(", ")
                ));
            }
            tree.put(Kind::User, &*user.name, of_user(snapshot, user));
        }
        for role in snapshot.roles().filter(|role| role.place == RolePlace::Base && role.account == account) {
            tree.put(Kind::Role, &*role.name, of_role(snapshot, role));
        }
        for provider in snapshot.oidc_providers().iter().filter(|provider| provider.account_or(account) == account) {
            tree.put(Kind::OidcProvider, provider_name(&provider.url), of_provider(provider));
        }
        for profile in snapshot.instance_profiles().filter(|profile| profile.account == account.as_str()) {
            tree.put(Kind::InstanceProfile, &profile.name, of_profile(profile));
        }
        for bucket in snapshot.buckets() {
            let text = bucket.policy.as_ref().and_then(|policy| Document::of(&shown_policy(policy, snapshot)));
            if let Some(document) = text {
                tree.put(
                    Kind::BucketPolicy,
                    bucket.name.to_string(),
                    Entity { document: Some(document), ..Entity::default() },
                );
            }
        }
        tree.account_alias = snapshot.account_alias(account.as_str()).map(|alias| alias.alias.clone());
        (tree, notes)
    }

    /// What makes a store hold the tree: each document as it is stored now, with what the tree says of it. What the tree
    /// does not mention stays.
    pub fn bundle(&self, snapshot: &Snapshot) -> Bundle {
        let mut bundle = Bundle { secrets: Secrets::None, ..Bundle::default() };
        for (name, wanted) in self.of_kind(Kind::Policy) {
            bundle.changes.push(policy_change(snapshot, name, wanted));
        }
        for (kind, name, wanted) in [Kind::Group, Kind::Role, Kind::User]
            .iter()
            .flat_map(|kind| self.of_kind(*kind).map(|(n, e)| (*kind, n, e)))
        {
            let holder = match kind {
                Kind::Group => Holder::Group(name.as_str().into()),
                Kind::Role => Holder::Role(name.as_str().into()),
                _ => Holder::User(name.as_str().into()),
            };
            inline_changes(snapshot, &holder, wanted, &mut bundle);
            bundle.changes.push(match kind {
                Kind::Group => group_change(snapshot, name, wanted),
                Kind::Role => role_change(snapshot, name, wanted),
                _ => user_change(snapshot, name, wanted),
            });
        }
        let account = snapshot.settings().account;
        bundle.changes.extend(
            self.of_kind(Kind::OidcProvider).map(|(name, wanted)| provider_change(snapshot, account, name, wanted)),
        );
        bundle.changes.extend(
            self.of_kind(Kind::InstanceProfile).map(|(name, wanted)| profile_change(snapshot, account, name, wanted)),
        );
        if let Some(alias) = &self.account_alias {
            let known = snapshot.account_alias(account.as_str()).map(|known| (**known).clone());
            let record =
                AccountAlias { account: account.to_string(), alias: alias.clone(), ..known.unwrap_or_default() };
            bundle.changes.push(Change::AccountAlias(account.as_str().into(), Some(Ok(record))));
        }
        for (bucket, wanted) in self.of_kind(Kind::BucketPolicy) {
            bundle.bucket_policies.extend(wanted.document.as_ref().map(|document| (bucket.clone(), document.text())));
        }
        bundle.check();
        bundle
    }
}

fn is_of(of: Option<AccountId>, account: AccountId) -> bool {
    of.is_none_or(|of| of == account)
}

fn is_stored(policy: &ManagedPolicy) -> bool {
    policy.places.keys().any(|place| !matches!(place, PolicyPlace::Identities | PolicyPlace::Memory))
}

/// How trees name a provider.
pub(super) fn provider_name(url: &str) -> &str {
    url.strip_prefix("https://").unwrap_or(url)
}

fn path(path: &str) -> String {
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

fn names(policies: &[String]) -> BTreeSet<String> {
    policies.iter().map(|policy| policy_name_of(policy).to_owned()).collect()
}

fn inline(snapshot: &Snapshot, holder: &Holder) -> BTreeMap<String, Document> {
    let policies = snapshot.inline_policies(holder).into_iter();
    policies.filter_map(|(name, policy)| Some((name.to_string(), Document::of(&policy.text)?))).collect()
}

fn of_policy(policy: &ManagedPolicy) -> Entity {
    Entity {
        path: path(policy.path()),
        description: policy.record.description.clone(),
        tags: tags_of(policy.tags()),
        document: Document::of(&policy.record.text),
        ..Entity::default()
    }
}

fn of_group(snapshot: &Snapshot, group: &Group) -> Entity {
    let members = group.record.members.iter().filter(|member| snapshot.user(member).is_some());
    Entity {
        path: path(group.path()),
        members: members.cloned().collect(),
        policies: names(&group.record.attached_policies),
        inline: inline(snapshot, &Holder::Group(group.name.clone())),
        ..Entity::default()
    }
}

fn of_user(snapshot: &Snapshot, user: &User) -> Entity {
    Entity {
        path: path(user.path()),
        tags: tags_of(user.tags()),
        disabled: user.disabled,
        boundary: user.record.boundary.as_deref().map(|policy| policy_name_of(policy).to_owned()),
        policies: names(&user.record.attached_policies),
        inline: inline(snapshot, &Holder::User(user.name.clone())),
        ..Entity::default()
    }
}

fn of_role(snapshot: &Snapshot, role: &Role) -> Entity {
    let record = &role.record;
    Entity {
        path: path(&role.path),
        description: record.description.clone(),
        tags: tags_of(role.tags()),
        boundary: record.boundary.as_deref().map(|policy| policy_name_of(policy).to_owned()),
        policies: names(&record.attached_policies),
        inline: inline(snapshot, &Holder::Role(role.name.clone())),
        trust: Document::of(&shown_trust(record, snapshot)),
        max_session_s: record.max_session_s.filter(|seconds| *seconds != 3600),
        ..Entity::default()
    }
}

fn of_provider(provider: &OidcProvider) -> Entity {
    Entity {
        tags: tags_of(&provider.tags),
        client_ids: provider.client_ids.iter().cloned().collect(),
        thumbprints: provider.thumbprints.iter().cloned().collect(),
        ..Entity::default()
    }
}

fn of_profile(profile: &InstanceProfile) -> Entity {
    Entity {
        path: path(&profile.path),
        tags: tags_of(&profile.tags),
        members: profile.roles.iter().cloned().collect(),
        ..Entity::default()
    }
}

/// A path as it is stored.
fn stored_path(wanted: &Entity, known: &str) -> String {
    if wanted.path == path(known) { known.to_owned() } else { wanted.path.clone() }
}

fn tags(wanted: &Entity) -> SmallMap<String, String> {
    let mut tags = SmallMap::default();
    tags.extend(wanted.tags.clone());
    tags
}

/// The stored names, which may be ARNs, as long as they name the same policies.
fn attached(wanted: &BTreeSet<String>, known: &[String]) -> Vec<String> {
    if names(known) == *wanted { known.to_vec() } else { wanted.iter().cloned().collect() }
}

fn same_or_new(wanted: Option<&Document>, known: &str) -> Arc<str> {
    match wanted {
        Some(document) if Document::of(known).as_ref() != Some(document) => document.text().into(),
        _ => known.into(),
    }
}

fn policy_change(snapshot: &Snapshot, name: &str, wanted: &Entity) -> Change {
    let known = snapshot.policy(name).filter(|policy| is_stored(policy)).map(|policy| policy.record.clone());
    let known = known.unwrap_or_default();
    let record = PolicyRecord {
        text: same_or_new(wanted.document.as_ref(), &known.text),
        path: stored_path(wanted, &known.path),
        description: wanted.description.clone(),
        tags: tags(wanted),
        ..known
    };
    Change::Policy(name.into(), PolicyPlace::Api, Some(Ok(record)))
}

fn group_change(snapshot: &Snapshot, name: &str, wanted: &Entity) -> Change {
    let known = snapshot.group(name).map(|group| (*group.record).clone()).unwrap_or_default();
    let same: BTreeSet<&String> = known.members.iter().collect();
    let members = if same.into_iter().eq(&wanted.members) {
        known.members.clone()
    } else {
        wanted.members.iter().cloned().collect()
    };
    let record = iam::GroupRecord {
        name: name.to_owned(),
        path: stored_path(wanted, &known.path),
        attached_policies: attached(&wanted.policies, &known.attached_policies),
        members,
        ..known
    };
    Change::Group(name.into(), Some(Ok(record)))
}

fn user_change(snapshot: &Snapshot, name: &str, wanted: &Entity) -> Change {
    let known = snapshot.user(name).map(|user| (*user.record).clone()).unwrap_or_default();
    let boundary = match (&wanted.boundary, &known.boundary) {
        (Some(wanted), Some(known)) if policy_name_of(known) == wanted => Some(known.clone()),
        (wanted, _) => wanted.clone(),
    };
    let record = iam::UserRecord {
        name: name.to_owned(),
        path: stored_path(wanted, &known.path),
        tags: tags(wanted),
        disabled: wanted.disabled,
        attached_policies: attached(&wanted.policies, &known.attached_policies),
        boundary,
        ..known
    };
    Change::User(name.into(), Some(Ok(record)))
}

fn role_change(snapshot: &Snapshot, name: &str, wanted: &Entity) -> Change {
    let known = snapshot.role(name).map(|role| (*role.record).clone()).unwrap_or_default();
    let is_same_trust = wanted.trust == Document::of(&shown_trust(&known, snapshot));
    let trust = wanted.trust.as_ref().map(Document::text).unwrap_or_default();
    let boundary = match (&wanted.boundary, &known.boundary) {
        (Some(wanted), Some(known)) if policy_name_of(known) == wanted => Some(known.clone()),
        (wanted, _) => wanted.clone(),
    };
    let record = iam::RoleRecord {
        name: name.to_owned(),
        path: stored_path(wanted, &known.path),
        description: wanted.description.clone(),
        tags: tags(wanted),
        attached_policies: attached(&wanted.policies, &known.attached_policies),
        boundary,
        max_session_s: match known.max_session_s {
            Some(3600) if wanted.max_session_s.is_none() => Some(3600),
            _ => wanted.max_session_s,
        },
        trust_ids: if is_same_trust { known.trust_ids.clone() } else { trust_ids(&trust, snapshot) },
        trust_policy: if is_same_trust { known.trust_policy.clone() } else { trust },
        ..known
    };
    Change::Role(name.into(), RolePlace::Base, Some(Ok(record)))
}

/// The inline policies of a holder. Those that the tree does not have are not removed: an import deletes nothing.
fn inline_changes(snapshot: &Snapshot, holder: &Holder, wanted: &Entity, bundle: &mut Bundle) {
    let stored = snapshot.inline_policies(holder);
    for (name, document) in &wanted.inline {
        let known = stored.get(name.as_str());
        let own = known.and_then(|known| known.ours.clone()).and_then(Result::ok).unwrap_or_default();
        let text = same_or_new(Some(document), known.map_or("", |known| &*known.text));
        let record = InlinePolicyRecord { text, ..own };
        bundle.changes.push(Change::Inline(holder.clone(), name.as_str().into(), Some(Ok(record))));
    }
    for name in stored.keys().filter(|name| !wanted.inline.contains_key(&***name)) {
        bundle.notes.push(format!(
            "inline policy `{name}` of {holder} is not in the tree and stays; `kelpgate iam apply` removes it"
        ));
    }
}

fn provider_change(snapshot: &Snapshot, account: AccountId, name: &str, wanted: &Entity) -> Change {
    let arn = format!("arn:aws:iam::{account}:oidc-provider/{name}");
    let known = snapshot.oidc_provider(&arn).map(|provider| (**provider).clone()).unwrap_or_default();
    let kept = |wanted: &BTreeSet<String>, known: &[String]| {
        if known.iter().cloned().collect::<BTreeSet<_>>() == *wanted {
            known.to_vec()
        } else {
            wanted.iter().cloned().collect()
        }
    };
    let record = OidcProvider {
        account: if known.arn.is_empty() { account.to_string() } else { known.account.clone() },
        url: format!("https://{name}"),
        client_ids: kept(&wanted.client_ids, &known.client_ids),
        thumbprints: kept(&wanted.thumbprints, &known.thumbprints),
        tags: tags(wanted),
        arn: arn.clone(),
        ..known
    };
    Change::OidcProvider(OidcProvider::file_stem(&arn), Some(Ok(record)))
}

fn profile_change(snapshot: &Snapshot, account: AccountId, name: &str, wanted: &Entity) -> Change {
    let known = snapshot.instance_profile(name).map(|profile| (**profile).clone()).unwrap_or_default();
    let record = InstanceProfile {
        name: name.to_owned(),
        account: account.to_string(),
        path: stored_path(wanted, &known.path),
        roles: wanted.members.iter().cloned().collect(),
        tags: tags(wanted),
        ..known
    };
    Change::InstanceProfile(name.into(), Some(Ok(record)))
}
