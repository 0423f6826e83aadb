//! SIGHUP: what the files say now, all of it or nothing.

use std::path::PathBuf;
use std::sync::Arc;

use audit::{Auditing, Prepared};
use control::feed::Follower;
use filer::EmbeddedFiler;
use gateway::Gateway;
use gateway::tls::Tls;
use iam::Identities;
use iam_formats::{AuditSettings, IamConfig};
use tokio::sync::Mutex;

use crate::audit_log;
use crate::configuration::Configuration;
use crate::fingerprint::Fingerprint;
use crate::limits::{connection_limits, rate_limits};
use crate::quotas;
use crate::settings::Settings;

/// What SIGHUP reloads, and what has to be notified.
pub(crate) struct Reloading<'a, Complete: Fn(&mut Identities) -> Result<(), String>> {
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) auditing: Arc<Auditing>,
    /// The filers that the IAM file may name; empty if the filer is the gateway's own.
    pub(crate) filers: Vec<String>,
    /// The embedded filer, if it is the filer.
    pub(crate) embedded: Option<Arc<EmbeddedFiler>>,
    pub(crate) settings: &'a Settings,
    pub(crate) follower: &'a Follower,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) complete: Complete,
    pub(crate) in_force: Mutex<IamConfig>,
}

impl<Complete: Fn(&mut Identities) -> Result<(), String>> Reloading<'_, Complete> {
    /// Takes over what the files say now, all of it, or nothing if one of them cannot be used.
    pub(crate) async fn reload(&self) {
        match self.taken_over().await {
            Ok(later) => {
                if !later.is_empty() {
                    let later = later.join(", ");
                    tracing::warn!("SIGHUP: changed in -iam.config, and in force after a restart only: {later}");
                }
                tracing::info!(
                    "SIGHUP: identities, providers, limits, quotas, audit, log and certificate were read again"
                );
            }
            Err(error) => tracing::error!("SIGHUP: {error}; everything stays as it was"),
        }
    }

    /// Returns what only a restart changes.
    async fn taken_over(&self) -> Result<Vec<&'static str>, String> {
        let Self { settings, follower, fingerprint, gateway, tls, .. } = self;
        let mut in_force = self.in_force.lock().await;
        let Configuration { mut identities, iam } = self.read()?;
        (self.complete)(&mut identities)?;
        let (next, later) = in_force.taking_over(&iam);
        // Everything that can fail comes first.
        let use_log_filter = (settings.log_filter)(next.kelpgate.log.as_deref())?;
        let certificate = tls.as_ref().map(|tls| tls.prepare()).transpose().map_err(|error| format!("TLS: {error}"))?;
        let sinks = self.prepare_audit(next.kelpgate.audit.clone()).await?;
        self.limit_buckets(&next, &in_force).await?;
        if let Err(error) = follower.replace_files(next.settings(), &identities).await {
            self.limit_buckets(&in_force, &next).await?;
            return Err(error.to_string());
        }
        if let (Some(tls), Some(certificate)) = (tls, certificate) {
            tls.take_over(certificate);
        }
        let auditing = Arc::clone(&self.auditing);
        let _ = tokio::task::spawn_blocking(move || auditing.take_over(sinks)).await;
        gateway.rate_limits.store(rate_limits(&next.kelpgate.limits));
        gateway.connections.limit(connection_limits(&next.kelpgate.limits));
        use_log_filter();
        fingerprint.take(&next, &identities);
        *in_force = next;
        Ok(later)
    }

    /// Sets the quotas if they change: bytes are counted for it.
    async fn limit_buckets(&self, next: &IamConfig, before: &IamConfig) -> Result<(), String> {
        if next.kelpgate.quotas == before.kelpgate.quotas {
            return Ok(());
        }
        quotas::limit(self.embedded.as_deref(), &next.kelpgate.quotas).await
    }

    fn read(&self) -> Result<Configuration, String> {
        let Settings { identities_file, iam_file, .. } = self.settings;
        let mut read = Configuration::read(identities_file.as_deref(), iam_file.as_deref(), &self.filers)?;
        if self.filers.is_empty() {
            read.keep_in_filer();
        }
        Ok(read)
    }

    /// Reads and opens files, so requests must not wait for it.
    async fn prepare_audit(&self, settings: AuditSettings) -> Result<Prepared, String> {
        let (auditing, weed_file): (_, Option<PathBuf>) =
            (Arc::clone(&self.auditing), self.settings.audit_file.clone());
        let prepare = move || audit_log::prepare(&auditing, &settings, weed_file.as_deref());
        tokio::task::spawn_blocking(prepare).await.map_err(|error| error.to_string())?
    }
}
