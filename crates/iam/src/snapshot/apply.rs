//! Makes the next Snapshot: applies changes, then rebuilds the holders that they affect.

mod weed_policies;

use std::collections::BTreeSet;
use std::sync::Arc;

use ids::{AccountId, PublicAccessBlock};
use policy::{CompiledPolicy, Principal};
use rpds::HashTrieSetSync;

use super::managed_policy::{InlineMap, InlinePolicy, ManagedPolicy, policy_name_of};
use super::problem::ProblemSubject;
use super::role::Role;
use super::user::{Group, KeyOwner, PolicySource, User, usable};
use super::{Holders, Map, Names, Snapshot};
use crate::bucket::Bucket;
use crate::change::{Change, DocumentKey, Holder, PolicyPlace, Read, RolePlace, Unreadable};
use crate::entity::{
    AccountPublicAccessBlock, Credential, GroupRecord, InlinePolicyRecord, PolicyRecord, Renamed, RoleRecord,
    ServiceAccount, UserRecord, path_or_root,
};
use crate::identities::{Identities, is_root_of};
use crate::identity_provider::IdentityProvider;
use crate::name::{ANONYMOUS, CLAIM_BASED, is_claim_based};
use crate::revocation::Revocation;
use crate::unique_id::unique_id;

impl Snapshot {
    /// The Snapshot after these changes, with a revision that is one higher.
    #[must_use]
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Self {
        let mut next = self.next();
        next.extend(changes);
        next.finish()
    }

    /// Begins the next Snapshot, for changes that arrive one after the other and need not be in memory together.
    pub fn next(&self) -> SnapshotBuilder {
        SnapshotBuilder {
            snapshot: self.clone(),
            users: BTreeSet::new(),
            groups: BTreeSet::new(),
            roles: BTreeSet::new(),
        }
    }

    /// The Snapshot with the definitions of the identities file, at the same revision.
    pub(super) fn with_identities(&self, identities: &Identities) -> Self {
        let mut next = self.next();
        for user in &identities.users {
            next.set_user(&user.name.as_str().into(), Some(user.clone()), true);
        }
        let names = identities.users.iter().map(|user| user.name.as_str().into()).collect();
        next.snapshot.static_users = Arc::new(names);
        let ids = identities.service_accounts.iter().map(|account| account.id.as_str().into()).collect();
        next.snapshot.static_service_accounts = Arc::new(ids);
        for account in &identities.service_accounts {
            next.set_service_account(&account.id.as_str().into(), Some(account.clone()), true);
        }
        for (name, text) in &identities.policies {
            let policy = PolicyRecord::of_text(text.as_str());
            next.set_policy(&name.as_str().into(), PolicyPlace::Identities, Some(Ok(policy)));
        }
        next.rebuilt()
    }
}

/// A Snapshot under construction: every change is added, then each affected holder is rebuilt once.
pub struct SnapshotBuilder {
    snapshot: Snapshot,
    users: BTreeSet<Arc<str>>,
    groups: BTreeSet<Arc<str>>,
    roles: BTreeSet<Arc<str>>,
}

impl Extend<Change> for SnapshotBuilder {
    fn extend<T: IntoIterator<Item = Change>>(&mut self, changes: T) {
        changes.into_iter().for_each(|change| self.apply(change));
    }
}

