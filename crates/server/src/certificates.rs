//! Certificates that are renewed while the gateway runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use filer::seaweedfs::{SeaweedFiler, Security};
use gateway::tls::{Renewal, Tls, Watched, content_of, expiry_of};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::configuration;
use crate::workers::{Period, RunEnd, RunsOn, Worker};

/// How often the files are checked for changes. A change is taken over once two checks in a row find the same content.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// When certificates expire.
#[derive(Debug, Clone, Default)]
pub struct CertificateMetrics {
    expiry: Family<Labels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    certificate: &'static str,
}

impl CertificateMetrics {
    /// Registers them, in a registry that puts its own prefix before them.
    pub fn register(&self, registry: &mut Registry) {
        let help = "When a certificate of this gateway expires, seconds since 1970";
        registry.register("certificate_expiry_seconds", help, self.expiry.clone());
    }

    fn set(&self, certificate: &'static str, expires_s: i64) {
        self.expiry.get_or_create(&Labels { certificate }).set(expires_s);
    }

    /// The certificates that the gateway shows to filers and volume servers.
    fn set_clients(&self, security: &Security) {
        for (name, path) in &security.files {
            let certificate = match *name {
                "grpc.client.cert" => "filers",
                "https.client.cert" => "volumes",
                _ => continue,
            };
            if let Ok(expires_s) = expiry_of(path) {
                self.set(certificate, expires_s);
            }
        }
    }
}

/// Takes over the certificates and authorities that `security.toml` names for connections to filers, masters and volume servers.
pub fn watch_clients(
    filer: SeaweedFiler,
    security: &Security,
    config_dir: Option<PathBuf>,
    metrics: CertificateMetrics,
) -> Worker {
    metrics.set_clients(security);
    let files = |security: &Security| -> Vec<PathBuf> {
        security.source.iter().chain(security.files.iter().map(|(_, path)| path)).cloned().collect()
    };
    let known = files(security);
    let watched = Arc::new(Mutex::new((Watched::new(content_of(&known)), known)));
    let look = move || {
        let (filer, config_dir, metrics, watched) =
            (filer.clone(), config_dir.clone(), metrics.clone(), Arc::clone(&watched));
        let look = move || {
            let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
            let (content, known) = &mut *watched;
            if !content.has_settled(content_of(&*known)) {
                return Ok(RunEnd::Done);
            }
            let stays = |error: String| {
                format!("the changed TLS files of security.toml cannot be used, and the old ones stay: {error}")
            };
            let security = configuration::security(config_dir.as_deref()).map_err(stays)?;
            filer.renew_certificates(&security).map_err(stays)?;
            metrics.set_clients(&security);
            let now = files(&security);
            if now != *known {
                (*content, *known) = (Watched::new(content_of(&now)), now);
            }
            tracing::info!(
                "the TLS files of security.toml have changed: new connections to filers and volume servers use them"
            );
            Ok(RunEnd::Done)
        };
        async move { tokio::task::spawn_blocking(look).await.map_err(|error| error.to_string())? }
    };
    Worker::new("client-certificates", Period::Every(LOOK_EVERY), RunsOn::EveryGateway, look)
}

/// Takes over the listener's certificate, key and authorities when they change. Content that cannot be used fails once, and the last
/// that could stays in use.
pub fn watch(tls: &Arc<Tls>, metrics: CertificateMetrics) -> Worker {
    let tls = Arc::clone(tls);
    metrics.set("listener", tls.expires_s());
    let look = move || {
        let (tls, metrics) = (Arc::clone(&tls), metrics.clone());
        async move {
            let looked = tokio::task::spawn_blocking(move || {
                let renewed = tls.renew();
                metrics.set("listener", tls.expires_s());
                renewed
            });
            match looked.await.map_err(|error| error.to_string())? {
                Ok(Renewal::Unchanged) => Ok(RunEnd::Done),
                Ok(Renewal::Renewed) => {
                    tracing::info!("the TLS files have changed: new connections use them");
                    Ok(RunEnd::Done)
                }
                Err(error) => Err(format!("the changed TLS files cannot be used, and the old ones stay: {error}")),
            }
        }
    };
    Worker::new("certificates", Period::Every(LOOK_EVERY), RunsOn::EveryGateway, look)
}
