//! Users, keys, groups, roles and policies as data; commands; the immutable Snapshot. No clock, socket, file or randomness.

mod bucket;
mod bucket_life;
mod caller;
mod change;
pub mod command;
mod config;
mod documents;
mod identities;
mod instance_profile;
mod json;
mod last_used;
mod oidc_provider;
mod policy_ids;
mod small_map;
mod snapshot;
pub mod transfer;
mod unique_id;
mod weed_policies;

pub use bucket::{
    ACL, Bucket, BucketMetadata, BucketPolicy, CREATOR, CorsConfiguration, CorsRule, DefaultRetention,
    EncryptionConfiguration, LIFECYCLE, OBJECT_LOCK, OWNER, OWNERSHIP, Ownership, POLICY, POLICY_IDS, VERSIONING,
    Versioning,
};
pub use bucket_life::{BucketLife, LIFE, Stage};
pub use caller::{Caller, CallerSession, TlsVersion};
pub use change::{
    Change, ChangeKind, DocumentKey, Holder, PolicyPlace, PolicyText, Read, RolePlace, Unreadable, WeedPolicies,
};
pub use command::{Command, IamError, Outcome, Params};
pub use config::{
    CrossAccountSetting, DocumentStore, FenceSettings, IamConfig, KelpgateConfig, StsConfig, Surroundings,
};
pub use documents::{
    AccountDocument, CredentialDocument, Facts, GroupDocument, PolicyVersion, RoleDocument, SEALED,
    ServiceAccountDocument, Tags, UserDocument,
};
pub use identities::Identities;
pub use instance_profile::{AccountAliasDocument, InstanceProfileDocument};
pub use json::JsonError;
pub use last_used::{LastUsed, Use};
pub use oidc_provider::OidcProviderDocument;
pub use policy_ids::{PolicyIds, policy_attributes, policy_ids, shown_policy};
pub use small_map::SmallMap;
pub use snapshot::{
    ANONYMOUS, Counts, Group, InlineName, InlinePolicy, KeyHolder, KeyRefusal, ManagedPolicy, Mirrored, NextSnapshot,
    PolicySource, Role, Settings, Snapshot, User, policy_name_of,
};