impl SnapshotBuilder {
    /// The Snapshot after these changes, with a revision that is one higher than the previous one.
    #[must_use]
    pub fn finish(self) -> Snapshot {
        let mut next = self.rebuilt();
        next.revision += 1;
        next
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::User(name, read) => self.user(&name, read),
            Change::ServiceAccount(id, read) => self.service_account(&id, read),
            Change::Group(name, read) => {
                let document = self.readable(DocumentKey::Group(name.clone()), read);
                self.set_group(&name, document);
            }
            Change::Policy(name, place, read) => self.set_policy(&name, place, read),
            Change::Role(name, place, read) => {
                let document = self.readable(DocumentKey::Role(name.clone()), read.map(without_reserved_name));
                self.set_role(&name, place, document);
            }
            Change::Inline(holder, name, read) => self.set_inline(holder, &name, read),
            Change::WeedPolicies(read) => {
                let document = self.readable(DocumentKey::WeedPolicies, read);
                self.set_weed_policies(document.unwrap_or_default());
            }
            Change::OidcProvider(stem, read) => {
                let document = self.readable(DocumentKey::OidcProvider(stem.clone()), read);
                put(&mut self.snapshot.oidc_providers, stem, document);
                self.list_identity_providers();
            }
            Change::OidcKeys(stem, read) => {
                let document = self.readable(DocumentKey::OidcKeys(stem.clone()), read);
                put(&mut self.snapshot.oidc_keys, stem, document);
            }
            Change::MfaDevice(stem, read) => {
                let document = self.readable(DocumentKey::MfaDevice(stem.clone()), read);
                put(&mut self.snapshot.mfa_devices, stem, document);
            }
            Change::Revocation(stem, read) => self.revocation(stem, read),
            Change::InstanceProfile(name, read) => {
                let key = DocumentKey::InstanceProfile(name.clone());
                let document = self.readable(key.clone(), read);
                self.snapshot.index_lower_case(&key, document.is_some());
                put(&mut self.snapshot.instance_profiles, name, document);
            }
            Change::AccountAlias(account, read) => {
                let document = self.readable(DocumentKey::AccountAlias(account.clone()), read);
                put(&mut self.snapshot.account_aliases, account, document);
            }
            Change::AccountPublicAccessBlock(account, read) => self.public_access_block(account, read),
            Change::Bucket(name, Some(bucket)) => self.bucket(name, bucket),
            Change::Bucket(name, None) => {
                self.snapshot.buckets.remove_mut(&name);
            }
        }
    }

    fn user(&mut self, name: &Arc<str>, read: Option<Read<UserRecord>>) {
        if self.snapshot.static_users.contains(name) {
            let why = read.map(|_| "is ignored: the identities file defines this user and takes precedence".to_owned());
            return self.problem(ProblemSubject::Ignored(DocumentKey::User(name.clone())), why);
        }
        let document = self.readable(DocumentKey::User(name.clone()), read);
        self.set_user(name, document.filter(|user| *user.name == **name), false);
    }

    fn service_account(&mut self, id: &Arc<str>, read: Option<Read<ServiceAccount>>) {
        if self.snapshot.static_service_accounts.contains(id) {
            let why = read.map(|_| "is ignored: the identities file defines it and takes precedence".to_owned());
            return self.problem(ProblemSubject::Ignored(DocumentKey::ServiceAccount(id.clone())), why);
        }
        let document = self.readable(DocumentKey::ServiceAccount(id.clone()), read);
        self.set_service_account(id, document, false);
    }

    fn revocation(&mut self, stem: Arc<str>, read: Option<Read<Revocation>>) {
        // What cannot be read revokes whatever it is about, which the name of its file says.
        let unreadable = matches!(read, Some(Err(_))).then(Revocation::of_everything);
        let document = self.readable(DocumentKey::Revocation(stem.clone()), read);
        put(&mut self.snapshot.revocations, stem, document.or(unreadable));
    }

    fn public_access_block(&mut self, account: Arc<str>, read: Option<Read<AccountPublicAccessBlock>>) {
        // One that cannot be read blocks everything.
        let unreadable = matches!(read, Some(Err(_))).then(|| AccountPublicAccessBlock {
            account: account.to_string(),
            block: PublicAccessBlock::ALL,
            ..AccountPublicAccessBlock::default()
        });
        let document = self.readable(DocumentKey::AccountPublicAccessBlock(account.clone()), read);
        put(&mut self.snapshot.account_blocks, account.clone(), document.or(unreadable));
        self.block_buckets(&account);
    }

    fn bucket(&mut self, name: Arc<str>, mut bucket: Arc<Bucket>) {
        // An owner that is not an account number belongs to the default account, like users without an account.
        let account = self.snapshot.account_of_owner(&bucket.owner);
        let account_block = self.account_block(account.as_str());
        if (bucket.account, bucket.account_block) != (account, account_block) {
            bucket = Arc::new(Bucket { account, account_block, ..(*bucket).clone() });
        }
        self.snapshot.buckets.insert_mut(name, bucket);
    }

    fn account_block(&self, account: &str) -> PublicAccessBlock {
        self.snapshot.account_block(account).map(|stored| stored.block).unwrap_or_default()
    }

    /// Tells all buckets of an account about its public access block.
    fn block_buckets(&mut self, account: &str) {
        let account_block = self.account_block(account);
        let of_account = |bucket: &&Arc<Bucket>| bucket.account.as_str() == account;
        let buckets: Vec<_> = self.snapshot.buckets().filter(of_account).cloned().collect();
        for bucket in buckets {
            let name = bucket.name.clone();
            self.snapshot.buckets.insert_mut(name, Arc::new(Bucket { account_block, ..(*bucket).clone() }));
        }
    }

    /// The document, or `None` and a recorded problem.
    fn readable<T>(&mut self, key: DocumentKey, read: Option<Read<T>>) -> Option<T> {
        let (document, why) = match read {
            None => (None, None),
            Some(Ok(document)) => (Some(document), None),
            Some(Err(reason)) => (None, Some(format!("cannot be read: {reason}"))),
        };
        self.problem(ProblemSubject::Document(key), why);
        document
    }

    fn problem(&mut self, about: ProblemSubject, why: Option<String>) {
        match why {
            Some(why) => self.snapshot.problems.insert_mut(about, why.into()),
            None => {
                self.snapshot.problems.remove_mut(&about);
            }
        }
    }

    fn set_user(&mut self, name: &Arc<str>, document: Option<UserRecord>, is_static: bool) {
        let document_key = DocumentKey::User(name.clone());
        let old = self.snapshot.users.get(name).map(|user| user.record.clone());
        for (place, key) in old.iter().flat_map(|user| user.credentials.iter().enumerate()) {
            self.release_key(&KeyOwner::of_user(name, place, is_static), &document_key, key);
        }
        let new = document.map(Arc::new);
        for (place, key) in new.iter().flat_map(|user| user.credentials.iter().enumerate()) {
            self.claim_key(KeyOwner::of_user(name, place, is_static), &document_key, key);
        }
        let wanted = |user: &Option<Arc<UserRecord>>| {
            policy_names(user, |user| (&user.attached_policies, user.boundary.as_ref()))
        };
        self.attach(&Holder::User(name.clone()), &wanted(&old), &wanted(&new));
        self.snapshot.index_lower_case(&document_key, new.is_some());
        self.renaming(Holder::User(name.clone()), new.as_ref().and_then(|user| user.renamed.as_ref()));
        match new {
            Some(document) => {
                let user = user_without_policies(name, document, is_static, self.snapshot.settings.account);
                self.snapshot.users.insert_mut(name.clone(), Arc::new(user));
                self.users.insert(name.clone());
            }
            None => {
                self.snapshot.users.remove_mut(name);
            }
        }
    }

    fn set_service_account(&mut self, id: &Arc<str>, document: Option<ServiceAccount>, is_static: bool) {
        let document_key = DocumentKey::ServiceAccount(id.clone());
        if let Some(old) = self.snapshot.service_accounts.get(id).cloned() {
            if let Some(key) = &old.credential {
                let owner = KeyOwner::of_service_account(&old, is_static);
                self.release_key(&owner, &document_key, key);
            }
            change_names(&mut self.snapshot.parents, &old.parent_user.as_str().into(), id, false);
        }
        match document {
            Some(document) => {
                let owner = KeyOwner::of_service_account(&document, is_static);
                if let Some(key) = &document.credential {
                    self.claim_key(owner, &document_key, key);
                }
                change_names(&mut self.snapshot.parents, &document.parent_user.as_str().into(), id, true);
                self.snapshot.service_accounts.insert_mut(id.clone(), Arc::new(document));
            }
            None => {
                self.snapshot.service_accounts.remove_mut(id);
            }
        }
    }

    fn claim_key(&mut self, owner: KeyOwner, holder: &DocumentKey, key: &Credential) {
        let id = match claimed_id(key) {
            Ok(id) => id,
            Err(why) => return self.problem(ignored_key(holder, key), Some(why)),
        };
        let mut owners = self.snapshot.keys.get(&id).map(|owners| owners.to_vec()).unwrap_or_default();
        owners.push(owner);
        // Sorted, so that it does not matter which document arrived first.
        owners.sort_by(|a, b| (&a.user, &a.service_account).cmp(&(&b.user, &b.service_account)));
        self.owners_changed(&id, owners);
    }

    fn release_key(&mut self, owner: &KeyOwner, holder: &DocumentKey, key: &Credential) {
        let Ok(id) = claimed_id(key) else { return self.problem(ignored_key(holder, key), None) };
        let owners = self.snapshot.keys.get(&id).map(|owners| owners.to_vec()).unwrap_or_default();
        self.owners_changed(&id, owners.into_iter().filter(|known| !known.same_holder(owner)).collect());
    }

    fn owners_changed(&mut self, id: &ids::AccessKeyId, owners: Vec<KeyOwner>) {
        let claims: Vec<&str> = owners.iter().map(|owner| &*owner.user).collect();
        let why = (claims.len() > 1).then(|| format!("is claimed by several holders: {}", claims.join(", ")));
        self.problem(ProblemSubject::AccessKey(id.clone()), why);
        if owners.is_empty() {
            self.snapshot.keys.remove_mut(id);
        } else {
            self.snapshot.keys.insert_mut(id.clone(), owners.into());
        }
    }

    fn set_group(&mut self, name: &Arc<str>, document: Option<GroupRecord>) {
        let old = self.snapshot.groups.get(name).map(|group| group.record.clone());
        let new = document.map(Arc::new);
        let members = |group: &Option<Arc<GroupRecord>>| -> BTreeSet<Arc<str>> {
            group.iter().flat_map(|group| &group.members).map(|member| member.as_str().into()).collect()
        };
        let (before, after) = (members(&old), members(&new));
        for user in before.symmetric_difference(&after) {
            change_names(&mut self.snapshot.memberships, user, name, after.contains(user));
        }
        // Members that stay have the policies of the group: nothing changes for them unless those changed.
        let gives = |group: &Option<Arc<GroupRecord>>| {
            group.as_ref().map(|group| (group.disabled, group.attached_policies.clone(), group.id.clone()))
        };
        if gives(&old) == gives(&new) {
            self.users.extend(before.symmetric_difference(&after).cloned());
        } else {
            self.users.extend(before.into_iter().chain(after));
        }
        let wanted = |group: &Option<Arc<GroupRecord>>| policy_names(group, |group| (&group.attached_policies, None));
        self.attach(&Holder::Group(name.clone()), &wanted(&old), &wanted(&new));
        self.snapshot.index_lower_case(&DocumentKey::Group(name.clone()), new.is_some());
        self.renaming(Holder::Group(name.clone()), new.as_ref().and_then(|group| group.renamed.as_ref()));
        match new {
            Some(document) => {
                let group = group_without_policies(name, document, self.snapshot.settings.account);
                self.snapshot.groups.insert_mut(name.clone(), Arc::new(group));
                self.groups.insert(name.clone());
            }
            None => {
                self.snapshot.groups.remove_mut(name);
            }
        }
    }

    fn set_role(&mut self, name: &Arc<str>, place: RolePlace, document: Option<RoleRecord>) {
        let previous = self.snapshot.roles.get(name).cloned();
        let new = document.filter(|role| *role.name == **name).map(Arc::new);
        if new.is_none() && previous.as_ref().is_some_and(|role| role.place != place) {
            return; // the other place still has it
        }
        let old = previous.as_ref().map(|role| role.record.clone());
        let wanted = |role: &Option<Arc<RoleRecord>>| {
            policy_names(role, |role| (&role.attached_policies, role.boundary.as_ref()))
        };
        self.attach(&Holder::Role(name.clone()), &wanted(&old), &wanted(&new));
        self.snapshot.index_lower_case(&DocumentKey::Role(name.clone()), new.is_some());
        match new {
            Some(document) => {
                let role = Role::of(document, place, self.snapshot.settings.account, &mut self.snapshot.compiled);
                self.snapshot.roles.insert_mut(name.clone(), Arc::new(role));
                self.roles.insert(name.clone());
            }
            None => {
                self.snapshot.roles.remove_mut(name);
            }
        }
    }

    fn list_identity_providers(&mut self) {
        let account = self.snapshot.settings.account;
        let stored = self.snapshot.oidc_providers();
        let stored = stored.into_iter().map(|record| Arc::new(IdentityProvider::of_record(record, account)));
        let configured = self.snapshot.settings.identity_providers.iter().cloned();
        self.snapshot.identity_providers = configured.chain(stored).collect();
    }

    /// Updates the index of unfinished renames.
    fn renaming(&mut self, holder: Holder, renamed: Option<&Renamed>) {
        match renamed {
            Some(renamed) => self.snapshot.renames.insert_mut(holder, renamed.from.as_str().into()),
            None => {
                self.snapshot.renames.remove_mut(&holder);
            }
        }
    }

    /// Updates the indexes of where managed policies are attached or boundaries.
    fn attach(&mut self, holder: &Holder, before: &PolicyNames, after: &PolicyNames) {
        change_holders(&mut self.snapshot.attachments, holder, &before.attached, &after.attached);
        change_holders(&mut self.snapshot.bounds, holder, &before.boundary, &after.boundary);
    }

    fn set_policy(&mut self, name: &Arc<str>, place: PolicyPlace, read: Option<Read<PolicyRecord>>) {
        let previous = self.snapshot.policies.get(name).cloned();
        let mut places = previous.as_ref().map(|policy| policy.places.clone()).unwrap_or_default();
        match read {
            Some(read) => {
                places.insert(place, read.map(|policy| PolicyRecord { text: self.shared(policy.text), ..policy }))
            }
            None => places.remove(&place),
        };
        let account = self.snapshot.settings.account;
        let policy = ManagedPolicy::of(name, places, account, &mut self.snapshot.compiled);
        let why = policy.as_ref().and_then(|policy| policy.compiled.unreadable_reason());
        let key = DocumentKey::Policy(name.clone());
        self.snapshot.index_lower_case(&key, policy.is_some());
        self.problem(ProblemSubject::Document(key), why.map(str::to_owned));
        match policy {
            Some(policy) => self.snapshot.policies.insert_mut(name.clone(), Arc::new(policy)),
            None => {
                self.snapshot.policies.remove_mut(name);
            }
        }
        let holders = [self.snapshot.attachments.get(name).cloned(), self.snapshot.bounds.get(name).cloned()];
        for holder in holders.iter().flatten().flat_map(|holders| holders.iter()) {
            self.touch(holder);
        }
    }

    /// The same text, stored only once.
    fn shared(&self, text: Arc<str>) -> Arc<str> {
        self.snapshot.compiled.shared(text)
    }

    fn set_inline(&mut self, holder: Holder, name: &Arc<str>, read: Option<Read<InlinePolicyRecord>>) {
        let weeds = self.snapshot.weed.inline.get(&holder).and_then(|policies| policies.get(name)).cloned();
        self.change_inline(&holder, name, read, weeds);
        self.touch(&holder);
    }

    fn change_inline(
        &mut self,
        holder: &Holder,
        name: &Arc<str>,
        ours: Option<Read<InlinePolicyRecord>>,
        weeds: Option<Arc<str>>,
    ) {
        let mut policies: InlineMap =
            self.snapshot.inline.get(holder).map(|policies| (**policies).clone()).unwrap_or_default();
        let key = DocumentKey::Inline(holder.clone(), name.clone());
        let ours = ours.map(|read| read.map(|policy| InlinePolicyRecord { text: self.shared(policy.text), ..policy }));
        let policy = InlinePolicy::of(&key.to_string(), ours, weeds, &mut self.snapshot.compiled);
        let why = policy.as_ref().and_then(|policy| policy.compiled.unreadable_reason());
        self.problem(ProblemSubject::Document(key), why.map(str::to_owned));
        match policy {
            Some(policy) => policies.insert(name.clone(), policy),
            None => policies.remove(name),
        };
        if policies.is_empty() {
            self.snapshot.inline.remove_mut(holder);
        } else {
            self.snapshot.inline.insert_mut(holder.clone(), Arc::new(policies));
        }
    }

    /// Marks a holder for rebuilding.
    fn touch(&mut self, holder: &Holder) {
        match holder {
            Holder::User(name) => {
                self.users.insert(name.clone());
            }
            Holder::Role(name) => {
                self.roles.insert(name.clone());
            }
            Holder::Group(name) => {
                self.groups.insert(name.clone());
                let group = self.snapshot.groups.get(name);
                self.users
                    .extend(group.iter().flat_map(|group| &group.record.members).map(|name| name.as_str().into()));
            }
        }
    }

    /// Rebuilds the affected holders: groups first, because users read them.
    fn rebuilt(mut self) -> Snapshot {
        for name in std::mem::take(&mut self.groups) {
            if let Some(group) = self.snapshot.groups.get(&name) {
                let group = Arc::new(Group { policies: group_policies(&self.snapshot, group), ..(**group).clone() });
                self.snapshot.groups.insert_mut(name, group);
            }
        }
        for name in std::mem::take(&mut self.users) {
            if let Some(user) = self.snapshot.users.get(&name) {
                let user = user_with_policies(&self.snapshot, user);
                self.snapshot.users.insert_mut(name, Arc::new(user));
            }
        }
        for name in std::mem::take(&mut self.roles) {
            if let Some(role) = self.snapshot.roles.get(&name) {
                let role = role_with_policies(&self.snapshot, role);
                self.snapshot.roles.insert_mut(name, Arc::new(role));
            }
        }
        self.snapshot
    }
}

