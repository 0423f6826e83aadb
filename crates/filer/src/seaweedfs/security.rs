//! `security.toml`: the keys that sign tokens for volume servers and filers, and the certificates for gRPC and HTTPS.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ids::published_in;

use super::tls::{self, TlsError};

/// A signing key, and how long its tokens are valid.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    key: Vec<u8>,
    /// How long a token is valid, in seconds.
    pub expires_after_seconds: u64,
}

impl SigningKey {
    /// A key of these bytes.
    pub fn new(key: impl Into<Vec<u8>>, expires_after_seconds: u64) -> Self {
        SigningKey { key: key.into(), expires_after_seconds }
    }

    /// The raw key.
    pub fn expose_bytes(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(.., {} s)", self.expires_after_seconds)
    }
}

/// What a gateway reads from `security.toml`. The default is no security at all, as if the file were absent.
#[derive(Clone, Default)]
pub struct Security {
    /// The file that was read, for logs.
    pub source: Option<PathBuf>,
    /// `jwt.signing.key`: write tokens of volume servers; the master mints them for uploads, the gateway for deletions.
    pub volume_write: Option<SigningKey>,
    /// `jwt.signing.read.key`: read tokens of volume servers, minted by the gateway.
    pub volume_read: Option<SigningKey>,
    /// `jwt.filer_signing.key`: HTTP writes and the IAM service of filers; also the STS signing key if none is given.
    pub filer_write: Option<SigningKey>,
    /// `jwt.filer_signing.read.key`: HTTP reads of filers.
    pub filer_read: Option<SigningKey>,
    /// The files of certificates, keys and authorities, by their dotted names.
    pub files: Vec<(&'static str, PathBuf)>,
    grpc: Option<Arc<rustls::ClientConfig>>,
    https: Option<Arc<rustls::ClientConfig>>,
}

/// Values that name files.
const FILES: [&str; 6] =
    ["grpc.ca", "grpc.client.cert", "grpc.client.key", "https.client.ca", "https.client.cert", "https.client.key"];

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            .field("source", &self.source)
            .field("volume_write", &self.volume_write)
            .field("volume_read", &self.volume_read)
            .field("filer_write", &self.filer_write)
            .field("filer_read", &self.filer_read)
            .field("grpc_tls", &self.grpc.is_some())
            .field("https", &self.https.is_some())
            .finish()
    }
}

/// Why `security.toml` cannot be used. The text never contains secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecurityError {
    /// The file exists but cannot be read.
    #[error("`{path}` cannot be read: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is not TOML. The message gives only the position, because a line may contain a key.
    #[error("`{path}` is not valid TOML near line {line}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A value has the wrong type.
    #[error("security.toml: `{name}` must be {wanted}")]
    Type {
        /// The dotted name.
        name: String,
        /// What is expected.
        wanted: &'static str,
    },
    /// The key is published, so it is not secret.
    #[error(
        "security.toml: `{name}.key` is public: {place} publish it, so anyone can make tokens for filers and volume servers; make a \
         key of your own with `openssl rand -base64 32` and give it to every server"
    )]
    Public {
        /// The dotted name.
        name: String,
        /// Where it is published.
        place: &'static str,
    },
    /// Some but not all of what TLS needs is configured. SeaweedFS would continue without TLS.
    #[error("security.toml: gRPC TLS needs `grpc.ca`, `grpc.client.cert` and `grpc.client.key`; `{0}` is missing")]
    Incomplete(&'static str),
    /// A certificate or key cannot be used.
    #[error("security.toml: {0}")]
    Tls(#[from] TlsError),
}

impl Security {
    /// Reads the first `security.toml` of: `config_dir` (`-config_dir`), the working directory, `$HOME/.seaweedfs`,
    /// `/usr/local/etc/seaweedfs`, `/etc/seaweedfs`. `environment` gives variables: `WEED_JWT_SIGNING_KEY` overrides
    /// `jwt.signing.key`, and so on. Without a file, only the environment counts.
    pub fn load(
        config_dir: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Security, SecurityError> {
        let home = environment("HOME").map(|home| Path::new(&home).join(".seaweedfs"));
        let places = [config_dir.map(Path::to_owned), Some(PathBuf::from(".")), home];
        let fixed = ["/usr/local/etc/seaweedfs", "/etc/seaweedfs"].map(PathBuf::from);
        for path in places.into_iter().flatten().chain(fixed).map(|directory| directory.join("security.toml")) {
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    let mut security = Self::parse(&text, environment, &path)?;
                    security.source = Some(path);
                    return Ok(security);
                }
                Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
                Err(cause) => return Err(SecurityError::Read { path, cause }),
            }
        }
        Self::parse("", environment, Path::new("security.toml"))
    }

    /// Reads the text of a `security.toml`. Certificates are read from the files that it names.
    pub fn parse(
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
        path: &Path,
    ) -> Result<Security, SecurityError> {
        let table = text.parse::<toml::Table>().map_err(|error| {
            let until = error.span().map_or(0, |span| span.start);
            SecurityError::Syntax {
                path: path.to_owned(),
                line: 1 + text.bytes().take(until).filter(|b| *b == b'\n').count(),
            }
        })?;
        let settings = Settings { table, environment };
        let mut files = Vec::new();
        for name in FILES {
            files.extend(Some(settings.text(name)?).filter(|path| !path.is_empty()).map(|path| (name, path.into())));
        }
        Ok(Security {
            source: None,
            files,
            volume_write: settings.key("jwt.signing", 10)?,
            volume_read: settings.key("jwt.signing.read", 60)?,
            filer_write: settings.key("jwt.filer_signing", 10)?,
            filer_read: settings.key("jwt.filer_signing.read", 60)?,
            grpc: grpc_tls(&settings)?,
            https: https(&settings)?,
        })
    }

    /// Whether connections to filers use TLS.
    pub fn has_grpc_tls(&self) -> bool {
        self.grpc.is_some()
    }

    /// TLS for connections to filers, or `None` for plain text.
    pub(super) fn grpc_tls(&self) -> Option<Arc<rustls::ClientConfig>> {
        self.grpc.clone()
    }

    /// TLS for connections to volume servers, or `None` for plain HTTP.
    pub(super) fn https(&self) -> Option<Arc<rustls::ClientConfig>> {
        self.https.clone()
    }
}

