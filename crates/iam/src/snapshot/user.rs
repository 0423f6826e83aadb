//! Users, their keys and groups as decisions need them.

use std::sync::Arc;

use ids::{AccessKeyId, AccountId, SecretAccessKey};
use policy::{CompiledPolicy, Principal};

use crate::documents::{CredentialDocument, GroupDocument, ServiceAccountDocument, UserDocument};

/// A user with everything a decision about it reads.
#[derive(Debug, Clone)]
pub struct User {
    /// Its name.
    pub name: Arc<str>,
    /// `AIDA...`: stored, or derived from the name when weed made the user.
    pub id: Arc<str>,
    /// `arn:aws:iam::<account>:user/<path><name>`, or `arn:aws:iam::<account>:root`.
    pub arn: Arc<str>,
    /// The account it belongs to.
    pub account: AccountId,
    /// The owner id that its buckets and objects carry: the account id of its document, else its name (as in SeaweedFS).
    pub owner_id: Arc<str>,
    /// The name shown beside `owner_id`.
    pub display_name: Arc<str>,
    /// What policies know it as.
    pub principal: Principal,
    /// The root user of its account: only an identity of the identities file named `root` with `Admin`.
    pub is_root: bool,
    /// Its keys are refused.
    pub disabled: bool,
    /// All its identity policies: legacy actions, inline, attached, of its groups.
    pub policies: Arc<[Arc<CompiledPolicy>]>,
    /// Where each of `policies` comes from, in the same order.
    pub sources: Arc<[PolicySource]>,
    /// Its permissions boundary.
    pub boundary: Option<Arc<CompiledPolicy>>,
    /// The groups that it is in, in order.
    pub groups: Arc<[Arc<str>]>,
    /// The stored document.
    pub document: Arc<UserDocument>,
}

/// Where an identity policy comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// The legacy actions of its document.
    Legacy,
    /// An inline policy of this name.
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
    /// What its members get; empty while the group is disabled.
    pub(crate) policies: Arc<[(Arc<CompiledPolicy>, PolicySource)]>,
    /// The stored document.
    pub document: Arc<GroupDocument>,
}

/// Whose key it is, and whether it may be used.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    /// The key's id.
    pub access_key_id: AccessKeyId,
    /// The secret that signatures are checked with.
    pub secret: SecretAccessKey,
    /// The user that the key acts for.
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
    /// The service account has expired.
    #[error("the access key has expired")]
    Expired,
}

impl KeyHolder {
    /// The key as the document of its holder says. `None` if the document does not have it: then nobody may sign with it.
    pub(super) fn of(
        access_key_id: &AccessKeyId,
        owner: &KeyOwner,
        user: &Arc<User>,
        service_account: Option<&Arc<ServiceAccountDocument>>,
    ) -> Option<Self> {
        let key = match service_account {
            None => user.document.credentials.get(owner.place)?,
            Some(account) => account.credential.as_ref()?,
        };
        Some(Self {
            access_key_id: usable(key).filter(|id| id == access_key_id)?,
            secret: key.secret_key.clone(),
            user: user.clone(),
            service_account: owner.service_account.clone(),
            active: key.is_active() && service_account.is_none_or(|account| !account.disabled),
            expires_s: service_account.map(|account| account.expiration).filter(|expires_s| *expires_s != 0),
        })
    }

    /// Why the key must not be accepted at this moment (seconds since 1970); `None` if it may be.
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

/// One claim on an access key: whose document has it. The key itself is kept in the document alone.
#[derive(Debug, Clone)]
pub(super) struct KeyOwner {
    pub(super) user: Arc<str>,
    pub(super) service_account: Option<Arc<str>>,
    /// Which of the user's credentials it is, from 0.
    place: usize,
    pub(super) is_static: bool,
}

impl KeyOwner {
    pub(super) fn of_user(user: &Arc<str>, place: usize, is_static: bool) -> Self {
        Self { user: user.clone(), service_account: None, place, is_static }
    }

    pub(super) fn of_service_account(account: &ServiceAccountDocument, is_static: bool) -> Self {
        let user = account.parent_user.as_str().into();
        Self { user, service_account: Some(account.id.as_str().into()), place: 0, is_static }
    }

    /// Whether two claims come from the same document.
    pub(super) fn same_holder(&self, other: &Self) -> bool {
        self.user == other.user && self.service_account == other.service_account
    }
}

/// The id of a key that requests may be signed with. `None` when the id or the secret is unusable: an empty secret would let anybody
/// sign, and an encrypted one whoever reads it.
pub(super) fn usable(key: &CredentialDocument) -> Option<AccessKeyId> {
    let has_secret = !key.secret_key.expose().is_empty() && key.sealed_under().is_none();
    key.access_key.parse().ok().filter(|_| has_secret)
}