/// The id by which requests find the key, or why they cannot. This checks whether a secret is published, so that
/// requests need not.
fn claimed_id(key: &Credential) -> Result<ids::AccessKeyId, String> {
    if let Some(why) = key.public_secret() {
        return Err(format!("is refused: {why}"));
    }
    usable(key).ok_or_else(|| match key.sealed_under() {
        None => "is ignored: its id cannot be used or its secret is empty".to_owned(),
        Some(id) => format!(
            "is refused: its secret is encrypted with the key `{id}`, which is not here, or for another holder; give every \
             gateway the keys (kelpgate.secretsKeyFile)"
        ),
    })
}

fn ignored_key(holder: &DocumentKey, key: &Credential) -> ProblemSubject {
    ProblemSubject::KeyOf(key.access_key.as_str().into(), holder.clone())
}

/// Adds a name to an index, or removes it. Keys without any names are removed.
fn change_names(index: &mut Map<Arc<str>, Names>, key: &Arc<str>, name: &Arc<str>, is_there: bool) {
    let known = index.get(key).into_iter().flat_map(|names| names.iter());
    let mut names: Vec<Arc<str>> = known.filter(|known| *known != name).cloned().collect();
    if is_there {
        names.insert(names.partition_point(|known| known < name), name.clone());
    }
    if names.is_empty() {
        index.remove_mut(key);
    } else {
        index.insert_mut(key.clone(), names.into());
    }
}

