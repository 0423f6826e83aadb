//! The `-iam.config` file: sessions, where roles and policies are stored, and Kelpgate's own settings under `kelpgate`.

use std::collections::BTreeSet;
use std::sync::Arc;

use ids::{AccountId, Network, NewBuckets, Ownership};
use policy::{CrossAccount, Policy, PolicyKind};
use sts::{KeyError, SessionKeys, SigningKey};

use crate::audit::AuditSettings;
use crate::documents::{StoredDocument, document_text};
use crate::facts::Facts;
use crate::go::duration_s;
use crate::identities;
use crate::ldap::LdapSettings;
use crate::limits::LimitSettings;
use crate::oversights::part;
use crate::plugin::PluginSettings;
use crate::providers::{self, Providers};
use crate::quotas::QuotaSettings;
use crate::stored_names::{check_policy, check_reserved_role, check_role};
use crate::traces::TraceSettings;
use crate::unknown::fields_of;
use crate::unknown_settings::{refuse_unknown, unknown};
use iam::{Change, ChangeKind, IdentityProvider, PolicyPlace, PolicyRecord, RolePlace, RoleRecord, Settings};
use json::{JsonError, Node, Object};

/// The content of the file, with defaults filled in.
#[derive(Debug, Clone)]
pub struct IamConfig {
    /// Sessions.
    pub sts: StsConfig,
    /// `policy.defaultEffect: "Allow"`, which applies only to authenticated S3 requests.
    pub default_effect_allow: bool,
    /// Where the policies of this file are stored.
    pub policy_store: DocumentStore,
    /// Where roles are stored.
    pub role_store: DocumentStore,
    /// `roles[]`.
    pub roles: Vec<RoleRecord>,
    /// `policies[]`: name and text.
    pub policies: Vec<(String, String)>,
    /// `providers[]` and `sts.providers[]`.
    pub identity_providers: Vec<Arc<IdentityProvider>>,
    /// How those of type `ldap` are asked.
    pub directories: Vec<LdapSettings>,
    /// `clientCaCert` of the provider of type `certificate`: a PEM file with the authorities of client certificates.
    pub client_authorities: Option<String>,
    /// How the provider of type `plugin` is asked.
    pub plugin: Option<PluginSettings>,
    /// Our own settings.
    pub kelpgate: KelpgateConfig,
    /// What was ignored, for the log.
    pub warnings: Vec<String>,
}

/// `sts`.
#[derive(Debug, Clone)]
pub struct StsConfig {
    /// The default length of a session, in seconds.
    pub token_duration_s: i64,
    /// The longest session, in seconds.
    pub max_session_s: i64,
    /// The `iss` of sessions.
    pub issuer: String,
    /// The key that signs sessions; `None` if the file has none.
    pub signing_key: Option<SigningKey>,
    /// `signingKeys`: further keys whose sessions are accepted, so that the key can be replaced.
    pub accepted_keys: Vec<SigningKey>,
    /// The account of sessions.
    pub account: AccountId,
}

/// `policy` or `roleStore`: in the memory of this gateway, or on the filer for all gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentStore {
    /// Only what the file defines, in this process.
    Memory,
    /// Documents below a directory of the filer, without a slash at the end.
    Filer {
        /// For example `/seaweedfs/iam/roles`.
        base_path: String,
    },
}

impl DocumentStore {
    /// `memory` or `filer`, as `/status` shows it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Filer { .. } => "filer",
        }
    }
}

/// `kelpgate`: settings that SeaweedFS does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KelpgateConfig {
    /// `crossAccount`.
    pub cross_account: CrossAccountSetting,
    /// `iamBasePath`: where inline policies are stored; `/seaweedfs/iam` by default.
    pub iam_base_path: String,
    /// `abandonedUploadsSeconds`: how long a gateway must be silent before others free the chunks of its unfinished uploads, in
    /// seconds: 5..=86400. 0, or absent: uploads are not recorded, and nothing is freed. It is safe only if all filers share one
    /// store whose reads see every acknowledged write.
    pub abandoned_uploads_s: u64,
    /// `trustedProxies`: addresses or networks whose forwarding headers are trusted to give the client's address.
    pub trusted_proxies: Vec<String>,
    /// `mirrorInlinePolicies`: whether inline policies of users and groups are also written to SeaweedFS's document;
    /// false by default.
    pub mirror_inline_policies: bool,
    /// `secretsKeyFile`: the file with the keys that encrypt stored secret access keys; `None` stores them unencrypted.
    pub secrets_key_file: Option<String>,
    /// `websiteDomains`: the domains of websites; `bucket.domain` is that of a bucket.
    pub website_domains: Vec<String>,
    /// `newBuckets`: what a new bucket gets if its request does not say.
    pub new_buckets: NewBuckets,
    /// `fence` and `staleness`: what an answered change promises.
    pub fence: FenceSettings,
    /// `oidc`: the identity providers of the IAM API.
    pub oidc: OidcSettings,
    /// `limits`: how many requests a second a gateway answers.
    pub limits: LimitSettings,
    /// `quotas`: how many bytes a bucket of the embedded filer may hold.
    pub quotas: QuotaSettings,
    /// `audit`: where the audit records of requests go.
    pub audit: AuditSettings,
    /// `traces`: which requests are traced; `None` for none.
    pub traces: Option<TraceSettings>,
    /// `log`: what the log shows, such as `info,audit=debug`; `None` for the default.
    pub log: Option<String>,
}

