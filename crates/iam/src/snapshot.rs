//! The immutable state that every decision reads: users, keys, groups, roles, policies and buckets at one moment.
//!
//! A change makes the next Snapshot from the last one. What did not change is shared, and policies are compiled only if
//! their text changed. Nothing here depends on the order in which documents arrive: two gateways that have read the
//! same documents have equal Snapshots.

mod apply;
mod aws_managed;
mod compiled;
mod managed_policy;
mod mirror;
mod policy_names;
mod problem;
mod role;
mod spelling;
mod user;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ids::{AccessKeyId, AccountId};
use policy::{CompiledPolicy, CrossAccount};
use rpds::{HashTrieMapSync, HashTrieSetSync, RedBlackTreeMapSync};

use crate::bucket::Bucket;
use crate::change::{DocumentKey, Holder, RolePlace};
use crate::entity::{AccountAlias, AccountPublicAccessBlock, InstanceProfile, OidcProvider, ServiceAccount};
use crate::identities::Identities;
use crate::identity_provider::{IdentityProvider, OidcKeys, same_issuer};
use crate::mfa_device::MfaDevice;
use crate::name::ANONYMOUS;
use crate::revocation::Revocation;
use crate::weed_policies::WeedPolicies;

pub use apply::SnapshotBuilder;
pub use managed_policy::{InlinePolicy, ManagedPolicy, policy_name_of};
pub use mirror::{InlineName, Mirrored};
pub use problem::ProblemSubject;
pub use role::Role;
pub use user::{Group, KeyHolder, KeyRefusal, PolicySource, User};

use aws_managed::AwsManaged;
use compiled::Compiled;
use managed_policy::InlineMap;
use user::KeyOwner;

/// What applies to all requests, from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The account of everything that names none: `sts.accountId`, or else `000000000000`.
    pub account: AccountId,
    /// `policy.defaultEffect: "Allow"`.
    pub default_effect_allow: bool,
    /// What a request to another account's bucket needs.
    pub cross_account: CrossAccount,
    /// Where CreateRole stores a role.
    pub role_place: RolePlace,
    /// The identity providers of the configuration.
    pub identity_providers: Vec<Arc<IdentityProvider>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: AccountId::DEFAULT,
            default_effect_allow: false,
            cross_account: CrossAccount::default(),
            role_place: RolePlace::Memory,
            identity_providers: Vec::new(),
        }
    }
}

/// The numbers of all entities, for `/status` and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Users, including those of the identities file.
    pub users: usize,
    /// Access keys of users and service accounts.
    pub keys: usize,
    /// Groups.
    pub groups: usize,
    /// Roles.
    pub roles: usize,
    /// Managed policies.
    pub policies: usize,
    /// Service accounts.
    pub service_accounts: usize,
    /// OIDC providers.
    pub oidc_providers: usize,
    /// Instance profiles.
    pub instance_profiles: usize,
    /// Buckets.
    pub buckets: usize,
    /// Documents that cannot be read.
    pub problems: usize,
}

type Map<K, V> = RedBlackTreeMapSync<K, V>;
/// Names in byte order, each once.
type Names = Arc<[Arc<str>]>;
/// The holders of a managed policy, by its name.
type Holders = Map<Arc<str>, HashTrieSetSync<Holder>>;