/// Adds something on which nothing else depends to its map, or removes it.
fn put<T>(map: &mut Map<Arc<str>, Arc<T>>, name: Arc<str>, document: Option<T>) {
    match document {
        Some(document) => map.insert_mut(name, Arc::new(document)),
        None => {
            map.remove_mut(&name);
        }
    }
}

/// Refuses a role whose sessions would look like those without a role, whoever wrote it.
fn without_reserved_name(read: Read<RoleRecord>) -> Read<RoleRecord> {
    let has_reserved_name =
        |role: &RoleRecord| is_claim_based(&role.name) || role.arn.rsplit('/').next().is_some_and(is_claim_based);
    match read {
        Ok(role) if has_reserved_name(&role) => {
            let why = format!("the name `{CLAIM_BASED}` is reserved for sessions without a role; delete the document");
            Err(Unreadable(why.into()))
        }
        read => read,
    }
}

/// The names of the managed policies that a user, group or role names.
#[derive(Default)]
struct PolicyNames {
    attached: BTreeSet<Arc<str>>,
    boundary: BTreeSet<Arc<str>>,
}

fn policy_names<T>(record: &Option<Arc<T>>, parts: impl Fn(&T) -> (&Vec<String>, Option<&String>)) -> PolicyNames {
    let Some((attached, boundary)) = record.as_deref().map(parts) else { return PolicyNames::default() };
    let name = |name: &String| policy_name_of(name).into();
    PolicyNames { attached: attached.iter().map(name).collect(), boundary: boundary.into_iter().map(name).collect() }
}

