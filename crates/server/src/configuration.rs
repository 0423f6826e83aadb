//! The files that the command line names, read once: identities, `-iam.config`, trusted proxies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use federation::Directory;
use filer::seaweedfs::Security;
use iam::Identities;
use iam_formats::{ConfigInputs, DocumentStore, IamConfig, identities, oversights};
use ids::{Network, SecretAccessKey};
use store::SecretKeys;
use sts::SessionKeys;
use zeroize::Zeroizing;

use crate::{audit_log, private_file, tracer};

/// The variable with the keys for secrets at rest, if no file holds them.
pub const SECRETS_KEY: &str = "KELPGATE_SECRETS_KEY";

/// What is said if nothing can sign sessions.
pub const NO_SESSION_KEY: &str = "there is no sts.signingKey, so AssumeRole and session tokens are refused";

/// What the files say.
pub struct Configuration {
    /// The static identities.
    pub identities: Identities,
    /// The IAM file.
    pub iam: IamConfig,
}

impl Configuration {
    /// Reads both files, and logs every warning. Every error names the file, the line and what to do.
    pub fn read(config: Option<&Path>, iam_config: Option<&Path>, filers: &[String]) -> Result<Self, String> {
        let read = Self::read_silently(config, iam_config, filers)?;
        for warning in read.warnings(config, iam_config) {
            tracing::warn!("configuration: {warning}");
        }
        Ok(read)
    }

    /// Reads both files. What would be logged is in [`Configuration::warnings`].
    pub fn read_silently(config: Option<&Path>, iam_config: Option<&Path>, filers: &[String]) -> Result<Self, String> {
        let iam = match iam_config {
            None => IamConfig::default(),
            Some(path) => {
                let generated_key = BASE64.encode(rand::random::<[u8; 32]>());
                let inputs = ConfigInputs { filers, generated_key: &generated_key };
                let text = read_file("-iam.config", path)?;
                IamConfig::parse(&text, &inputs).map_err(|error| format!("-iam.config: {}: {error}", path.display()))?
            }
        };
        let identities = Self::read_identities(config, iam_config)?;
        Ok(Self { identities, iam })
    }

    /// What is ignored or dangerous in these files, with file, line and column.
    pub fn warnings(&self, config: Option<&Path>, iam_config: Option<&Path>) -> Vec<String> {
        let in_file = |path: Option<&Path>, warning: &String| match path {
            Some(path) => format!("{}: {warning}", path.display()),
            None => warning.clone(),
        };
        let of_iam = self.iam.warnings.iter().map(|warning| in_file(iam_config, warning));
        let of_identities = self.identities.warnings.iter().map(|warning| in_file(config.or(iam_config), warning));
        let allows = "policy.defaultEffect is Allow: every authenticated S3 request that no policy denies is allowed";
        let allows = self.iam.default_effect_allow.then(|| in_file(iam_config, &allows.to_owned()));
        of_iam.chain(of_identities).chain(allows).collect()
    }

