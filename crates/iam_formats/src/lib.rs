//! The formats in which IAM state is stored and configured: SeaweedFS's documents and files, and our own beside them.
//!
//! This is the only place that knows the names of their fields.

mod audit;
mod certificate;
mod config;
mod documents;
mod facts;
mod go;
pub mod identities;
mod instance_profile;
pub mod last_used;
mod ldap;
mod limits;
mod mfa_device;
mod oidc_keys;
mod oidc_provider;
pub mod oversights;
mod plugin;
mod provider_address;
mod provider_rights;
mod providers;
mod quotas;
mod reload;
mod revocation;
mod shown;
mod stored_names;
mod traces;
mod unknown;
mod unknown_settings;
pub mod weed_policies;

pub use audit::{
    AuditFilter, AuditFormat, AuditSettings, AuditedOutcome, FileSettings, FluentdPlace, FluentdSettings,
    NetworkSettings, Protocol, SinkKind, SinkSettings, SyslogSettings, TlsSettings, WebhookSettings,
};
pub use config::{
    ConfigInputs, CrossAccountSetting, DocumentStore, FenceSettings, IamConfig, KelpgateConfig, OidcSettings, StsConfig,
};
pub use documents::{StoredDocument, document_text};
pub use facts::Facts;
pub use ldap::{LdapSettings, NestedGroups};
pub use limits::{ConnectionSettings, LimitSetting, LimitSettings, RateSetting};
pub use plugin::PluginSettings;
pub use quotas::QuotaSettings;
pub use shown::ShownSetting;
pub use traces::TraceSettings;