fn grpc_tls(settings: &Settings<'_>) -> Result<Option<Arc<rustls::ClientConfig>>, SecurityError> {
    let ca = settings.text("grpc.ca")?;
    let cert = settings.text("grpc.client.cert")?;
    let key = settings.text("grpc.client.key")?;
    if cert.is_empty() && key.is_empty() {
        return Ok(None);
    }
    for (value, name) in [(&ca, "grpc.ca"), (&cert, "grpc.client.cert"), (&key, "grpc.client.key")] {
        if value.is_empty() {
            return Err(SecurityError::Incomplete(name));
        }
    }
    Ok(Some(Arc::new(tls::grpc_client(&ca, &cert, &key)?)))
}

fn https(settings: &Settings<'_>) -> Result<Option<Arc<rustls::ClientConfig>>, SecurityError> {
    if !settings.flag("https.client.enabled")? {
        return Ok(None);
    }
    let [ca, cert, key] = ["https.client.ca", "https.client.cert", "https.client.key"].map(|name| settings.text(name));
    let skip_verify = settings.flag("https.client.insecure_skip_verify")?;
    Ok(Some(Arc::new(tls::https_client(&ca?, &cert?, &key?, skip_verify)?)))
}

/// Values by dotted name, the environment first: viper's rule, `WEED_` + upper case + `_` for `.`.
struct Settings<'a> {
    table: toml::Table,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Settings<'_> {
    fn environment_value(&self, name: &str) -> Option<String> {
        let variable = format!("WEED_{}", name.to_ascii_uppercase().replace('.', "_"));
        (self.environment)(&variable).filter(|value| !value.is_empty())
    }

    fn value(&self, name: &str) -> Option<&toml::Value> {
        let (sections, last) = name.rsplit_once('.').map_or((None, name), |(sections, last)| (Some(sections), last));
        let mut table = &self.table;
        for section in sections.into_iter().flat_map(|sections| sections.split('.')) {
            table = table.get(section)?.as_table()?;
        }
        table.get(last)
    }

    fn text(&self, name: &str) -> Result<String, SecurityError> {
        match (self.environment_value(name), self.value(name)) {
            (Some(value), _) => Ok(value),
            (None, None) => Ok(String::new()),
            (None, Some(toml::Value::String(value))) => Ok(value.clone()),
            (None, Some(_)) => Err(SecurityError::Type { name: name.to_owned(), wanted: "a string" }),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, SecurityError> {
        let wrong = || SecurityError::Type { name: name.to_owned(), wanted: "true or false" };
        match (self.environment_value(name), self.value(name)) {
            (Some(value), _) => value.parse().map_err(|_| wrong()),
            (None, None) => Ok(false),
            (None, Some(value)) => value.as_bool().ok_or_else(wrong),
        }
    }

    fn seconds(&self, name: &str, default: u64) -> Result<u64, SecurityError> {
        let wrong = || SecurityError::Type { name: name.to_owned(), wanted: "a number of seconds" };
        let seconds = match (self.environment_value(name), self.value(name)) {
            (Some(value), _) => value.parse().map_err(|_| wrong())?,
            (None, None) => 0,
            (None, Some(value)) => value.as_integer().and_then(|value| u64::try_from(value).ok()).ok_or_else(wrong)?,
        };
        Ok(if seconds == 0 { default } else { seconds })
    }

    fn key(&self, section: &str, default_seconds: u64) -> Result<Option<SigningKey>, SecurityError> {
        let key = self.text(&format!("{section}.key"))?;
        if let Some(place) = published_in(key.as_bytes()) {
            return Err(SecurityError::Public { name: section.to_owned(), place });
        }
        let expires_after_seconds = self.seconds(&format!("{section}.expires_after_seconds"), default_seconds)?;
        Ok((!key.is_empty()).then(|| SigningKey::new(key, expires_after_seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Security, SecurityError> {
        let environment =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Security::parse(text, &environment, Path::new("security.toml"))
    }

    #[test]
    fn keys_and_their_expiry() {
        let security = parse(
            "[jwt.signing]\nkey = \"w\"\n[jwt.signing.read]\nkey = \"r\"\nexpires_after_seconds = 7\n[jwt.filer_signing]\nkey = \"f\"\n",
            &[("WEED_JWT_FILER_SIGNING_KEY", "from-env"), ("WEED_JWT_FILER_SIGNING_READ_KEY", "env-only")],
        )
        .unwrap();
        assert_eq!(security.volume_write, Some(SigningKey::new("w", 10)));
        assert_eq!(security.volume_read, Some(SigningKey::new("r", 7)));
        assert_eq!(security.filer_write, Some(SigningKey::new("from-env", 10)));
        assert_eq!(security.filer_read, Some(SigningKey::new("env-only", 60)));
        let debug = format!("{security:?}");
        assert!(!debug.contains("from-env") && !debug.contains("\"w\""), "{debug}");
    }

    #[test]
    fn mistakes_stop_the_start() {
        for (text, environment, want) in [
            ("a = \nkey=\"hunter2", [].as_slice(), "`security.toml` is not valid TOML near line 1"),
            ("[jwt.signing]\nkey = 5", &[], "`jwt.signing.key` must be a string"),
            (
                "[jwt.signing.read]\nkey = 'test-signing-key'",
                &[],
                "`jwt.signing.read.key` is public: SeaweedFS's samples",
            ),
            (
                "",
                &[("WEED_JWT_FILER_SIGNING_KEY", "dGVzdC1zaWduaW5nLWtleS0zMi1jaGFyYWN0ZXJzLWxvbmc=")],
                "`jwt.filer_signing.key` is public",
            ),
            ("[jwt.signing]\nkey = 'x'\nexpires_after_seconds = 'soon'", &[], "must be a number of seconds"),
            ("[grpc]\nca = 'ca.pem'\n[grpc.client]\ncert = 'c.pem'", &[], "`grpc.client.key` is missing"),
            ("", &[("WEED_GRPC_CLIENT_CERT", "c.pem")], "`grpc.ca` is missing"),
            ("[https.client]\nenabled = 'maybe'", &[], "`https.client.enabled` must be true or false"),
            ("[https.client]\nenabled = true\nca = '/nowhere/ca.pem'", &[], "/nowhere/ca.pem"),
        ] {
            let error = parse(text, environment).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_first_file_counts() {
        let (first, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let seaweedfs = home.path().join(".seaweedfs");
        std::fs::create_dir(&seaweedfs).unwrap();
        std::fs::write(seaweedfs.join("security.toml"), "[jwt.signing]\nkey = \"home\"").unwrap();
        let environment = |name: &str| (name == "HOME").then(|| home.path().to_str().unwrap().to_owned());
        let key = |security: Security| security.volume_write.unwrap().expose_bytes().to_vec();
        assert_eq!(key(Security::load(Some(first.path()), &environment).unwrap()), b"home");
        std::fs::write(first.path().join("security.toml"), "[jwt.signing]\nkey = \"first\"").unwrap();
        assert_eq!(key(Security::load(Some(first.path()), &environment).unwrap()), b"first");
    }
}
