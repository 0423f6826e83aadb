//! What a running gateway takes over from an IAM file that was changed.

use std::fmt::Debug;
use std::sync::Arc;

use iam::IdentityProvider;

use crate::config::{IamConfig, KelpgateConfig};

impl IamConfig {
    /// This configuration with what a running gateway can take over from a changed file: identity providers, limits, quotas, audit and log.
    /// The second part of the result names what else is different, and stays as it is until a restart.
    pub fn taking_over(&self, read: &Self) -> (Self, Vec<&'static str>) {
        let (own, other) = (&self.kelpgate, &read.kelpgate);
        let KelpgateConfig { limits, quotas, audit, log, .. } = other.clone();
        let kelpgate = KelpgateConfig { limits, quotas, audit, log, ..own.clone() };
        // What directories, certificates and plugins give goes on as it is with the connections to them.
        let without_tokens = |config: &Self| -> (Vec<_>, Vec<_>) {
            config.identity_providers.iter().cloned().partition(|provider| !provider.has_tokens())
        };
        let ((kept, _), (read_kept, fresh)) = (without_tokens(self), without_tokens(read));
        let is_free =
            |new: &Arc<IdentityProvider>| kept.iter().all(|known| known.name != new.name && known.arn != new.arn);
        let identity_providers = kept.iter().cloned().chain(fresh.into_iter().filter(is_free)).collect();
        let passwords = |config: &Self| -> Vec<_> {
            let of_directories = config.directories.iter().map(|directory| directory.bind_password.as_ref());
            let of_plugin = config.plugin.iter().map(|plugin| plugin.auth_token.as_ref());
            of_directories.chain(of_plugin).map(|secret| secret.map(|it| it.expose().to_owned())).collect()
        };
        let policy = |config: &Self| (config.default_effect_allow, config.policy_store.clone());
        let parts = [
            ("sts", differ(&self.sts, &read.sts)),
            ("policy", policy(self) != policy(read)),
            ("roleStore", self.role_store != read.role_store),
            ("roles", differ(&self.roles, &read.roles)),
            ("policies", self.policies != read.policies),
            (
                "providers of type ldap, certificate or plugin",
                differ(&self.directories, &read.directories)
                    || differ(&self.plugin, &read.plugin)
                    || passwords(self) != passwords(read)
                    || self.client_authorities != read.client_authorities
                    || kept != read_kept,
            ),
            ("kelpgate.abandonedUploadsSeconds", own.abandoned_uploads_s != other.abandoned_uploads_s),
            ("kelpgate.crossAccount", own.cross_account != other.cross_account),
            ("kelpgate.fence", own.fence != other.fence),
            ("kelpgate.iamBasePath", own.iam_base_path != other.iam_base_path),
            ("kelpgate.mirrorInlinePolicies", own.mirror_inline_policies != other.mirror_inline_policies),
            ("kelpgate.newBuckets", own.new_buckets != other.new_buckets),
            ("kelpgate.oidc", own.oidc != other.oidc),
            ("kelpgate.secretsKeyFile", own.secrets_key_file != other.secrets_key_file),
            ("kelpgate.traces", own.traces != other.traces),
            ("kelpgate.websiteDomains", own.website_domains != other.website_domains),
            ("kelpgate.trustedProxies", own.trusted_proxies != other.trusted_proxies),
        ];
        let later = parts.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect();
        (Self { identity_providers, kelpgate, ..self.clone() }, later)
    }
}

/// Keys that sign show themselves by their ids.
fn differ<T: Debug>(one: &T, other: &T) -> bool {
    format!("{one:?}") != format!("{other:?}")
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigInputs, IamConfig};

    fn read(text: &str) -> IamConfig {
        IamConfig::parse(text, &ConfigInputs { filers: &[], generated_key: "" }).unwrap()
    }

    #[test]
    fn directories_stay_until_a_restart() {
        let directory = |base: &str| {
            format!(
                r#"{{"name": "corp", "type": "ldap", "config": {{"server": "ldaps://ldap.example.com", "baseDN": "{base}",
                "bindDN": "cn=reader,dc=x", "bindPassword": "secret"}}}}"#
            )
        };
        let oidc = |name: &str, host: &str| {
            let config = format!(r#"{{"issuer": "https://{host}", "clientId": "c"}}"#);
            format!(r#"{{"name": "{name}", "type": "oidc", "config": {config}}}"#)
        };
        let of = |providers: &[String]| read(&format!(r#"{{"providers": [{}]}}"#, providers.join(", ")));
        let before = of(&[directory("dc=x"), oidc("a", "a.example.com")]);
        for (providers, names, differs) in [
            (vec![directory("dc=x"), oidc("b", "b.example.com")], ["corp", "b"], false),
            (vec![directory("dc=y"), oidc("a", "a.example.com")], ["corp", "a"], true),
            (vec![oidc("a", "a.example.com")], ["corp", "a"], true),
            (vec![oidc("corp", "b.example.com"), oidc("a", "a.example.com")], ["corp", "a"], true),
        ] {
            let (taken, later) = before.taking_over(&of(&providers));
            let found: Vec<&str> = taken.identity_providers.iter().map(|provider| provider.name.as_str()).collect();
            assert_eq!(found, names, "{providers:?}");
            assert_eq!(!later.is_empty(), differs, "{providers:?} {later:?}");
        }
    }

    #[test]
    fn what_only_a_restart_changes_stays_and_is_named() {
        let role = r#"{"roleName": "R", "trustPolicy": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}}"#;
        for (text, later) in [
            (r#"{"kelpgate": {"log": "debug", "limits": {"perKey": {"requestsPerSecond": 1}}}}"#.to_owned(), vec![]),
            (r#"{"kelpgate": {"audit": {"sinks": [{"type": "stdout"}]}}}"#.to_owned(), vec![]),
            (r#"{"sts": {"tokenDuration": "2h"}}"#.to_owned(), vec!["sts"]),
            (r#"{"sts": {"signingKey": "MDEyMzQ1Njc4OWFiY2RlZg=="}}"#.to_owned(), vec!["sts"]),
            (r#"{"policy": {"defaultEffect": "Allow"}}"#.to_owned(), vec!["policy"]),
            (format!(r#"{{"roles": [{role}]}}"#), vec!["roles"]),
            (
                r#"{"kelpgate": {"crossAccount": "both", "staleness": {"onExpired": "serve"}, "trustedProxies": ["10.0.0.1"]}}"#
                    .to_owned(),
                vec!["kelpgate.crossAccount", "kelpgate.fence", "kelpgate.trustedProxies"],
            ),
        ] {
            let (before, read) = (IamConfig::default(), read(&text));
            let (taken, named) = before.taking_over(&read);
            assert_eq!(named, later, "{text}");
            assert_eq!(taken.kelpgate.log, read.kelpgate.log);
            assert_eq!((taken.kelpgate.audit, taken.kelpgate.limits), (read.kelpgate.audit.clone(), read.kelpgate.limits));
            assert_eq!(taken.kelpgate.cross_account, before.kelpgate.cross_account);
            assert_eq!(taken.sts.token_duration_s, before.sts.token_duration_s);
        }
    }
}