fn change_holders(index: &mut Holders, holder: &Holder, before: &BTreeSet<Arc<str>>, after: &BTreeSet<Arc<str>>) {
    for policy in before.symmetric_difference(after) {
        let mut holders = index.get(policy).cloned().unwrap_or_else(HashTrieSetSync::new_sync);
        if after.contains(policy) {
            holders.insert_mut(holder.clone());
        } else {
            holders.remove_mut(holder);
        }
        if holders.is_empty() {
            index.remove_mut(policy);
        } else {
            index.insert_mut(policy.clone(), holders);
        }
    }
}

fn group_without_policies(name: &Arc<str>, record: Arc<GroupRecord>, default_account: AccountId) -> Group {
    let account = record.account.parse().unwrap_or(default_account);
    let arn = format!("arn:aws:iam::{account}:group{}{name}", path_or_root(&record.path));
    let id = unique_id("AGPA", &record.id, name);
    Group { name: name.clone(), id, account, arn: arn.into(), policies: Arc::from([]), record }
}

fn user_without_policies(
    name: &Arc<str>,
    record: Arc<UserRecord>,
    is_static: bool,
    default_account: AccountId,
) -> User {
    let owner = record.account.as_ref().map(|account| account.id.as_str()).filter(|id| !id.is_empty());
    let account = owner.and_then(|id| id.parse().ok()).unwrap_or(default_account);
    let display = record.account.as_ref().map(|account| account.display_name.as_str()).filter(|name| !name.is_empty());
    let path = path_or_root(&record.path);
    let is_root = is_static && is_root_of(&record, account);
    let principal = if is_root {
        Principal::Root(account)
    } else if &**name == ANONYMOUS {
        Principal::Anonymous
    } else {
        Principal::User { account, path: path.to_owned(), name: name.to_string() }
    };
    User {
        name: name.clone(),
        id: unique_id("AIDA", &record.id, name),
        arn: principal.to_string().into(),
        account,
        owner_id: owner.map_or_else(|| name.clone(), Arc::from),
        display_name: display.map_or_else(|| name.clone(), Arc::from),
        principal,
        is_root,
        disabled: record.disabled,
        policies: Arc::from([]),
        sources: Arc::from([]),
        boundary: None,
        groups: Arc::from([]),
        record,
    }
}

