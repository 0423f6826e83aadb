//! The paths of all documents.

use std::sync::Arc;

use filer::FeedFilter;
use iam::{Change, Holder, PolicyPlace, RolePlace};
use iam_formats::{DocumentStore, IamConfig};

/// Users.
const IDENTITIES: &str = "/etc/iam/identities";
/// Service accounts.
const SERVICE_ACCOUNTS: &str = "/etc/iam/service_accounts";
/// Groups.
const GROUPS: &str = "/etc/iam/groups";
/// OIDC providers. SeaweedFS subscribes to it.
const OIDC_PROVIDERS: &str = "/etc/iam/oidc-providers";
/// Managed policies of the IAM API.
const POLICIES: &str = "/etc/iam/policies";
/// SeaweedFS's inline policies.
const WEED_DIRECTORY: &str = "/etc/iam";
const WEED_POLICIES: &str = "policies.json";
/// The record of what seeding has done.
pub(crate) const SEEDED: &str = "seeded.json";

/// The directories of IAM state and buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    buckets_root: String,
    inline_base: String,
    instance_profiles: String,
    oidc_keys: String,
    mfa_devices: String,
    revocations: String,
    account_aliases: String,
    account_blocks: String,
    last_used: String,
    policy_base: Option<String>,
    role_base: Option<String>,
}

/// What the document at a path is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Document {
    /// A user.
    User(Arc<str>),
    /// A service account.
    ServiceAccount(Arc<str>),
    /// A group.
    Group(Arc<str>),
    /// A managed policy.
    Policy(Arc<str>, PolicyPlace),
    /// A role.
    Role(Arc<str>),
    /// An inline policy.
    Inline(Holder, Arc<str>),
    /// SeaweedFS's shared document of inline policies.
    WeedPolicies,
    /// An OIDC provider, by the stem of its file.
    OidcProvider(Arc<str>),
    /// The keys of an OIDC provider, by the stem of their file.
    OidcKeys(Arc<str>),
    /// An MFA device, by the stem of its file.
    MfaDevice(Arc<str>),
    /// A revocation of sessions, by the stem of its file.
    Revocation(Arc<str>),
    /// An instance profile.
    InstanceProfile(Arc<str>),
    /// The alias of an account, by the account's number.
    AccountAlias(Arc<str>),
    /// The public access block of an account, by the account's number.
    AccountPublicAccessBlock(Arc<str>),
    /// A bucket's directory.
    Bucket(Arc<str>),
}

impl Layout {
    /// The layout for a configuration and the path where the filer keeps buckets (`/buckets`).
    pub fn new(config: &IamConfig, buckets_root: &str) -> Self {
        let base = |store: &DocumentStore| match store {
            DocumentStore::Filer { base_path } => Some(base_path.clone()),
            DocumentStore::Memory => None,
        };
        Self {
            buckets_root: buckets_root.to_owned(),
            inline_base: format!("{}/inline", config.kelpgate.iam_base_path),
            instance_profiles: format!("{}/instance-profiles", config.kelpgate.iam_base_path),
            oidc_keys: format!("{}/oidc-keys", config.kelpgate.iam_base_path),
            mfa_devices: format!("{}/mfa-devices", config.kelpgate.iam_base_path),
            revocations: format!("{}/session-revocations", config.kelpgate.iam_base_path),
            account_aliases: format!("{}/account-aliases", config.kelpgate.iam_base_path),
            account_blocks: format!("{}/public-access-blocks", config.kelpgate.iam_base_path),
            last_used: format!("{}/last-used", config.kelpgate.iam_base_path),
            // SeaweedFS's own default is the directory of the API's policies. Then both are the same place.
            policy_base: base(&config.policy_store).filter(|base| base != POLICIES),
            role_base: base(&config.role_store),
        }
    }

    /// The changes that matter.
    pub fn filter(&self) -> FeedFilter {
        let of_accounts = [&self.instance_profiles, &self.account_aliases, &self.account_blocks, &self.mfa_devices];
        let ours = [&self.inline_base, &self.oidc_keys, &self.revocations].into_iter().chain(of_accounts);
        let bases = ours.chain(&self.policy_base).chain(&self.role_base);
        let mut prefixes: Vec<String> = bases.map(|base| format!("{base}/")).collect();
        prefixes.push(format!("{WEED_DIRECTORY}/"));
        FeedFilter { prefixes, directories: vec![self.buckets_root.clone()] }
    }