/// IAM state and bucket facts at one moment. Cloning it and making the next one are cheap.
#[derive(Debug, Clone)]
pub struct Snapshot {
    revision: u64,
    settings: Arc<Settings>,
    static_users: Arc<BTreeSet<Arc<str>>>,
    static_service_accounts: Arc<BTreeSet<Arc<str>>>,
    users: Map<Arc<str>, Arc<User>>,
    keys: HashTrieMapSync<AccessKeyId, Arc<[KeyOwner]>>,
    service_accounts: Map<Arc<str>, Arc<ServiceAccount>>,
    /// The ids of service accounts by the name of their user, whether or not the user exists.
    parents: Map<Arc<str>, Names>,
    groups: Map<Arc<str>, Arc<Group>>,
    roles: Map<Arc<str>, Arc<Role>>,
    policies: Map<Arc<str>, Arc<ManagedPolicy>>,
    aws_managed: Arc<AwsManaged>,
    inline: Map<Holder, Arc<InlineMap>>,
    weed: Arc<WeedPolicies>,
    /// By the stem of the file.
    oidc_providers: Map<Arc<str>, Arc<OidcProvider>>,
    /// Those of the configuration first, then those of the IAM API by ARN.
    identity_providers: Arc<[Arc<IdentityProvider>]>,
    /// By the stem of the file.
    oidc_keys: Map<Arc<str>, Arc<OidcKeys>>,
    /// By the stem of the file.
    mfa_devices: Map<Arc<str>, Arc<MfaDevice>>,
    /// By the stem of the file.
    revocations: Map<Arc<str>, Arc<Revocation>>,
    instance_profiles: Map<Arc<str>, Arc<InstanceProfile>>,
    /// By the account's number.
    account_aliases: Map<Arc<str>, Arc<AccountAlias>>,
    /// By the account's number.
    account_blocks: Map<Arc<str>, Arc<AccountPublicAccessBlock>>,
    buckets: Map<Arc<str>, Arc<Bucket>>,
    compiled: Compiled,
    /// The groups that name a user, by the user's name.
    memberships: Map<Arc<str>, Names>,
    /// Where a policy is attached, by its name.
    attachments: Holders,
    /// Where a policy is the boundary, by its name.
    bounds: Holders,
    /// What cannot be read or contradicts itself: the subject, and the reason.
    problems: Map<ProblemSubject, Arc<str>>,
    /// Names with capital letters, by their lower-case form.
    capitals: HashTrieMapSync<DocumentKey, Arc<BTreeSet<Arc<str>>>>,
    /// Users and groups that are being renamed: the old name by the new one.
    renames: Map<Holder, Arc<str>>,
}

impl Snapshot {
    /// The state of the identities file alone. Revision 0.
    pub fn new(settings: Settings, identities: &Identities) -> Self {
        let mut compiled = Compiled::default();
        let empty = Self {
            revision: 0,
            identity_providers: settings.identity_providers.as_slice().into(),
            aws_managed: Arc::new(aws_managed::all(&mut compiled)),
            settings: Arc::new(settings),
            static_users: Arc::default(),
            static_service_accounts: Arc::default(),
            users: Map::new_sync(),
            keys: HashTrieMapSync::new_sync(),
            service_accounts: Map::new_sync(),
            parents: Map::new_sync(),
            groups: Map::new_sync(),
            roles: Map::new_sync(),
            policies: Map::new_sync(),
            inline: Map::new_sync(),
            weed: Arc::default(),
            oidc_providers: Map::new_sync(),
            oidc_keys: Map::new_sync(),
            mfa_devices: Map::new_sync(),
            revocations: Map::new_sync(),
            instance_profiles: Map::new_sync(),
            account_aliases: Map::new_sync(),
            account_blocks: Map::new_sync(),
            buckets: Map::new_sync(),
            compiled,
            memberships: Map::new_sync(),
            attachments: Map::new_sync(),
            bounds: Map::new_sync(),
            problems: Map::new_sync(),
            capitals: HashTrieMapSync::new_sync(),
            renames: Map::new_sync(),
        };
        empty.with_identities(identities)
    }

    /// The number of changes applied since the start of this gateway. Each gateway counts for itself.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The same state as the successor of another one: revisions only increase.
    #[must_use]
    pub fn following(mut self, previous: &Self) -> Self {
        self.revision = self.revision.max(previous.revision + 1);
        self
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The holder of an access key, active or not: see [`KeyHolder::refusal`]. `None` for unknown keys, for keys of
    /// deleted users or service accounts, and for keys that two stored documents claim, because their owner is then
    /// unknown.
    pub fn access_key(&self, access_key_id: &str) -> Option<KeyHolder> {
        let (access_key_id, owners) = self.keys.get_key_value(access_key_id)?;
        let owner = match &**owners {
            [owner] => owner,
            several => {
                let mut statics = several.iter().filter(|owner| owner.is_static);
                let first = statics.next()?;
                if statics.next().is_some() {
                    return None;
                }
                first
            }
        };
        let service_account = match &owner.service_account {
            None => None,
            Some(id) => Some(self.service_accounts.get(id)?),
        };
        KeyHolder::of(access_key_id, owner, self.users.get(&owner.user)?, service_account)
    }

    /// A user by name.
    pub fn user(&self, name: &str) -> Option<&Arc<User>> {
        self.users.get(name)
    }

    /// The identity named `anonymous`, whose policies apply to unsigned requests.
    pub fn anonymous(&self) -> Option<&Arc<User>> {
        self.users.get(ANONYMOUS).filter(|user| !user.disabled)
    }

    /// All users, by name in byte order.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// A service account by id.
    pub fn service_account(&self, id: &str) -> Option<&Arc<ServiceAccount>> {
        self.service_accounts.get(id)
    }

    /// All service accounts, including those of the identities file, by id in byte order.
    pub fn all_service_accounts(&self) -> impl Iterator<Item = &Arc<ServiceAccount>> {
        self.service_accounts.values()
    }

    /// Whether the identities file defines this service account. The IAM API then cannot change it.
    pub fn is_static_service_account(&self, id: &str) -> bool {
        self.static_service_accounts.contains(id)
    }

    /// The service accounts that act for a user.
    pub fn service_accounts_of(&self, user: &str) -> impl Iterator<Item = &Arc<ServiceAccount>> {
        let ids = self.parents.get(user).into_iter().flat_map(|ids| ids.iter());
        ids.filter_map(|id| self.service_accounts.get(id))
    }

    /// A group by name.
    pub fn group(&self, name: &str) -> Option<&Arc<Group>> {
        self.groups.get(name)
    }

    /// All groups, by name in byte order.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values()
    }