fn user_with_policies(snapshot: &Snapshot, user: &User) -> User {
    let holder = Holder::User(user.name.clone());
    let mut found = Vec::new();
    let from_weed = inline(snapshot, &holder, &mut found, PolicySource::Inline);
    attached(snapshot, &holder, &user.record.attached_policies, &mut found, PolicySource::Attached);
    let groups = snapshot.memberships.get(&user.name).cloned().unwrap_or_default();
    for name in groups.iter() {
        if let Some(group) = snapshot.groups.get(name) {
            found.extend(group.policies.iter().cloned());
        }
    }
    if let Some(legacy) = legacy(&user.record, !found.is_empty(), from_weed) {
        found.insert(0, (legacy, PolicySource::Legacy));
    }
    let boundary = user.record.boundary.as_deref();
    let (policies, sources) = split(found);
    User {
        policies,
        sources,
        boundary: boundary.map(|name| snapshot.boundary(policy_name_of(name), &holder)),
        groups,
        ..user.clone()
    }
}

/// The legacy actions of a document that still apply.
///
/// As in SeaweedFS they apply only while the user has no policy at all, except for `Admin` without a bucket. If
/// SeaweedFS wrote an inline policy, it also projected it to legacy actions, which often allow more than the policy:
/// those never apply.
fn legacy(user: &UserRecord, has_policies: bool, from_weed: bool) -> Option<Arc<CompiledPolicy>> {
    if user.actions.is_empty() || from_weed {
        return None;
    }
    if !has_policies {
        return Some(Arc::new(CompiledPolicy::compile_legacy(&user.actions).0));
    }
    user.has_bare_admin().then(|| Arc::new(CompiledPolicy::compile_legacy(&["Admin".to_owned()]).0))
}