    /// The path that writers of a document lock, so that the feed of one filer shows their order. It is the document's
    /// path in lower case, because names are unique regardless of case. For aliases, which are unique among accounts,
    /// it is their directory.
    pub(crate) fn turns(&self, path: &str) -> String {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        if directory == self.account_aliases { directory.to_owned() } else { path.to_lowercase() }
    }

    /// What the document at a path is; `None` if it is not one of ours, such as `bucket-policy:*`, nested files and
    /// notes.
    pub fn classify(&self, directory: &str, name: &str) -> Option<Document> {
        if directory == self.buckets_root {
            return (!name.starts_with('.')).then(|| Document::Bucket(name.into()));
        }
        if (directory, name) == (WEED_DIRECTORY, WEED_POLICIES) {
            return Some(Document::WeedPolicies);
        }
        let stem: Arc<str> = name.strip_suffix(".json").filter(|stem| !stem.is_empty())?.into();
        match directory {
            IDENTITIES => return Some(Document::User(stem)),
            SERVICE_ACCOUNTS => return Some(Document::ServiceAccount(stem)),
            GROUPS => return Some(Document::Group(stem)),
            OIDC_PROVIDERS => return Some(Document::OidcProvider(stem)),
            POLICIES if stem.starts_with("bucket-policy:") => return None,
            POLICIES => return Some(Document::Policy(stem, PolicyPlace::Api)),
            _ => {}
        }
        if directory == self.instance_profiles {
            return Some(Document::InstanceProfile(stem));
        }
        if directory == self.mfa_devices {
            return Some(Document::MfaDevice(stem));
        }
        if directory == self.revocations {
            return Some(Document::Revocation(stem));
        }
        if directory == self.oidc_keys {
            return Some(Document::OidcKeys(stem));
        }
        if directory == self.account_aliases {
            return Some(Document::AccountAlias(stem));
        }
        if directory == self.account_blocks {
            return Some(Document::AccountPublicAccessBlock(stem));
        }
        if let Some(rest) = directory.strip_prefix(self.inline_base.as_str()) {
            return self.classify_inline(rest, stem);
        }
        let in_base = |base: &Option<String>| base.as_deref() == Some(directory) && name != SEEDED;
        if in_base(&self.role_base) {
            return Some(Document::Role(stem));
        }
        if !in_base(&self.policy_base) || stem.starts_with("bucket-policy:") {
            return None;
        }
        Some(match stem.strip_prefix("policy_").filter(|name| !name.is_empty()) {
            Some(name) => Document::Policy(name.into(), PolicyPlace::BasePrefixed),
            None => Document::Policy(stem, PolicyPlace::Base),
        })
    }

    fn classify_inline(&self, rest: &str, policy: Arc<str>) -> Option<Document> {
        let (kind, holder) = rest.strip_prefix('/')?.split_once('/')?;
        if holder.is_empty() || holder.contains('/') {
            return None;
        }
        let holder = match kind {
            "users" => Holder::User(holder.into()),
            "groups" => Holder::Group(holder.into()),
            "roles" => Holder::Role(holder.into()),
            _ => return None,
        };
        Some(Document::Inline(holder, policy))
    }

    /// The directory and name of a document; `None` if it has no place on the filer.
    pub fn place(&self, document: &Document) -> Option<(String, String)> {
        let json = |directory: &str, stem: &str| (directory.to_owned(), format!("{stem}.json"));
        Some(match document {
            Document::User(name) => json(IDENTITIES, name),
            Document::ServiceAccount(id) => json(SERVICE_ACCOUNTS, id),
            Document::Group(name) => json(GROUPS, name),
            Document::Policy(name, PolicyPlace::Api) => json(POLICIES, name),
            Document::Policy(name, PolicyPlace::Base) => json(self.policy_base.as_ref()?, name),
            Document::Policy(name, PolicyPlace::BasePrefixed) => {
                json(self.policy_base.as_ref()?, &format!("policy_{name}"))
            }
            Document::Policy(..) => return None,
            Document::Role(name) => json(self.role_base.as_ref()?, name),
            Document::Inline(holder, policy) => {
                json(&format!("{}/{}s/{}", self.inline_base, holder.kind(), holder.name()), policy)
            }
            Document::WeedPolicies => (WEED_DIRECTORY.to_owned(), WEED_POLICIES.to_owned()),
            Document::OidcProvider(stem) => json(OIDC_PROVIDERS, stem),
            Document::OidcKeys(stem) => json(&self.oidc_keys, stem),
            Document::MfaDevice(stem) => json(&self.mfa_devices, stem),
            Document::Revocation(stem) => json(&self.revocations, stem),
            Document::InstanceProfile(name) => json(&self.instance_profiles, name),
            Document::AccountAlias(account) => json(&self.account_aliases, account),
            Document::AccountPublicAccessBlock(account) => json(&self.account_blocks, account),
            Document::Bucket(name) => (self.buckets_root.clone(), name.to_string()),
        })
    }