/// `kelpgate.oidc`: how the keys of providers that the IAM API stored are fetched. Who may create providers must not be able
/// to send the gateway's requests into its own network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OidcSettings {
    /// `privateHosts`: hosts of issuers that may be at private or loopback addresses.
    pub private_hosts: Vec<String>,
    /// `tlsCaCert`: certificates that sign those of the private hosts.
    pub ca_file: Option<String>,
}

/// `kelpgate.fence` and `kelpgate.staleness`: how gateways wait for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceSettings {
    /// `fence.enabled`: whether gateways have leases, and changes are answered once every gateway enforces them. True
    /// by default.
    pub enabled: bool,
    /// `fence.leaseSeconds`: how long a gateway decides without news from the filers; 3 by default.
    pub lease_ms: u64,
    /// `fence.renewalSeconds`: how often the lease is renewed; 0.5 by default.
    pub renewal_ms: u64,
    /// `fence.off`: kinds of changes that are answered as soon as they are applied on the gateway that made them.
    pub off: BTreeSet<ChangeKind>,
    /// `staleness.onExpired: "serve"`: whether a gateway whose lease has run out continues to decide by the last state
    /// that it knows.
    pub serves_expired: bool,
}

impl Default for FenceSettings {
    fn default() -> Self {
        Self { enabled: true, lease_ms: 3000, renewal_ms: 500, off: BTreeSet::new(), serves_expired: false }
    }
}

impl Default for KelpgateConfig {
    fn default() -> Self {
        Self {
            cross_account: CrossAccountSetting::ResourcePolicy,
            iam_base_path: DEFAULT_BASE.to_owned(),
            abandoned_uploads_s: 0,
            trusted_proxies: Vec::new(),
            mirror_inline_policies: false,
            secrets_key_file: None,
            website_domains: Vec::new(),
            new_buckets: NewBuckets::default(),
            fence: FenceSettings::default(),
            oidc: OidcSettings::default(),
            audit: AuditSettings::default(),
            traces: None,
            log: None,
            limits: LimitSettings::default(),
            quotas: QuotaSettings::default(),
        }
    }
}

/// What a request to another account's bucket needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrossAccountSetting {
    /// A grant of the bucket policy to a user, a session or `*` suffices.
    ResourcePolicy,
    /// Both the bucket policy and the identity must allow: AWS's rule.
    Both,
}

/// What is needed to check the file.
pub struct ConfigInputs<'a> {
    /// The values of `-filer`; empty if the filer is embedded.
    pub filers: &'a [String],
    /// A freshly generated base64 key, which is suggested if the file's key is unusable.
    pub generated_key: &'a str,
}

const DEFAULT_BASE: &str = "/seaweedfs/iam";

impl Default for IamConfig {
    fn default() -> Self {
        Self {
            sts: StsConfig {
                token_duration_s: 3600,
                max_session_s: 43200,
                issuer: "seaweedfs-sts".to_owned(),
                signing_key: None,
                accepted_keys: Vec::new(),
                account: AccountId::DEFAULT,
            },
            default_effect_allow: false,
            policy_store: DocumentStore::Memory,
            role_store: DocumentStore::Memory,
            roles: Vec::new(),
            policies: Vec::new(),
            identity_providers: Vec::new(),
            directories: Vec::new(),
            client_authorities: None,
            plugin: None,
            kelpgate: KelpgateConfig::default(),
            warnings: Vec::new(),
        }
    }
}

