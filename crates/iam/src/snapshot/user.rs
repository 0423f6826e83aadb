//! Users, their keys and groups, as decisions need them.

use std::sync::Arc;

use ids::{AccessKeyId, AccountId, SecretAccessKey};
use policy::{CompiledPolicy, Principal};

use crate::entity::{Credential, GroupRecord, ServiceAccount, Tags, UserRecord, path_or_root};

/// A user with everything that decisions about it read.
#[derive(Debug, Clone)]
pub struct User {
    /// Its name.
    pub name: Arc<str>,
    /// `AIDA...`: stored, or derived from the name if SeaweedFS created the user.
    pub id: Arc<str>,
    /// `arn:aws:iam::<account>:user/<path><name>`, or `arn:aws:iam::<account>:root`.
    pub arn: Arc<str>,
    /// The account it belongs to.
    pub account: AccountId,
    /// The owner id of its buckets and objects: the account id in its document, or else its name, as in SeaweedFS.
    pub owner_id: Arc<str>,
    /// The name shown with `owner_id`.
    pub display_name: Arc<str>,
    /// What policies know it as.
    pub principal: Principal,
    /// Whether it is the root user of its account. Only an identity of the identities file named `root` with `Admin`
    /// is.
    pub is_root: bool,
    /// Whether it is disabled. Its keys are then refused.
    pub disabled: bool,
    /// All its identity policies: legacy actions, inline, attached, of its groups.
    pub policies: Arc<[Arc<CompiledPolicy>]>,
    /// Where each of `policies` comes from, in the same order.
    pub sources: Arc<[PolicySource]>,
    /// Its permissions boundary.
    pub boundary: Option<Arc<CompiledPolicy>>,
    /// Its groups, in order.
    pub groups: Arc<[Arc<str>]>,
    /// The stored record.
    pub record: Arc<UserRecord>,
}

impl User {
    /// `/` or `/a/b/`.
    pub fn path(&self) -> &str {
        path_or_root(&self.record.path)
    }

    /// Its tags.
    pub fn tags(&self) -> &Tags {
        &self.record.tags
    }
}

/// Where an identity policy comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// The legacy actions of its document.
    Legacy,
    /// An inline policy with this name.
    Inline(Arc<str>),
    /// An attached managed policy.
    Attached(Arc<str>),
    /// An inline policy of a group.
    GroupInline(Arc<str>, Arc<str>),
    /// A managed policy attached to a group.
    GroupAttached(Arc<str>, Arc<str>),
}

impl std::fmt::Display for PolicySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Legacy => f.write_str("legacy actions"),
            Self::Inline(policy) => write!(f, "inline policy `{policy}`"),
            Self::Attached(policy) => write!(f, "attached policy `{policy}`"),
            Self::GroupInline(group, policy) => write!(f, "inline policy `{policy}` of group `{group}`"),
            Self::GroupAttached(group, policy) => write!(f, "policy `{policy}` attached to group `{group}`"),
        }
    }
}

/// A group with its compiled policies.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: Arc<str>,
    /// `AGPA...`.
    pub id: Arc<str>,
    /// The account it belongs to.
    pub account: AccountId,
    /// `arn:aws:iam::<account>:group/<path><name>`.
    pub arn: Arc<str>,
    /// The policies of its members; empty while the group is disabled.
    pub policies: Arc<[(Arc<CompiledPolicy>, PolicySource)]>,
    /// The stored record.
    pub record: Arc<GroupRecord>,
}

impl Group {
    /// `/` or `/a/b/`.
    pub fn path(&self) -> &str {
        path_or_root(&self.record.path)
    }
}

/// The holder of a key, and whether the key may be used.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    /// The key's id.
    pub access_key_id: AccessKeyId,
    /// The secret with which signatures are checked.
    pub secret: SecretAccessKey,
    /// The user for which the key acts.
    pub user: Arc<User>,
    /// The id of the service account whose key it is.
    pub service_account: Option<Arc<str>>,
    active: bool,
    /// Seconds since 1970.
    expires_s: Option<i64>,
}

/// Why a known key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// Its status is not `Active`, or its service account is disabled.
    #[error("the access key is inactive")]
    Inactive,
    /// Its user is disabled.
    #[error("the user of the access key is disabled")]
    UserDisabled,
    /// The key or its service account has expired.
    #[error("the access key has expired")]
    Expired,
}

impl KeyHolder {
    /// The key from the document of its holder. `None` if the document does not have it: then no one may sign with it.
    pub(super) fn of(
        access_key_id: &AccessKeyId,
        owner: &KeyOwner,
        user: &Arc<User>,
        service_account: Option<&Arc<ServiceAccount>>,
    ) -> Option<Self> {
        let key = match service_account {
            None => user.record.credentials.get(owner.place)?,
            Some(account) => account.credential.as_ref()?,
        };
        Some(Self {
            access_key_id: usable(key).filter(|id| id == access_key_id)?,
            secret: key.secret_key.clone(),
            user: user.clone(),
            service_account: owner.service_account.clone(),
            active: key.is_active() && service_account.is_none_or(|account| !account.disabled),
            expires_s: [key.expires_s, service_account.map_or(0, |account| account.expires_s)]
                .into_iter()
                .filter(|expires_s| *expires_s != 0)
                .min(),
        })
    }

    /// Why the key must not be accepted at this time (seconds since 1970); `None` if it may be.
    pub fn refusal(&self, now_s: i64) -> Option<KeyRefusal> {
        if self.user.disabled {
            Some(KeyRefusal::UserDisabled)
        } else if !self.active {
            Some(KeyRefusal::Inactive)
        } else if self.expires_s.is_some_and(|expires_s| expires_s <= now_s) {
            Some(KeyRefusal::Expired)
        } else {
            None
        }
    }
}

/// A claim on an access key: the document that has it. The key itself is kept only in the document.
#[derive(Debug, Clone)]
pub(super) struct KeyOwner {
    pub(super) user: Arc<str>,
    pub(super) service_account: Option<Arc<str>>,
    /// The index of the credential in the document.
    place: usize,
    pub(super) is_static: bool,
}

impl KeyOwner {
    pub(super) fn of_user(user: &Arc<str>, place: usize, is_static: bool) -> Self {
        Self { user: user.clone(), service_account: None, place, is_static }
    }

    pub(super) fn of_service_account(account: &ServiceAccount, is_static: bool) -> Self {
        let user = account.parent_user.as_str().into();
        Self { user, service_account: Some(account.id.as_str().into()), place: 0, is_static }
    }

    /// Whether two claims come from the same document.
    pub(super) fn same_holder(&self, other: &Self) -> bool {
        self.user == other.user && self.service_account == other.service_account
    }
}

/// The id of a key with which requests may be signed. `None` if the id or the secret is unusable: with an empty secret
/// anyone could sign, and with an encrypted one anyone who can read it.
pub(super) fn usable(key: &Credential) -> Option<AccessKeyId> {
    let has_secret = !key.secret_key.expose().is_empty() && key.sealed_under().is_none();
    key.access_key.parse().ok().filter(|_| has_secret)
}