    /// Reads the identities: `-config`, or `-iam.config` if that is not given.
    pub fn read_identities(config: Option<&Path>, iam_config: Option<&Path>) -> Result<Identities, String> {
        let environment = |name: &str| std::env::var(name).ok();
        let (flag, path, identities) = match (config, iam_config) {
            (Some(path), _) => ("-config", path, identities::parse(&read_file("-config", path)?, &environment)),
            (None, Some(path)) => {
                let text = read_file("-iam.config", path)?;
                ("-iam.config", path, identities::of_iam_config(&text, &environment))
            }
            (None, None) => return Ok(Identities::default()),
        };
        identities.map_err(|error| format!("{flag}: {}: {error}", path.display()))
    }

    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` add an administrator, as in `weed s3`.
    pub fn add_environment_admin(identities: &mut Identities) -> Result<(), String> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            let added = identities.add_environment_admin(&id, SecretAccessKey::new(secret));
            return added.map_err(|why| format!("AWS_SECRET_ACCESS_KEY: {why}"));
        }
        Ok(())
    }

    /// Stores on the filer what the file would keep in memory or does not mention: if the filer is the gateway's own,
    /// it would be lost at the next start.
    pub fn keep_in_filer(&mut self) {
        let base = &self.iam.kelpgate.iam_base_path;
        let (policies, roles) = (format!("{base}/policies"), format!("{base}/roles"));
        for (store, base_path) in [(&mut self.iam.policy_store, policies), (&mut self.iam.role_store, roles)] {
            if *store == DocumentStore::Memory {
                *store = DocumentStore::Filer { base_path };
            }
        }
    }

    /// Likely mistakes in the files that do not stop a start, with file, line and column.
    pub fn oversights(config: Option<&Path>, iam_config: Option<&Path>) -> Vec<String> {
        let text = |path: Option<&Path>| path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let (of_config, of_iam) = (text(config), text(iam_config));
        let in_file = |path: Option<&Path>, found: Vec<String>| {
            let path = path.map(|path| path.display().to_string()).unwrap_or_default();
            found.into_iter().map(move |found| format!("{path}: {found}"))
        };
        let iam = oversights::in_iam_config(&of_iam, &|path| Path::new(path).is_file());
        // Without `-config`, the identities are in the IAM file, whose policies have been looked at.
        let identities = match config {
            Some(_) => oversights::in_identities(&of_config, &oversights::policy_names(&of_iam)),
            None => oversights::of_identities_in_iam_config(&of_iam),
        };
        in_file(iam_config, iam).chain(in_file(config.or(iam_config), identities)).collect()
    }

    /// The keys that encrypt stored secret access keys: `kelpgate.secretsKeyFile`, or `KELPGATE_SECRETS_KEY`. `None`
    /// stores them in plain text.
    pub fn secret_keys(&self) -> Result<Option<SecretKeys>, String> {
        let variable = std::env::var(SECRETS_KEY).ok().filter(|text| !text.trim().is_empty()).map(Zeroizing::new);
        let (from, text) = match (variable, &self.iam.kelpgate.secrets_key_file) {
            (None, None) => return Ok(None),
            (Some(_), Some(file)) => {
                return Err(format!(
                    "both {SECRETS_KEY} and kelpgate.secretsKeyFile (`{file}`) give keys; keep one of them"
                ));
            }
            (Some(text), None) => (SECRETS_KEY.to_owned(), text),
            (None, Some(file)) => {
                let text = private_file::read(Path::new(file))?;
                let text = text.ok_or_else(|| format!("kelpgate.secretsKeyFile: there is no file `{file}`"))?;
                (format!("kelpgate.secretsKeyFile `{file}`"), Zeroizing::new(text))
            }
        };
        SecretKeys::parse(&text).map(Some).map_err(|error| format!("{from}: {error}"))
    }

    /// Checks what a start does with the files that the configuration names. Creates nothing.
    pub fn check_opening(&self, audit_file: Option<&Path>) -> Result<(), String> {
        self.secret_keys()?;
        let config = &self.iam.kelpgate;
        config.traces.as_ref().map_or(Ok(()), tracer::check)?;
        let directories = self.iam.directories.iter().cloned();
        directories.map(Directory::new).try_for_each(|directory| directory.map(|_| ()))?;
        audit_log::check(&config.audit, audit_file)
    }

    /// The keys that sign sessions: the configured one, or else `fallback` (a name and bytes). Without either there are
    /// no sessions.
    pub fn session_keys(&self, fallback: Option<(&str, &[u8])>) -> Result<Option<Arc<SessionKeys>>, String> {
        let (keys, passed_over) = self.iam.session_keys(fallback.as_slice())?;
        for warning in passed_over {
            tracing::warn!("sessions: {warning}");
        }
        if keys.is_none() {
            tracing::warn!("{NO_SESSION_KEY}");
        }
        Ok(keys.map(Arc::new))
    }

    /// The proxies whose forwarding headers are trusted: `kelpgate.trustedProxies` and those in `security.toml`.
    pub fn trusted_proxies(&self, of_security: &[String]) -> Result<Vec<Network>, String> {
        let ours = self.iam.kelpgate.trusted_proxies.iter().map(|text| ("kelpgate.trustedProxies", text));
        let theirs = of_security.iter().map(|text| ("security.toml: s3.trusted_proxies.white_list", text));
        ours.chain(theirs).map(|(from, text)| text.trim().parse().map_err(|error| format!("{from}: {error}"))).collect()
    }
}

fn read_file(flag: &str, path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{flag}: `{}` cannot be read: {error}", path.display()))
}

/// `security.toml`, with the overrides from the environment.
///
/// Fails if there is no such directory: without the file that is meant to be in it, the gateway would run without TLS and keys.
pub fn security(config_dir: Option<&Path>) -> Result<Security, String> {
    let config_dir = config_dir.filter(|directory| !directory.as_os_str().is_empty());
    if let Some(missing) = config_dir.filter(|directory| !directory.is_dir()) {
        return Err(format!(
            "-config_dir: there is no directory `{}`; correct it, or leave it out to search the usual places alone",
            missing.display()
        ));
    }
    let security = Security::load(config_dir, &|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    if let Some(source) = &security.source {
        tracing::info!("security settings from {}", source.display());
    }
    Ok(security)
}

/// The key of `security.toml` that signs sessions if `-iam.config` has none: its name and bytes.
pub fn session_key_of(security: &Security) -> Option<(&str, &[u8])> {
    security.filer_write.as_ref().map(|key| ("jwt.filer_signing.key", key.expose_bytes()))
}

/// `s3.trusted_proxies.white_list` of `security.toml`, or `WEED_S3_TRUSTED_PROXIES_WHITE_LIST` (comma separated).
pub fn trusted_proxies_of_security(source: Option<&Path>) -> Result<Vec<String>, String> {
    let split =
        |text: &str| text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    if let Ok(text) = std::env::var("WEED_S3_TRUSTED_PROXIES_WHITE_LIST") {
        return Ok(split(&text));
    }
    let Some(path) = source else { return Ok(Vec::new()) };
    let text = read_file("security.toml", path)?;
    let table: toml::Table = text.parse().map_err(|_| format!("`{}` is not valid TOML", path.display()))?;
    let listed = table.get("s3").and_then(|s3| s3.get("trusted_proxies")).and_then(|proxies| proxies.get("white_list"));
    match listed {
        None => Ok(Vec::new()),
        Some(toml::Value::String(text)) => Ok(split(text)),
        Some(toml::Value::Array(list)) if list.iter().all(toml::Value::is_str) => {
            Ok(list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
        }
        Some(_) => {
            Err("security.toml: `s3.trusted_proxies.white_list` must be a list of addresses or networks".to_owned())
        }
    }
}

/// Refuses a `credential.toml` that keeps users anywhere but on the filer: a gateway that does not know them would
/// refuse all of them, or miss that their permissions were revoked.
pub fn check_credential_store(config_dir: Option<&Path>) -> Result<(), String> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".seaweedfs"));
    let fixed = ["/usr/local/etc/seaweedfs", "/etc/seaweedfs"].map(PathBuf::from);
    let places = [config_dir.map(Path::to_owned), Some(PathBuf::from(".")), home];
    let mut files = places.into_iter().flatten().chain(fixed).map(|directory| directory.join("credential.toml"));
    let Some(path) = files.find(|path| path.is_file()) else { return Ok(()) };
    let table: toml::Table =
        read_file("credential.toml", &path)?.parse().map_err(|_| format!("`{}` is not valid TOML", path.display()))?;
    let stores = table.get("credential").and_then(toml::Value::as_table);
    let is_enabled = |store: &toml::Value| store.get("enabled").and_then(toml::Value::as_bool) == Some(true);
    let foreign = stores.into_iter().flatten().find(|(name, store)| *name != "filer_etc" && is_enabled(store));
    match foreign {
        None => Ok(()),
        Some((name, _)) => Err(format!(
            "`{}` keeps users in `{name}`, which is not supported: only `filer_etc` is. Move them to the filer, or start where this \
             file is not found (-config_dir)",
            path.display()
        )),
    }
}
