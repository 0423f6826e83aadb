//! Users, keys, groups, roles and policies as data; the immutable Snapshot. No clock, socket, file or randomness.

mod bucket;
mod caller;
mod certificate;
mod change;
mod directory;
mod entity;
mod identities;
mod identity_provider;
mod last_used;
mod mfa_device;
mod name;
mod plugin;
mod policy_ids;
mod revocation;
mod small_map;
mod snapshot;
pub mod unique_id;
mod weed_policies;

pub use bucket::{Bucket, BucketAcl, BucketPolicy, REQUEST_PAYMENT, WEBSITE};
pub use caller::{Caller, CallerSession, ConnectionFacts, Federation, TlsVersion};
pub use certificate::{ClientCertificate, certificate_issuer};
pub use change::{Change, ChangeKind, DocumentKey, Holder, PolicyPlace, Read, RolePlace, Unreadable};
pub use directory::{DirectoryUser, PolicyMapping, comparable_dn, directory_issuer, read_dn};
pub use entity::{
    Account, AccountAlias, AccountPublicAccessBlock, Credential, GroupRecord, InlinePolicyRecord, InstanceProfile,
    OidcProvider, PolicyRecord, PolicyVersion, Renamed, RoleRecord, SEALED, ServiceAccount, Tags, UnknownFields,
    UserRecord,
};
pub use identities::Identities;
pub use identity_provider::{
    IdentityProvider, KeySource, OidcKeys, ProviderRights, RoleMapping, RoleRule, is_reserved_issuer,
};
pub use last_used::{LastUsed, SessionUse, Use};
pub use mfa_device::MfaDevice;
pub use name::{ANONYMOUS, CLAIM_BASED, ROOT, is_claim_based, is_name};
pub use plugin::{PluginKeys, plugin_issuer};
pub use policy_ids::{PolicyIds, policy_ids, shown_policy, shown_trust, stored_policy_ids, trust_ids};
pub use revocation::{LONGEST_SESSION_S, Revocation, RevocationTarget};
pub use small_map::SmallMap;
pub use snapshot::{
    Counts, Group, InlineName, InlinePolicy, KeyHolder, KeyRefusal, ManagedPolicy, Mirrored, PolicySource,
    ProblemSubject, Role, Settings, Snapshot, SnapshotBuilder, User, policy_name_of,
};
pub use weed_policies::WeedPolicies;
