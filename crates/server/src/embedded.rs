//! A gateway that keeps everything in one directory of this machine.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use filer::Filer;
use filer::embedded::{EmbeddedFiler, SESSION_KEY_FILE};
use iam::Identities;
use sts::{KeyError, SigningKey};

use crate::background;
use crate::certificates::CertificateMetrics;
use crate::configuration::{Configuration, security, trusted_proxies_of_security};
use crate::filer_metrics::EmbeddedStorage;
use crate::plan::Plan;
use crate::private_file;
use crate::root_key::RootKey;
use crate::serving;
use crate::settings::Settings;

/// What the embedded filer needs to know.
pub struct SingleMachine<'a> {
    /// Where everything is kept.
    pub directory: &'a Path,
    /// Whether the root key is replaced.
    pub new_root_key: bool,
    /// How much of what is stored is read per second in the background to find corrupt data, in bytes; 0 for none.
    pub scrub_bytes_per_s: u64,
}

/// Runs until a signal arrives. Calls `announce` with the URL and the root key once it listens.
pub async fn run(
    settings: Settings,
    machine: SingleMachine<'_>,
    announce: impl FnOnce(&str, &RootKey),
) -> Result<(), String> {
    serving::check(&settings)?;
    let SingleMachine { directory, new_root_key, scrub_bytes_per_s } = machine;
    let filer = Arc::new(EmbeddedFiler::open(directory).map_err(|error| error.to_string())?);
    let (identities, iam) = (settings.identities_file.as_deref(), settings.iam_file.as_deref());
    let mut configuration = Configuration::read(identities, iam, &[])?;
    configuration.keep_in_filer();
    let root = RootKey::find(directory, new_root_key)?;
    let key_file = directory.join(SESSION_KEY_FILE);
    let key = session_key(&key_file)?;
    let session_keys = configuration.session_keys(Some((&key_file.display().to_string(), &key)))?;
    let filer_configuration = filer.configuration().await.map_err(|error| error.to_string())?;
    let listed = trusted_proxies_of_security(security(settings.config_dir.as_deref())?.source.as_deref())?;
    let trusted_proxies = configuration.trusted_proxies(&listed)?;
    let counted = Arc::clone(&filer);
    let plan = Plan {
        workers: background::scrub(&filer, scrub_bytes_per_s).into_iter().collect(),
        embedded: Some(Arc::clone(&filer)),
        filer,
        filer_configuration,
        configuration,
        trusted_proxies,
        session_keys,
        filer_names: vec![format!("embedded:{}", directory.display())],
        weed_gateways: Arc::default(),
        several: false,
        complete: add_root,
        root: Some(root.clone()),
        certificates: CertificateMetrics::default(),
        register_metrics: Box::new(move |metrics| {
            metrics.register(|registry| registry.register_collector(Box::new(EmbeddedStorage(counted))));
        }),
    };
    serving::run(plan, settings, |url| announce(url, &root)).await
}

/// The root user of the account: the one identity that `kelpgate server` has from the start.
fn add_root(identities: &mut Identities, root: Option<&RootKey>) -> Result<(), String> {
    let Some(root) = root else { return Ok(()) };
    identities.add_root(&root.access_key_id, root.secret.clone()).map_err(|why| format!("root access key: {why}"))
}

/// The key that signs sessions, generated at the first start.
fn session_key(file: &Path) -> Result<Vec<u8>, String> {
    let text = match private_file::read(file)? {
        Some(text) => text,
        None => {
            let text = BASE64.encode(rand::random::<[u8; 32]>());
            private_file::write(file, &text)?;
            text
        }
    };
    // A key that is too short would be passed over, and all sessions with it.
    let corrupt = |why: String| {
        format!(
            "`{}` is corrupt: {why}; restore it, or remove it to get a new key, which ends all sessions",
            file.display()
        )
    };
    let key = BASE64.decode(text.trim()).map_err(|_| corrupt("it is not base64".to_owned()))?;
    match SigningKey::from_bytes(&key) {
        Err(KeyError::Short(bytes)) => Err(corrupt(format!("it has {bytes} bytes, and at least 16 are needed"))),
        _ => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_corrupt_session_key_stops_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(SESSION_KEY_FILE);
        let made = session_key(&file).unwrap();
        assert_eq!((made.len(), session_key(&file).unwrap()), (32, made));
        for (text, why) in [("junk", "it has 3 bytes"), ("", "it has 0 bytes"), ("no base64", "it is not base64")] {
            fs::write(&file, text).unwrap();
            let error = session_key(&file).unwrap_err();
            assert!(error.contains(why) && error.contains(&file.display().to_string()), "{error}");
            assert_eq!(fs::read_to_string(&file).unwrap(), text, "it is left as it is");
        }
    }
}