impl IamConfig {
    /// Reads the file.
    ///
    /// Fails on bad JSON, values of the wrong kind and unknown keys, each with line and column; on a
    /// signing key that is not base64 or has fewer than 16 bytes; on a filer address that is not in `-filer`; and on a
    /// role or policy whose name the store cannot hold: it would otherwise be missing for those who rely on it.
    pub fn parse(text: &str, inputs: &ConfigInputs<'_>) -> Result<Self, JsonError> {
        let node = Node::parse(text)?;
        let mut object = node.object()?;
        let mut config = Self::default();
        let mut providers = Providers::default();
        if let Some(node) = object.take("sts") {
            config.sts(&node, inputs, &mut providers)?;
        }
        if let Some(node) = object.take("policy") {
            config.policy(&node, inputs)?;
        }
        if let Some(node) = object.take("roleStore") {
            let mut store = node.object()?;
            config.role_store = document_store(&mut store, "roles", inputs, &mut config.warnings)?;
            refuse_unknown(store)?;
        }
        providers.read(&mut object, &mut config.warnings)?;
        config.identity_providers = providers::of_account(providers.all, config.sts.account)?;
        config.directories = providers.directories;
        config.client_authorities = providers.client_authorities;
        config.plugin = providers.plugin;
        for node in object.array(&["roles"])? {
            let role = RoleRecord::read(&node, Facts::default())?;
            if let Some(key) = fields_of(&role.unknown).keys().next() {
                return Err(unknown(&node, key));
            }
            if config.roles.iter().any(|known| known.name == role.name) {
                return Err(node.error(format!("the role `{}` is defined twice; merge the two", role.name)));
            }
            check_reserved_role(&node, &role.name)?;
            if is_stored(&config.role_store, inputs) {
                check_role(&node, &role.name)?;
            }
            readable(&node, &["trustPolicy", "trust_policy"], PolicyKind::Trust, &role.trust_policy)?;
            config.roles.push(role);
        }
        for node in object.array(&["policies"])? {
            let (name, text) = config_policy(&node)?;
            if config.policies.iter().any(|(known, _)| *known == name) {
                return Err(node.error(format!("the policy `{name}` is defined twice; merge the two")));
            }
            if is_stored(&config.policy_store, inputs) {
                check_policy(&node, &name)?;
            }
            readable(&node, &["document", "content"], PolicyKind::Identity, &text)?;
            config.policies.push((name, text));
        }
        if let Some(node) = object.take("kelpgate") {
            config.kelpgate = kelpgate(&node)?;
        }
        config.rest(object)?;
        Ok(config)
    }

    /// What decisions need from the configuration.
    pub fn settings(&self) -> Settings {
        let cross_account = match self.kelpgate.cross_account {
            CrossAccountSetting::ResourcePolicy => CrossAccount::ResourcePolicy,
            CrossAccountSetting::Both => CrossAccount::Both,
        };
        let role_place = match self.role_store {
            DocumentStore::Memory => RolePlace::Memory,
            DocumentStore::Filer { .. } => RolePlace::Base,
        };
        let default_effect_allow = self.default_effect_allow;
        let identity_providers = self.identity_providers.clone();
        Settings { account: self.sts.account, default_effect_allow, cross_account, role_place, identity_providers }
    }

    /// The roles and policies whose store is the memory of this gateway.
    pub fn in_memory(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.role_store == DocumentStore::Memory {
            let role =
                |role: &RoleRecord| Change::Role(role.name.as_str().into(), RolePlace::Memory, Some(Ok(role.clone())));
            changes.extend(self.roles.iter().map(role));
        }
        if self.policy_store == DocumentStore::Memory {
            changes.extend(self.policies.iter().map(|(name, text)| {
                let policy = PolicyRecord::of_text(text.as_str());
                Change::Policy(name.as_str().into(), PolicyPlace::Memory, Some(Ok(policy)))
            }));
        }
        changes
    }

