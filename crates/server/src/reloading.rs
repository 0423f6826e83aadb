//! SIGHUP: what the files say now, all of it or nothing.

use std::sync::Arc;

use control::feed::Follower;
use gateway::Gateway;
use gateway::tls::Tls;
use iam::Identities;

use crate::configuration::Configuration;
use crate::fingerprint::Fingerprint;
use crate::serving::rate_limits;
use crate::settings::Settings;

/// What SIGHUP reloads, and what has to be notified.
pub(crate) struct Reloading<'a, Complete: Fn(&mut Identities) -> Result<(), String>> {
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) filers: Vec<String>,
    pub(crate) settings: &'a Settings,
    pub(crate) follower: &'a Follower,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) complete: Complete,
}

impl<Complete: Fn(&mut Identities) -> Result<(), String>> Reloading<'_, Complete> {
    /// Takes over what the files say now, all of it, or nothing if one of them cannot be used.
    pub(crate) async fn reload(&self) {
        match self.taken_over().await {
            Ok(()) => tracing::info!("SIGHUP: identities, limits and certificate were read again"),
            Err(error) => tracing::error!("SIGHUP: {error}; everything stays as it was"),
        }
    }

    async fn taken_over(&self) -> Result<(), String> {
        let Self { settings, follower, fingerprint, complete, gateway, filers, .. } = self;
        let (identities_file, iam_file) = (settings.identities_file.as_deref(), settings.iam_file.as_deref());
        let Configuration { mut identities, iam } = Configuration::read(identities_file, iam_file, filers)?;
        complete(&mut identities)?;
        // The last thing that can fail: it checks before it takes over.
        self.tls.as_deref().map_or(Ok(()), Tls::reload).map_err(|error| format!("TLS: {error}"))?;
        follower.replace_identities(&identities).await.map_err(|error| error.to_string())?;
        fingerprint.take(&identities);
        gateway.rate_limits.store(rate_limits(&iam.kelpgate.limits));
        Ok(())
    }
}
