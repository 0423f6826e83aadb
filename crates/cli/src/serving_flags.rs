//! The flags of `server` and `s3` as settings. Flags that contradict each other are an error.

use std::time::Duration;

use http::Uri;
use http::uri::Authority;
use server::settings::{CertificateFiles, OBJECT_MODE, Settings, TlsFiles, UploadLimits};

use crate::arguments::{S3, Server, Serving};
use crate::logging;

/// The flags that both commands have, with defaults of their own.
struct Own<'a> {
    audit_file: Option<&'a std::path::PathBuf>,
    bind: &'a str,
    address: &'a str,
    region: &'a str,
    iam: bool,
    iam_read_only: bool,
    auto_create_bucket: bool,
}

impl Server {
    /// The settings of `kelpgate server`.
    pub fn settings(&self) -> Result<Settings, String> {
        self.serving.settings(&Own {
            audit_file: None,
            bind: &self.ip_bind,
            address: "",
            region: &self.region,
            iam: true,
            iam_read_only: self.iam_read_only,
            auto_create_bucket: false,
        })
    }
}

impl S3 {
    /// The settings of `kelpgate s3`.
    pub fn settings(&self) -> Result<Settings, String> {
        self.serving.settings(&Own {
            audit_file: self.audit_log_config.as_ref(),
            bind: &self.ip_bind,
            address: if self.ip.is_empty() { &self.ip_bind } else { &self.ip },
            region: &self.region,
            iam: self.iam,
            iam_read_only: self.iam_read_only,
            auto_create_bucket: true,
        })
    }
}

impl Serving {
    fn settings(&self, own: &Own<'_>) -> Result<Settings, String> {
        Ok(Settings {
            bind: own.bind.to_owned(),
            address: own.address.to_owned(),
            port: self.port,
            port_https: (self.port_https != 0).then_some(self.port_https),
            tls: self.tls()?,
            metrics: (self.metrics_port != 0).then(|| (self.metrics_ip.clone(), self.metrics_port)),
            audit_file: own.audit_file.cloned(),
            region: region(own.region)?,
            domain_names: self.domain_names()?,
            external_url: external_url(&self.external_url)?,
            allowed_origins: list(&self.allowed_origins),
            identities_file: self.config.clone(),
            iam_file: self.iam_config.clone(),
            config_dir: self.config_dir.clone(),
            idle_timeout: Duration::from_secs(self.idle_timeout.max(1)),
            upload_limits: UploadLimits::new(self.concurrent_file_upload_limit, self.concurrent_upload_limit_mb),
            allow_delete_bucket_not_empty: self.allow_delete_bucket_not_empty,
            auto_create_bucket: self.auto_create_bucket.unwrap_or(own.auto_create_bucket),
            object_mode: self.object_mode()?,
            signature_v2: self.sig_v2,
            iam: own.iam,
            iam_read_only: own.iam_read_only,
            log_filter: logging::filter,
        })
    }

    fn tls(&self) -> Result<Option<TlsFiles>, String> {
        if self.key_file.is_some() != self.cert_file.is_some() {
            return Err("TLS needs both -key.file and -cert.file".to_owned());
        }
        if self.port_https != 0 && self.key_file.is_none() {
            return Err("-port.https needs -key.file and -cert.file".to_owned());
        }
        if self.tls_verify_client_cert && (self.cacert_file.is_none() || self.key_file.is_none()) {
            return Err("-tlsVerifyClientCert needs -cacert.file, -key.file and -cert.file".to_owned());
        }
        let (Some(keys), Some(files)) = (&self.key_file, &self.cert_file) else { return Ok(None) };
        let (keys, files) = (list(keys), list(files));
        if keys.is_empty() || keys.len() != files.len() {
            return Err(format!(
                "-cert.file has {} files and -key.file {}: give each certificate its key, in the same order, with commas between them",
                files.len(),
                keys.len()
            ));
        }
        let pair = |(certificate, key): (String, String)| CertificateFiles {
            certificate: certificate.into(),
            key: key.into(),
        };
        let certificates = files.into_iter().zip(keys).map(pair).collect();
        let client_authorities = self.cacert_file.clone().filter(|_| self.tls_verify_client_cert);
        Ok(Some(TlsFiles { certificates, client_authorities, sign_in_authorities: None }))
    }

    fn domain_names(&self) -> Result<Vec<String>, String> {
        let names = list(&self.domain_name);
        let is_no_host = |name: &&String| name.contains(['/', ' ', '@']) || name.parse::<Authority>().is_err();
        match names.iter().find(is_no_host) {
            None => Ok(names),
            Some(name) => {
                Err(format!("-domainName: `{name}` is not a host; write hosts alone, such as `s3.example.com`"))
            }
        }
    }

    fn object_mode(&self) -> Result<u32, String> {
        match self.default_file_mode.as_str() {
            "" => Ok(OBJECT_MODE),
            text => u32::from_str_radix(text, 8)
                .ok()
                .filter(|mode| *mode <= 0o777)
                .ok_or_else(|| format!("-defaultFileMode `{text}` is not an octal mode such as 0660")),
        }
    }
}

fn region(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    match text {
        "any" => Ok(String::new()),
        _ if plain => Ok(text.to_owned()),
        _ => Err(format!("-region: `{text}` is not a region; write one such as `us-east-1`, or `any` for all of them")),
    }
}

/// The scheme may be missing, as in `weed s3`.
fn external_url(text: &str) -> Result<String, String> {
    let uri = text.parse::<Uri>().ok();
    let good = uri.is_some_and(|uri| {
        uri.authority().is_some() && uri.scheme_str().is_none_or(|scheme| matches!(scheme, "http" | "https"))
    });
    if text.is_empty() || good {
        return Ok(text.to_owned());
    }
    Err(format!(
        "-externalUrl: `{text}` is not a URL; write the one that clients use, such as `https://s3.example.com:8443`"
    ))
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}