    /// The keys for sessions: `sts.signingKey`, or else the first fallback that is long enough, as in SeaweedFS
    /// (`jwt.filer_signing.key`, then the SSE-S3 key). Without any key there are no sessions. The second part of the
    /// result lists the skipped fallbacks.
    ///
    /// Fails if the fallback that would be used is a published key.
    pub fn session_keys(&self, fallbacks: &[(&str, &[u8])]) -> Result<(Option<SessionKeys>, Vec<String>), String> {
        let mut passed_over = Vec::new();
        let mut current = self.sts.signing_key.clone();
        for (name, bytes) in fallbacks.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            if current.is_some() {
                break;
            }
            match SigningKey::from_bytes(bytes) {
                Ok(key) => current = Some(key),
                Err(error @ KeyError::Public(_)) => return Err(format!("{name}: {error}")),
                Err(KeyError::Short(_) | KeyError::NotBase64 { .. }) => passed_over.push(format!(
                    "`{name}` has {} bytes, too few to sign sessions with: set sts.signingKey, at least 16 bytes",
                    bytes.len()
                )),
            }
        }
        let keys = current.map(|current| SessionKeys {
            current,
            older: self.sts.accepted_keys.clone(),
            issuer: self.sts.issuer.clone(),
            account_id: self.sts.account,
        });
        Ok((keys, passed_over))
    }

    /// Reads `sts`, and adds its providers.
    fn sts<'a>(
        &mut self,
        node: &Node<'a>,
        inputs: &ConfigInputs<'_>,
        providers: &mut Providers<'a>,
    ) -> Result<(), JsonError> {
        let mut object = node.object()?;
        if let Some(node) = object.take("tokenDuration") {
            self.sts.token_duration_s = within(&node, 900, 43200)?;
        }
        if let Some(node) = object.take("maxSessionLength") {
            self.sts.max_session_s = within(&node, 900, 43200)?;
        }
        if let Some(node) = object.take("issuer") {
            self.sts.issuer = node.string()?;
            if self.sts.issuer.is_empty() {
                return Err(node.error("the issuer is empty; leave the key out for `seaweedfs-sts`"));
            }
        }
        if let Some(node) = object.take("signingKey") {
            self.sts.signing_key = signing_key(&node, inputs.generated_key)?;
        }
        if let Some(node) = object.take("signingKeys") {
            for node in node.array()? {
                self.sts.accepted_keys.extend(signing_key(&node, inputs.generated_key)?);
            }
        }
        if let Some(node) = object.take("accountId") {
            let text = node.string()?;
            if !text.is_empty() {
                self.sts.account = text.parse().map_err(|error: ids::AccountIdError| node.error(error.to_string()))?;
            }
        }
        providers.read(&mut object, &mut self.warnings)?;
        refuse_unknown(object)
    }

    fn policy(&mut self, node: &Node<'_>, inputs: &ConfigInputs<'_>) -> Result<(), JsonError> {
        let mut object = node.object()?;
        if let Some(node) = object.take("defaultEffect") {
            self.default_effect_allow = match node.string()?.as_str() {
                "Allow" => true,
                "Deny" | "" => false,
                other => return Err(node.error(format!("`{other}` is neither `Deny` nor `Allow`"))),
            };
        }
        self.policy_store = document_store(&mut object, "policies", inputs, &mut self.warnings)?;
        refuse_unknown(object)
    }

    /// A policy that cannot be read denies, so the gateway may start. The log reports it.
    fn rest(&mut self, object: Object<'_>) -> Result<(), JsonError> {
        for (key, node) in object.rest() {
            if identities::TOP_LEVEL.contains(&key.as_str()) {
                continue; // the same file read as an identities file
            }
            if key == "oidcProviderStore" {
                self.warnings.push(node.remark("this is ignored, as in SeaweedFS"));
            } else if !key.starts_with('_') && !key.starts_with('$') && key != "comment" {
                return Err(unknown(&node, ""));
            }
        }
        Ok(())
    }
}

/// Whether what the file defines goes to a filer. A gateway without `-filer` keeps everything in its own one.
fn is_stored(store: &DocumentStore, inputs: &ConfigInputs<'_>) -> bool {
    inputs.filers.is_empty() || matches!(store, DocumentStore::Filer { .. })
}

/// An unreadable policy prevents the start: on the filer it would replace a good one.
fn readable(node: &Node<'_>, keys: &[&str], kind: PolicyKind, text: &str) -> Result<(), JsonError> {
    let Err(error) = Policy::parse_stored(kind, text) else { return Ok(()) };
    let document = node.object()?.take_spelled(keys)?.unwrap_or_else(|| node.clone());
    let place = if error.path().is_empty() { String::new() } else { format!(" at {}", error.path()) };
    Err(part(&document, error.path()).error(format!("the policy cannot be read{place}: {}", error.message())))
}

fn within(node: &Node<'_>, least: i64, most: i64) -> Result<i64, JsonError> {
    let seconds = duration_s(node)?;
    if (least..=most).contains(&seconds) {
        return Ok(seconds);
    }
    let meant = if node.is_string() {
        String::new()
    } else {
        format!("a number means nanoseconds, as in SeaweedFS: write \"{}s\" for seconds; ", node.text())
    };
    Err(node.error(format!("{meant}{seconds} s is out of range: {least} to {most} seconds")))
}

