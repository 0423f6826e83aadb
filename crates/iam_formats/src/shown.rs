//! The IAM file as people read it: each setting that counts with its value and where it stands. Secrets are not shown.

use std::collections::BTreeMap;

use json::Node;

use crate::audit::{FluentdPlace, Protocol, SinkKind, SinkSettings};
use crate::config::{CrossAccountSetting, DocumentStore, IamConfig, KelpgateConfig};
use crate::limits::{ConnectionSettings, LimitSetting, RateSetting};
use crate::traces::TraceSettings;

/// A setting that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownSetting {
    /// Its path, such as `kelpgate.limits.perKey`.
    pub path: String,
    /// Its value; `***` stands for a secret.
    pub value: String,
    /// The line of the file that gives it; `None` for a default.
    pub line: Option<usize>,
}

impl IamConfig {
    /// All settings, in the order of the documentation. `text` is the file that was read; empty if there is none.
    pub fn shown(&self, text: &str) -> Vec<ShownSetting> {
        let lines = Node::parse(text).map(|node| lines_of(&node)).unwrap_or_default();
        let line = |path: &str| lines.get(path).copied();
        let shown = |(path, value): (&str, String)| ShownSetting { path: path.to_owned(), value, line: line(path) };
        self.all_parts().into_iter().map(shown).collect()
    }

    fn all_parts(&self) -> Vec<(&'static str, String)> {
        let sts = &self.sts;
        let ids = sts.accepted_keys.iter().map(|key| key.kid());
        let mut parts = vec![
            ("sts.tokenDuration", format!("{} s", sts.token_duration_s)),
            ("sts.maxSessionLength", format!("{} s", sts.max_session_s)),
            ("sts.issuer", sts.issuer.clone()),
            ("sts.signingKey", sts.signing_key.as_ref().map_or_else(none, |key| format!("*** (id {})", key.kid()))),
            ("sts.signingKeys", list(ids.map(|id| format!("*** (id {id})")))),
            ("sts.accountId", sts.account.to_string()),
            ("policy.defaultEffect", if self.default_effect_allow { "Allow" } else { "Deny" }.to_owned()),
            ("policy.storeType", store(&self.policy_store)),
            ("roleStore.storeType", store(&self.role_store)),
            ("roles", list(self.roles.iter().map(|role| role.name.clone()))),
            ("policies", list(self.policies.iter().map(|(name, _)| name.clone()))),
            ("providers", list(self.identity_providers.iter().map(|provider| provider.name.clone()))),
        ];
        parts.extend(self.kelpgate.parts());
        parts
    }
}

impl KelpgateConfig {
    fn parts(&self) -> Vec<(&'static str, String)> {
        let cross_account = match self.cross_account {
            CrossAccountSetting::ResourcePolicy => "resource-policy",
            CrossAccountSetting::Both => "both",
        };
        let on_expired = if self.fence.serves_expired { "serve" } else { "deny" };
        let kinds = iam::ChangeKind::NAMES.iter().filter(|(_, kind)| self.fence.off.contains(kind));
        let rate = |LimitSetting { requests, bytes }| {
            let shown = |what: &str, rate: Option<RateSetting>| {
                rate.map(|RateSetting { per_second, burst }| format!("{per_second} {what} per second, {burst} at once"))
            };
            let both: Vec<String> = shown("requests", requests).into_iter().chain(shown("bytes", bytes)).collect();
            if both.is_empty() { "no limit".to_owned() } else { both.join("; ") }
        };
        let quota = |name: &str, bytes: Option<u64>| match bytes {
            Some(bytes) => format!("{name} {bytes} bytes"),
            None => format!("{name} no limit"),
        };
        let quotas = self.quotas.named.iter().map(|(name, bytes)| quota(name, *bytes));
        let others = self.quotas.others.map(|bytes| quota("*", Some(bytes)));
        let ConnectionSettings { per_address, in_all } = self.limits.connections;
        let most = |most: Option<usize>, of: &str| most.map(|most| format!("{most} {of}"));
        let connections: Vec<String> =
            most(per_address, "of each address").into_iter().chain(most(in_all, "in all")).collect();
        let connections = if connections.is_empty() { "no limit".to_owned() } else { connections.join("; ") };
        let ownership = self.new_buckets.object_ownership;
        vec![
            ("kelpgate.audit.sinks", list(self.audit.sinks.iter().map(sink))),
            ("kelpgate.audit.unknownCallersBytesPerSecond", self.audit.unknown_callers_bytes_per_s.to_string()),
            ("kelpgate.crossAccount", cross_account.to_owned()),
            ("kelpgate.fence.enabled", self.fence.enabled.to_string()),
            ("kelpgate.fence.leaseSeconds", seconds(self.fence.lease_ms)),
            ("kelpgate.fence.renewalSeconds", seconds(self.fence.renewal_ms)),
            ("kelpgate.fence.off", list(kinds.map(|(name, _)| (*name).to_owned()))),
            ("kelpgate.staleness.onExpired", on_expired.to_owned()),
            ("kelpgate.iamBasePath", self.iam_base_path.clone()),
            ("kelpgate.limits.perKey", rate(self.limits.key)),
            ("kelpgate.limits.perUser", rate(self.limits.user)),
            ("kelpgate.limits.perBucket", rate(self.limits.bucket)),
            ("kelpgate.limits.perAddress", rate(self.limits.address)),
            ("kelpgate.limits.connections", connections),
            ("kelpgate.log", self.log.clone().unwrap_or_else(none)),
            ("kelpgate.abandonedUploadsSeconds", self.abandoned_uploads_s.to_string()),
            ("kelpgate.mirrorInlinePolicies", self.mirror_inline_policies.to_string()),
            ("kelpgate.newBuckets.objectOwnership", ownership.map_or_else(none, |word| word.as_str().to_owned())),
            ("kelpgate.newBuckets.blockPublicAccess", self.new_buckets.block_public_access.to_string()),
            ("kelpgate.oidc.privateHosts", list(self.oidc.private_hosts.iter().cloned())),
            ("kelpgate.oidc.tlsCaCert", self.oidc.ca_file.clone().unwrap_or_else(none)),
            ("kelpgate.quotas", list(quotas.chain(others))),
            ("kelpgate.secretsKeyFile", self.secrets_key_file.clone().unwrap_or_else(none)),
            ("kelpgate.traces", self.traces.as_ref().map_or_else(none, traces)),
            ("kelpgate.trustedProxies", list(self.trusted_proxies.iter().cloned())),
            ("kelpgate.websiteDomains", list(self.website_domains.iter().cloned())),
        ]
    }
}

