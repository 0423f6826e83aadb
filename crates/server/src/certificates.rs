//! Certificates that are renewed while the gateway runs.

use std::sync::Arc;
use std::time::Duration;

use gateway::tls::{Renewal, Tls};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::workers::{Period, RunEnd, RunsOn, Worker};

/// How often is looked whether the files have changed. They are taken over at the second look that finds the same.
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

    fn set(&self, tls: &Tls) {
        self.expiry.get_or_create(&Labels { certificate: "listener" }).set(tls.expires_s());
    }
}

/// Takes over the listener's certificate, key and authorities when they change. Content that cannot be used fails once, and the last
/// that could stays in use.
pub fn watch(tls: &Arc<Tls>, metrics: CertificateMetrics) -> Worker {
    let tls = Arc::clone(tls);
    metrics.set(&tls);
    let look = move || {
        let (tls, metrics) = (Arc::clone(&tls), metrics.clone());
        async move {
            let looked = tokio::task::spawn_blocking(move || {
                let renewed = tls.renew();
                metrics.set(&tls);
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