fn signing_key(node: &Node<'_>, generated: &str) -> Result<Option<SigningKey>, JsonError> {
    let text = node.string()?;
    if text.is_empty() {
        return Ok(None);
    }
    let refused = |error| node.error(format!("{error}; here is a newly generated one: \"{generated}\""));
    SigningKey::from_base64(&text).map(Some).map_err(refused)
}

/// `{"storeType", "storeConfig": {"filerAddress", "basePath"}}`. `leaf` is the directory if the base path is left out.
fn document_store(
    object: &mut Object<'_>,
    leaf: &str,
    inputs: &ConfigInputs<'_>,
    warnings: &mut Vec<String>,
) -> Result<DocumentStore, JsonError> {
    let store_type = object.take("storeType");
    let filer = match &store_type {
        None => false,
        Some(node) => match node.string()?.as_str() {
            "memory" | "" => false,
            "filer" | "cached-filer" | "generic-cached" => true,
            other => return Err(node.error(format!("`{other}` is not a store type; use `memory` or `filer`"))),
        },
    };
    let mut base_path = format!("{DEFAULT_BASE}/{leaf}");
    if let Some(node) = object.take("storeConfig") {
        let mut store = node.object()?;
        if let Some(node) = store.take("basePath") {
            base_path = absolute_path(&node)?;
        }
        if let Some(node) = store.take("filerAddress") {
            check_filer(&node, inputs.filers)?;
        }
        for key in ["noCache", "ttl", "listTtl", "maxCacheSize", "cacheTtl", "maxCacheEntries"] {
            if let Some(node) = store.take(key) {
                warnings.push(
                    node.remark("this is ignored: the gateway follows changes on the filer, and nothing expires"),
                );
            }
        }
        refuse_unknown(store)?;
    }
    Ok(if filer { DocumentStore::Filer { base_path } } else { DocumentStore::Memory })
}

fn absolute_path(node: &Node<'_>) -> Result<String, JsonError> {
    let text = node.string()?;
    let path = text.trim_end_matches('/');
    let plain = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains('\0');
    if path.is_empty() && text.starts_with('/') {
        return Err(node.error("the root of the filer is no place for it; write a directory, such as `/seaweedfs/iam`"));
    }
    if path.starts_with('/') && path.split('/').skip(1).all(plain) {
        Ok(path.to_owned())
    } else {
        Err(node.error(format!("`{text}` is not an absolute path; write one such as `/seaweedfs/iam/roles`")))
    }
}

/// The address must be in `-filer`, because changes on another filer would not be followed.
fn check_filer(node: &Node<'_>, filers: &[String]) -> Result<(), JsonError> {
    let address = node.string()?;
    // `host:http.grpc` and `host:http` name the same filer.
    let plain = |address: &str| {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        (host.to_owned(), port.split('.').next().unwrap_or_default().to_owned())
    };
    if address.is_empty() || filers.is_empty() || filers.iter().any(|filer| plain(filer) == plain(&address)) {
        return Ok(());
    }
    Err(node.error(format!(
        "the filer `{address}` is not in -filer={}; name one of these, or leave out `filerAddress`",
        filers.join(",")
    )))
}

fn config_policy(node: &Node<'_>) -> Result<(String, String), JsonError> {
    let mut object = node.object()?;
    let name = object.string(&["name"])?;
    let document = object.take_spelled(&["document", "content"])?;
    object.take("description");
    refuse_unknown(object)?;
    match document {
        Some(document) if !name.is_empty() => Ok((name, document_text(&document)?)),
        _ => Err(node.error("a policy needs a `name` and a `document`")),
    }
}