    /// The directories whose children are documents. Those of inline policies contain one directory for each holder.
    pub(crate) fn directories(&self) -> Vec<String> {
        let weeds = [IDENTITIES, SERVICE_ACCOUNTS, GROUPS, POLICIES, OIDC_PROVIDERS].map(str::to_owned);
        let ours = [
            self.instance_profiles.clone(),
            self.account_aliases.clone(),
            self.account_blocks.clone(),
            self.oidc_keys.clone(),
            self.mfa_devices.clone(),
            self.revocations.clone(),
        ];
        weeds.into_iter().chain(ours).chain(self.policy_base.clone()).chain(self.role_base.clone()).collect()
    }

    pub(crate) fn inline_directories(&self) -> [String; 3] {
        ["users", "groups", "roles"].map(|kind| format!("{}/{kind}", self.inline_base))
    }

    /// The directory where gateways write when keys were last used. It contains no documents, and the feed does not
    /// follow it.
    pub(crate) fn last_used(&self) -> &str {
        &self.last_used
    }

    pub(crate) fn buckets_root(&self) -> &str {
        &self.buckets_root
    }

    pub(crate) fn policy_base(&self) -> Option<&str> {
        self.policy_base.as_deref()
    }

    pub(crate) fn role_base(&self) -> Option<&str> {
        self.role_base.as_deref()
    }

    /// Whether losing this directory means losing documents. Only a full listing then shows which ones.
    pub(crate) fn holds_documents(&self, path: &str) -> bool {
        let ours = self.directories().into_iter().chain(self.inline_directories());
        path.starts_with(&format!("{}/", self.inline_base))
            || ours.into_iter().any(|directory| directory == path || directory.starts_with(&format!("{path}/")))
    }
}

impl Document {
    /// Whether other documents refer to it and rely on it.
    pub(crate) fn is_entity(&self) -> bool {
        matches!(self, Self::User(_) | Self::Group(_) | Self::Role(_) | Self::Policy(..))
    }

    /// The document that a change is about; `None` for what stays in memory.
    pub fn of(change: &Change) -> Option<Self> {
        Some(match change {
            Change::User(name, _) => Self::User(name.clone()),
            Change::ServiceAccount(id, _) => Self::ServiceAccount(id.clone()),
            Change::Group(name, _) => Self::Group(name.clone()),
            Change::Policy(_, PolicyPlace::Memory | PolicyPlace::Identities | PolicyPlace::Weed, _) => return None,
            Change::Policy(name, place, _) => Self::Policy(name.clone(), *place),
            Change::Role(_, RolePlace::Memory, _) => return None,
            Change::Role(name, RolePlace::Base, _) => Self::Role(name.clone()),
            Change::Inline(holder, name, _) => Self::Inline(holder.clone(), name.clone()),
            Change::WeedPolicies(_) => Self::WeedPolicies,
            Change::OidcProvider(stem, _) => Self::OidcProvider(stem.clone()),
            Change::OidcKeys(stem, _) => Self::OidcKeys(stem.clone()),
            Change::MfaDevice(stem, _) => Self::MfaDevice(stem.clone()),
            Change::Revocation(stem, _) => Self::Revocation(stem.clone()),
            Change::InstanceProfile(name, _) => Self::InstanceProfile(name.clone()),
            Change::AccountAlias(account, _) => Self::AccountAlias(account.clone()),
            Change::AccountPublicAccessBlock(account, _) => Self::AccountPublicAccessBlock(account.clone()),
            Change::Bucket(name, _) => Self::Bucket(name.clone()),
        })
    }
}