fn group_policies(snapshot: &Snapshot, group: &Group) -> Arc<[(Arc<CompiledPolicy>, PolicySource)]> {
    let mut found = Vec::new();
    if !group.record.disabled {
        let holder = Holder::Group(group.name.clone());
        let name = |policy| PolicySource::GroupInline(group.name.clone(), policy);
        inline(snapshot, &holder, &mut found, name);
        let name = |policy| PolicySource::GroupAttached(group.name.clone(), policy);
        attached(snapshot, &holder, &group.record.attached_policies, &mut found, name);
    }
    found.into()
}

fn role_with_policies(snapshot: &Snapshot, role: &Role) -> Role {
    let holder = Holder::Role(role.name.clone());
    let mut found = Vec::new();
    inline(snapshot, &holder, &mut found, PolicySource::Inline);
    attached(snapshot, &holder, &role.record.attached_policies, &mut found, PolicySource::Attached);
    let boundary = role.record.boundary.as_deref();
    let (policies, sources) = split(found);
    let boundary = boundary.map(|name| snapshot.boundary(policy_name_of(name), &holder));
    Role { policies, sources, boundary, ..role.clone() }
}

type Found = Vec<(Arc<CompiledPolicy>, PolicySource)>;

/// Adds the holder's inline policies. True if SeaweedFS wrote one of them.
fn inline(snapshot: &Snapshot, holder: &Holder, found: &mut Found, source: impl Fn(Arc<str>) -> PolicySource) -> bool {
    let mut from_weed = false;
    let id = snapshot.id_of(holder);
    let policies = snapshot.inline.get(holder).into_iter().flat_map(|policies| policies.iter());
    for (name, policy) in policies.filter(|(_, policy)| id.is_none_or(|id| policy.is_of(id))) {
        from_weed |= policy.weeds.is_some();
        found.push((policy.compiled.clone(), source(name.clone())));
    }
    from_weed
}

fn attached(
    snapshot: &Snapshot,
    holder: &Holder,
    names: &[String],
    found: &mut Found,
    source: impl Fn(Arc<str>) -> PolicySource,
) {
    for name in names.iter().map(|name| policy_name_of(name)) {
        let what = format!("policy `{name}`, attached to {holder},");
        found.push((snapshot.attached(name, &what), source(name.into())));
    }
}

fn split(found: Found) -> (Arc<[Arc<CompiledPolicy>]>, Arc<[PolicySource]>) {
    let (policies, sources): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    (policies.into(), sources.into())
}