fn kelpgate(node: &Node<'_>) -> Result<KelpgateConfig, JsonError> {
    let mut object = node.object()?;
    let mut config = KelpgateConfig::default();
    if let Some(node) = object.take("crossAccount") {
        config.cross_account = match node.string()?.as_str() {
            "resource-policy" => CrossAccountSetting::ResourcePolicy,
            "both" => CrossAccountSetting::Both,
            other => return Err(node.error(format!("`{other}` is neither `resource-policy` nor `both`"))),
        };
    }
    if let Some(node) = object.take("iamBasePath") {
        config.iam_base_path = absolute_path(&node)?;
    }
    for node in object.array(&["trustedProxies"])? {
        let text = node.string()?;
        text.trim().parse::<Network>().map_err(|error| node.error(format!("trusted proxies: {error}")))?;
        config.trusted_proxies.push(text);
    }
    if let Some(node) = object.take("abandonedUploadsSeconds") {
        config.abandoned_uploads_s = abandoned_uploads_s(&node)?;
    }
    if let Some(node) = object.take("mirrorInlinePolicies") {
        config.mirror_inline_policies = node.boolean()?;
    }
    config.secrets_key_file = Some(object.string(&["secretsKeyFile"])?).filter(|file| !file.is_empty());
    config.website_domains = object.strings(&["websiteDomains"])?;
    if let Some(node) = object.take("newBuckets") {
        config.new_buckets = new_buckets(&node)?;
    }
    if let Some(node) = object.take("fence") {
        config.fence = fence(&node)?;
    }
    if let Some(node) = object.take("oidc") {
        let mut object = node.object()?;
        config.oidc.private_hosts = object.strings(&["privateHosts"])?;
        config.oidc.ca_file = Some(object.string(&["tlsCaCert"])?).filter(|file| !file.is_empty());
        refuse_unknown(object)?;
    }
    if let Some(node) = object.take("limits") {
        config.limits = LimitSettings::read(&node)?;
    }
    if let Some(node) = object.take("quotas") {
        config.quotas = QuotaSettings::read(&node)?;
    }
    if let Some(node) = object.take("audit") {
        config.audit = AuditSettings::read(&node)?;
    }
    config.traces = object.take("traces").map(|node| TraceSettings::read(&node)).transpose()?;
    config.log = Some(object.string(&["log"])?).filter(|filter| !filter.is_empty());
    if let Some(node) = object.take("staleness") {
        let mut object = node.object()?;
        if let Some(node) = object.take("onExpired") {
            config.fence.serves_expired = match node.string()?.as_str() {
                "deny" => false,
                "serve" => true,
                other => return Err(node.error(format!("`{other}` is neither `deny` nor `serve`"))),
            };
        }
        refuse_unknown(object)?;
    }
    refuse_unknown(object)?;
    Ok(config)
}

fn abandoned_uploads_s(node: &Node<'_>) -> Result<u64, JsonError> {
    let seconds = u64::try_from(node.integer()?).ok();
    let allowed = seconds.filter(|seconds| *seconds == 0 || (5..=86_400).contains(seconds));
    allowed.ok_or_else(|| node.error("give between 5 and 86400 seconds, or 0 to leave the chunks of dead gateways"))
}

fn new_buckets(node: &Node<'_>) -> Result<NewBuckets, JsonError> {
    let mut object = node.object()?;
    let mut new_buckets = NewBuckets::default();
    if let Some(node) = object.take("objectOwnership") {
        let word = node.string()?;
        let unknown = || {
            node.error(format!("`{word}` is neither `BucketOwnerEnforced`, `BucketOwnerPreferred` nor `ObjectWriter`"))
        };
        new_buckets.object_ownership = Some(Ownership::named(&word).ok_or_else(unknown)?);
    }
    if let Some(node) = object.take("blockPublicAccess") {
        new_buckets.block_public_access = node.boolean()?;
    }
    refuse_unknown(object)?;
    Ok(new_buckets)
}