/// The line of each value of an object, and of the objects in it.
fn lines_of(node: &Node<'_>) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for (_, inner) in node.object().map(json::Object::rest).unwrap_or_default() {
        lines.insert(inner.path().to_owned(), inner.error("").line);
        if inner.is_object() {
            lines.extend(lines_of(&inner));
        }
    }
    lines
}

fn none() -> String {
    "none".to_owned()
}

fn list(items: impl Iterator<Item = String>) -> String {
    let text = items.collect::<Vec<_>>().join(", ");
    if text.is_empty() { none() } else { text }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000).trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn store(store: &DocumentStore) -> String {
    match store {
        DocumentStore::Memory => "memory".to_owned(),
        DocumentStore::Filer { base_path } => format!("filer, in {base_path}"),
    }
}

fn sink(sink: &SinkSettings) -> String {
    let place = match &sink.kind {
        SinkKind::File(file) => file.path.clone(),
        SinkKind::StandardOutput => "standard output".to_owned(),
        SinkKind::Network(network) => match &network.protocol {
            Protocol::Webhook(webhook) => host_of(&webhook.endpoint),
            Protocol::Syslog(syslog) => syslog.address.clone(),
            Protocol::Fluentd(fluentd) => match &fluentd.place {
                FluentdPlace::Address(place) | FluentdPlace::Socket(place) => place.clone(),
            },
        },
    };
    format!("{} ({}) to {place}", sink.name, if sink.blocks { "block" } else { "best-effort" })
}

fn traces(traces: &TraceSettings) -> String {
    format!("{} of a million requests to {}", traces.sampled_per_million, host_of(&traces.endpoint))
}

/// Scheme and host: a password or a token may stand in the rest.
fn host_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{}", authority.rsplit('@').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigInputs, IamConfig};

    #[test]
    fn each_setting_is_shown_with_its_line_and_without_secrets() {
        let text = r#"{
            "sts": {"tokenDuration": "2h",
                "signingKey": "MDEyMzQ1Njc4OWFiY2RlZg=="},
            "kelpgate": {
                "limits": {"perKey": {"requestsPerSecond": 5}},
                "fence": {"leaseSeconds": 2.5},
                "audit": {"sinks": [{"type": "webhook", "endpoint": "https://me:hunter2@siem.example.com/token?t=hunter3"}]}
            }}"#;
        let config = IamConfig::parse(text, &ConfigInputs { filers: &[], generated_key: "" }).unwrap();
        let shown = config.shown(text);
        for (path, value, line) in [
            ("sts.tokenDuration", "7200 s", Some(2)),
            ("sts.maxSessionLength", "43200 s", None),
            ("sts.accountId", "000000000000", None),
            ("kelpgate.limits.perKey", "5 requests per second, 5 at once", Some(5)),
            ("kelpgate.limits.perUser", "no limit", None),
            ("kelpgate.fence.leaseSeconds", "2.5", Some(6)),
            ("kelpgate.audit.sinks", "webhook (best-effort) to https://siem.example.com", Some(7)),
            ("kelpgate.crossAccount", "resource-policy", None),
        ] {
            let found = shown.iter().find(|setting| setting.path == path).unwrap();
            assert_eq!((found.value.as_str(), found.line), (value, line), "{path}");
        }
        let all = format!("{shown:?}");
        assert!(!all.contains("MDEy") && !all.contains("hunter") && all.contains("*** (id "), "{all}");
    }
}