    /// A role by name.
    pub fn role(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.get(name)
    }

    /// A role by ARN: its own, or one of SeaweedFS's forms without an account (`arn:aws:iam::role/R`, `arn:aws:iam:::role/R`).
    pub fn role_by_arn(&self, arn: &str) -> Option<&Arc<Role>> {
        let name = arn.rsplit('/').next()?;
        self.roles.get(name).filter(|role| role.answers_to(arn))
    }

    /// All roles, by name in byte order.
    pub fn roles(&self) -> impl Iterator<Item = &Arc<Role>> {
        self.roles.values()
    }

    /// A managed policy by name. The name of a policy of AWS is its ARN, and nothing stored takes its place.
    pub fn policy(&self, name: &str) -> Option<&Arc<ManagedPolicy>> {
        self.aws_managed.get(name).or_else(|| self.policies.get(name))
    }

    /// The managed policies of AWS, by ARN in byte order.
    pub fn aws_managed_policies(&self) -> impl Iterator<Item = &Arc<ManagedPolicy>> {
        self.aws_managed.values()
    }

    /// All managed policies of accounts, by name in byte order.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<ManagedPolicy>> {
        self.policies.values()
    }

    /// The inline policies of a holder by name, including those that SeaweedFS wrote. Policies put on an earlier holder
    /// with the same name are not included, but if the holder does not exist, they are what this returns.
    pub fn inline_policies(&self, holder: &Holder) -> BTreeMap<Arc<str>, InlinePolicy> {
        let id = self.id_of(holder);
        let current = |(_, policy): &(&Arc<str>, &InlinePolicy)| id.is_none_or(|id| policy.is_of(id));
        let own = self.inline.get(holder).into_iter().flat_map(|policies| policies.iter());
        own.filter(current).map(|(name, policy)| (name.clone(), policy.clone())).collect()
    }

    /// The unique id of a holder, if it exists.
    pub fn id_of(&self, holder: &Holder) -> Option<&Arc<str>> {
        match holder {
            Holder::User(name) => self.users.get(name).map(|user| &user.id),
            Holder::Group(name) => self.groups.get(name).map(|group| &group.id),
            Holder::Role(name) => self.roles.get(name).map(|role| &role.id),
        }
    }

    /// Whether a managed policy is attached anywhere, or is a boundary.
    pub fn is_held(&self, policy: &str) -> bool {
        [&self.attachments, &self.bounds].iter().any(|holders| holders.get(policy).is_some_and(|held| !held.is_empty()))
    }

    /// A user or group whose renaming is not finished: its new name and the old one.
    pub fn unfinished_renames(&self) -> impl Iterator<Item = (&Holder, &Arc<str>)> {
        self.renames.iter()
    }

    /// How many holders of an account have a managed policy attached. A policy of AWS has holders in all accounts.
    pub fn attachment_count(&self, policy: &str, account: AccountId) -> usize {
        self.count_of_account(&self.attachments, policy, account)
    }

    /// How many holders of an account have a managed policy as permissions boundary.
    pub fn boundary_count(&self, policy: &str, account: AccountId) -> usize {
        self.count_of_account(&self.bounds, policy, account)
    }

    fn count_of_account(&self, holders: &Holders, policy: &str, account: AccountId) -> usize {
        let holders = holders.get(policy).into_iter().flat_map(HashTrieSetSync::iter);
        holders.filter(|holder| self.account_of(holder) == Some(account)).count()
    }

    /// The account of a holder, if it exists.
    fn account_of(&self, holder: &Holder) -> Option<AccountId> {
        match holder {
            Holder::User(name) => self.users.get(name).map(|user| user.account),
            Holder::Group(name) => self.groups.get(name).map(|group| group.account),
            Holder::Role(name) => self.roles.get(name).map(|role| role.account),
        }
    }

    /// The managed policies attached to a holder, by name.
    pub fn attached_names(&self, holder: &Holder) -> impl Iterator<Item = &str> {
        let names = match holder {
            Holder::User(name) => self.user(name).map(|user| &user.record.attached_policies),
            Holder::Group(name) => self.group(name).map(|group| &group.record.attached_policies),
            Holder::Role(name) => self.role(name).map(|role| &role.record.attached_policies),
        };
        names.into_iter().flatten().map(|name| policy_name_of(name))
    }

    /// The name of the managed policy that is the boundary of a user or role.
    pub fn boundary_name(&self, holder: &Holder) -> Option<&str> {
        let boundary = match holder {
            Holder::User(name) => &self.user(name)?.record.boundary,
            Holder::Role(name) => &self.role(name)?.record.boundary,
            Holder::Group(_) => return None,
        };
        boundary.as_deref().map(policy_name_of)
    }

    /// The holders that have a managed policy attached or as boundary, in order.
    pub fn holders_of(&self, policy: &str) -> Vec<Holder> {
        let holders = [self.attachments.get(policy), self.bounds.get(policy)];
        let holders: BTreeSet<Holder> =
            holders.into_iter().flatten().flat_map(|holders| holders.iter().cloned()).collect();
        holders.into_iter().collect()
    }

    /// The groups that name a user, whether or not the user exists.
    pub fn groups_naming(&self, user: &str) -> Vec<Arc<str>> {
        self.memberships.get(user).map(|groups| groups.to_vec()).unwrap_or_default()
    }

    /// The content of SeaweedFS's shared document.
    pub fn weed_policies(&self) -> &WeedPolicies {
        &self.weed
    }

    /// An OIDC provider by ARN.
    pub fn oidc_provider(&self, arn: &str) -> Option<&Arc<OidcProvider>> {
        self.oidc_providers.get(&OidcProvider::file_stem(arn))
    }

    /// All OIDC providers, by ARN in byte order.
    pub fn oidc_providers(&self) -> Vec<&Arc<OidcProvider>> {
        let mut providers: Vec<_> = self.oidc_providers.values().collect();
        providers.sort_by(|a, b| a.arn.cmp(&b.arn));
        providers
    }

    /// All identity providers whose tokens are accepted: those of the configuration, then those of the IAM API.
    pub fn identity_providers(&self) -> &[Arc<IdentityProvider>] {
        &self.identity_providers
    }

    /// The identity provider of an account with this issuer, with or without a slash at its end. The configuration takes
    /// precedence.
    pub fn identity_provider(&self, account: AccountId, issuer: &str) -> Option<&Arc<IdentityProvider>> {
        let issuer = same_issuer(issuer);
        let mut of_account = self.identity_providers.iter().filter(|provider| provider.account == account);
        of_account.find(|provider| same_issuer(&provider.issuer) == issuer)
    }

    /// The keys of a provider, if a gateway has fetched them.
    pub fn oidc_keys(&self, provider: &IdentityProvider) -> Option<&Arc<OidcKeys>> {
        self.oidc_keys.get(&provider.keys_stem())
    }

    /// All fetched keys, by the stem of their file.
    pub fn all_oidc_keys(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<OidcKeys>)> {
        self.oidc_keys.iter()
    }

    /// An MFA device by its serial number.
    pub fn mfa_device(&self, serial: &str) -> Option<&Arc<MfaDevice>> {
        self.mfa_devices.get(&MfaDevice::file_stem(serial))
    }

    /// All MFA devices.
    pub fn mfa_devices(&self) -> impl Iterator<Item = &Arc<MfaDevice>> {
        self.mfa_devices.values()
    }

    /// The MFA devices of the user with this id.
    pub fn mfa_devices_of(&self, user_id: &str) -> impl Iterator<Item = &Arc<MfaDevice>> {
        self.mfa_devices.values().filter(move |device| device.is_of(user_id))
    }

    /// Whether any sessions are revoked.
    pub fn has_revocations(&self) -> bool {
        !self.revocations.is_empty()
    }

    /// The revocation of a target ([`RevocationTarget::to_text`](crate::RevocationTarget::to_text)).
    pub fn revocation(&self, target: &str) -> Option<&Arc<Revocation>> {
        // Most of the time there are no revocations, so the target is not hashed.
        if self.revocations.is_empty() {
            return None;
        }
        self.revocations.get(&Revocation::file_stem(target))
    }

    /// All revocations, with the stems of their files.
    pub fn revocations(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Revocation>)> {
        self.revocations.iter()
    }

    /// An instance profile by name.
    pub fn instance_profile(&self, name: &str) -> Option<&Arc<InstanceProfile>> {
        self.instance_profiles.get(name)
    }

    /// All instance profiles, by name in byte order.
    pub fn instance_profiles(&self) -> impl Iterator<Item = &Arc<InstanceProfile>> {
        self.instance_profiles.values()
    }

    /// The alias of an account.
    pub fn account_alias(&self, account: &str) -> Option<&Arc<AccountAlias>> {
        self.account_aliases.get(account)
    }

    /// The aliases of all accounts.
    pub fn account_aliases(&self) -> impl Iterator<Item = &Arc<AccountAlias>> {
        self.account_aliases.values()
    }

    /// The public access block of an account.
    pub fn account_block(&self, account: &str) -> Option<&Arc<AccountPublicAccessBlock>> {
        self.account_blocks.get(account)
    }

    /// The public access blocks of all accounts.
    pub fn account_blocks(&self) -> impl Iterator<Item = &Arc<AccountPublicAccessBlock>> {
        self.account_blocks.values()
    }

    /// The account of a stored owner id, which SeaweedFS fills with a name if an identity has no account.
    pub fn account_of_owner(&self, owner: &str) -> AccountId {
        owner.parse().unwrap_or(self.settings.account)
    }

    /// The name shown with an account: its alias, or else its number.
    pub fn account_name<'a>(&'a self, account: &'a AccountId) -> &'a str {
        self.account_alias(account.as_str()).map_or(account.as_str(), |alias| alias.alias.as_str())
    }

    /// A bucket by name.
    pub fn bucket(&self, name: &str) -> Option<&Arc<Bucket>> {
        self.buckets.get(name)
    }

    /// All buckets, by name in byte order.
    pub fn buckets(&self) -> impl Iterator<Item = &Arc<Bucket>> {
        self.buckets.values()
    }

    /// Whether the identities file defines this user. The IAM API then cannot change it.
    pub fn is_static_user(&self, name: &str) -> bool {
        self.static_users.contains(name)
    }

    /// Whether anyone can sign a request. Without any identity the gateway is closed.
    pub fn has_identities(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Documents that cannot be read and facts that contradict each other: the subject, and the reason.
    pub fn problems(&self) -> impl Iterator<Item = (&ProblemSubject, &str)> {
        self.problems.iter().map(|(about, why)| (about, &**why))
    }

    /// What is wrong with one subject.
    pub fn problem(&self, about: &ProblemSubject) -> Option<&str> {
        self.problems.get(about).map(|why| &**why)
    }

    /// What is wrong with a document.
    pub fn document_problem(&self, key: &DocumentKey) -> Option<&str> {
        self.problem(&ProblemSubject::Document(key.clone()))
    }

    /// The numbers of all entities.
    pub fn counts(&self) -> Counts {
        Counts {
            users: self.users.size(),
            keys: self.keys.size(),
            groups: self.groups.size(),
            roles: self.roles.size(),
            policies: self.policies.size(),
            service_accounts: self.service_accounts.size(),
            oidc_providers: self.oidc_providers.size(),
            instance_profiles: self.instance_profiles.size(),
            buckets: self.buckets.size(),
            problems: self.problems.size(),
        }
    }

    /// The boundary policy with this name, or one that denies everything if there is none.
    fn boundary(&self, name: &str, holder: &Holder) -> Arc<CompiledPolicy> {
        self.attached(name, &format!("the permissions boundary `{name}` of {holder}"))
    }

    /// The attached policy with this name, or one that denies everything if there is none.
    fn attached(&self, name: &str, what: &str) -> Arc<CompiledPolicy> {
        match self.policy(name) {
            Some(policy) => policy.compiled.clone(),
            None => {
                Arc::new(CompiledPolicy::unreadable(format!("{what} does not exist; create the policy or detach it")))
            }
        }
    }
}