fn fence(node: &Node<'_>) -> Result<FenceSettings, JsonError> {
    let mut object = node.object()?;
    let mut fence = FenceSettings::default();
    if let Some(node) = object.take("enabled") {
        fence.enabled = node.boolean()?;
    }
    let seconds = |node: &Node<'_>, range: std::ops::RangeInclusive<f64>| {
        let seconds = node.number()?;
        if !range.contains(&seconds) {
            let (least, most) = range.into_inner();
            return Err(node.error(format!("{seconds} is not between {least} and {most} seconds")));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range")]
        Ok((seconds * 1000.0) as u64)
    };
    if let Some(node) = object.take("leaseSeconds") {
        fence.lease_ms = seconds(&node, 0.5..=60.0)?;
        fence.renewal_ms = fence.lease_ms / 6;
    }
    if let Some(node) = object.take("renewalSeconds") {
        fence.renewal_ms = seconds(&node, 0.05..=30.0)?;
        if fence.renewal_ms * 2 > fence.lease_ms {
            return Err(node.error(
                "a lease must be renewed at least twice during its length: make this shorter, or `leaseSeconds` longer",
            ));
        }
    }
    if let Some(node) = object.take("off") {
        for item in node.array()? {
            let name = item.string()?;
            let kind = ChangeKind::NAMES.iter().find(|(known, _)| *known == name);
            let names = || ChangeKind::NAMES.map(|(name, _)| name).join(", ");
            let (_, kind) =
                kind.ok_or_else(|| item.error(format!("`{name}` is not a kind of change; the kinds are {}", names())))?;
            fence.off.insert(*kind);
        }
    }
    refuse_unknown(object)?;
    Ok(fence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<IamConfig, JsonError> {
        let filers = ["localhost:8888.18888".to_owned()];
        IamConfig::parse(text, &ConfigInputs { filers: &filers, generated_key: "R0VORVJBVEVE" })
    }

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";

    #[test]
    fn the_distributed_configuration_is_read() {
        let text = format!(
            r#"{{"sts":{{"tokenDuration":"1h","maxSessionLength":"12h","issuer":"seaweedfs-sts","signingKey":"{KEY}"}},
            "policy":{{"defaultEffect":"Deny","storeType":"filer","storeConfig":{{"filerAddress":"localhost:8888","basePath":"/seaweedfs/iam/policies"}}}},
            "roleStore":{{"storeType":"filer","storeConfig":{{"filerAddress":"localhost:8888","basePath":"/seaweedfs/iam/roles/"}}}},
            "roles":[{{"roleName":"R","roleArn":"arn:aws:iam::role/R","trustPolicy":{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}]}},"attachedPolicies":["P"]}}],
            "policies":[{{"name":"P","document":{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:*","Resource":"*"}}]}}}}],
            "kelpgate":{{"crossAccount":"both","mirrorInlinePolicies":true,"abandonedUploadsSeconds":60,
            "newBuckets":{{"objectOwnership":"ObjectWriter","blockPublicAccess":true}}}},"identities":[],"_note":"x","providers":[]}}"#
        );
        let config = parse(&text).unwrap();
        assert_eq!(config.sts.token_duration_s, 3600);
        let key = SigningKey::from_bytes(b"0123456789abcdef").unwrap();
        assert_eq!(config.sts.signing_key.as_ref().unwrap().kid(), key.kid());
        assert_eq!(config.role_store, DocumentStore::Filer { base_path: "/seaweedfs/iam/roles".into() });
        assert!(config.policies[0].1.contains("s3:*"), "{}", config.policies[0].1);
        assert_eq!(config.kelpgate.cross_account, CrossAccountSetting::Both);
        assert!(config.kelpgate.mirror_inline_policies && !KelpgateConfig::default().mirror_inline_policies);
        assert_eq!((config.kelpgate.abandoned_uploads_s, KelpgateConfig::default().abandoned_uploads_s), (60, 0));
        let open = NewBuckets { object_ownership: Some(Ownership::ObjectWriter), block_public_access: true };
        assert_eq!(config.kelpgate.new_buckets, open);
        let bare = parse(r#"{"policy":{"storeType":"filer"},"roleStore":{"storeType":"filer"}}"#).unwrap();
        assert_eq!(bare.policy_store, DocumentStore::Filer { base_path: "/seaweedfs/iam/policies".into() });
        assert_eq!(bare.role_store, DocumentStore::Filer { base_path: "/seaweedfs/iam/roles".into() });
    }

    #[test]
    fn what_is_kept_in_memory_comes_from_the_file() {
        let roles = r#""roles":[{"roleName":"R","trustPolicy":{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}}],
            "policies":[{"name":"P","document":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}}]"#;
        let config = parse(&format!("{{{roles}}}")).unwrap();
        assert_eq!(config.in_memory().len(), 2);
        let on_filer =
            parse(&format!(r#"{{{roles},"policy":{{"storeType":"filer"}},"roleStore":{{"storeType":"filer"}}}}"#))
                .unwrap();
        assert_eq!(on_filer.in_memory().len(), 0);
        assert_eq!(on_filer.settings().role_place, RolePlace::Base);
    }

    #[test]
    fn sessions_are_signed_with_the_first_key_that_is_long_enough() {
        let kid = |config: &IamConfig, fallbacks: &[(&str, &str)]| {
            let fallbacks: Vec<_> = fallbacks.iter().map(|(name, key)| (*name, key.as_bytes())).collect();
            let (keys, passed_over) = config.session_keys(&fallbacks).unwrap();
            (keys.map(|keys| keys.current.kid().to_owned()), passed_over.len())
        };
        let key = |bytes: &[u8]| Some(SigningKey::from_bytes(bytes).unwrap().kid().to_owned());
        let (none, long) = (IamConfig::default(), b"long enough for it");
        assert_eq!(kid(&none, &[]), (None, 0));
        assert_eq!(kid(&none, &[("a", ""), ("b", "short"), ("c", "long enough for it")]), (key(long), 1));
        let own = parse(&format!(r#"{{"sts":{{"signingKey":"{KEY}"}}}}"#)).unwrap();
        assert_eq!(kid(&own, &[("c", "long enough for it")]), (key(b"0123456789abcdef"), 0));
        let public: (&str, &[u8]) = ("a", b"test-signing-key-32-characters-long");
        let refused = none.session_keys(&[public]).unwrap_err();
        assert!(refused.starts_with("a: the key is public: SeaweedFS's samples"), "{refused}");
        assert!(own.session_keys(&[public]).is_ok(), "it signs nothing");
    }

    #[test]
    fn each_mistake_is_named_with_its_place() {
        for (text, part) in [
            (r#"{"sts":{"signingKey":"base64-encoded-signing-key"}}"#, "R0VORVJBVEVE"),
            (r#"{"sts":{"signingKey":"c2hvcnQ="}}"#, "5 bytes"),
            (r#"{"sts":{"signingKey":"dGVzdC1zaWduaW5nLWtleS0zMi1jaGFyYWN0ZXJzLWxvbmc="}}"#, "SeaweedFS's samples"),
            (
                r#"{"policies":[{"name":"P","document":{"Version":"2012-10-17","Statement":[{"Effect":"Maybe"}]}}]}"#,
                "Statement[0]",
            ),
            (r#"{"sts":{"tokenDuration":"1 hour"}}"#, "not a duration"),
            (r#"{"sts":{"maxSessionLength":"24h"}}"#, "out of range"),
            (r#"{"sts":{"tokenDuraton":"1h"}}"#, "unknown key `sts.tokenDuraton`"),
            (r#"{"polices":[]}"#, "unknown key `polices`"),
            (r#"{"policy":{"storeType":"etcd"}}"#, "`etcd` is not a store type"),
            (r#"{"policy":{"defaultEffect":"Perhaps"}}"#, "neither"),
            (r#"{"policy":{"storeConfig":{"filerAddress":"other:8888"}}}"#, "is not in -filer=localhost:8888"),
            (r#"{"roleStore":{"storeConfig":{"basePath":"/a/../b"}}}"#, "not an absolute path"),
            (r#"{"kelpgate":{"oidc":{"privateHost":["a"]}}}"#, "unknown key"),
            (r#"{"roles":[{"roleName":"R"}]}"#, "trustPolicy"),
            (
                r#"{"roles":[{"trustPolicy":{"Statement":[]},"roleName":"STS-claim-based"}]}"#,
                "column 54, `roles[0].roleName`: `STS-claim-based` is reserved",
            ),
            (r#"{"kelpgate":{"crossacount":"both"}}"#, "unknown key"),
            (r#"{"kelpgate":{"mirrorInlinePolicies":"yes"}}"#, "kelpgate.mirrorInlinePolicies"),
            (r#"{"kelpgate":{"abandonedUploadsSeconds":4}}"#, "between 5 and 86400"),
            (r#"{"kelpgate":{"abandonedUploadsSeconds":-1}}"#, "between 5 and 86400"),
            (r#"{"kelpgate":{"abandonedUploadsSeconds":86401}}"#, "between 5 and 86400"),
            (r#"{"kelpgate":{"newBuckets":{"objectOwnership":"objectWriter"}}}"#, "`objectWriter` is neither"),
            (r#"{"kelpgate":{"newBuckets":{"blockPublicAccess":"no"}}}"#, "kelpgate.newBuckets.blockPublicAccess"),
            (r#"{"kelpgate":{"newBuckets":{"blockPublicAcess":true}}}"#, "blockPublicAcess"),
            (r#"{"sts":{"accountId":"12"}}"#, "not an account id"),
            (r#"{"sts":{"tokenDuration":3600}}"#, "write \"3600s\" for seconds; 0 s is out of range"),
            (r#"{"kelpgate":{"iamBasePath":"/"}}"#, "column 28, `kelpgate.iamBasePath`: the root of the filer"),
            (
                r#"{"kelpgate":{"trustedProxies":["::1","10.0.0.0/99"]}}"#,
                "column 38, `kelpgate.trustedProxies[1]`: trusted",
            ),
            (
                r#"{"policies":[{"name":"P","document":{"Statement":"x"}}]}"#,
                "column 50, `policies[0].document.Statement`: ",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("line 1"), "{text}: {error}");
        }
    }

    #[test]
    fn the_silence_before_uploads_are_abandoned() {
        for seconds in [0, 5, 86_400] {
            let config = parse(&format!(r#"{{"kelpgate":{{"abandonedUploadsSeconds":{seconds}}}}}"#)).unwrap();
            assert_eq!(config.kelpgate.abandoned_uploads_s, seconds);
        }
    }
}
