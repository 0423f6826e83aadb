//! What differs between the commands `server` and `s3`.

use std::sync::{Arc, RwLock};

use filer::{EmbeddedFiler, Filer, FilerConfiguration};
use gateway::Metrics;
use iam::Identities;
use ids::Network;
use sts::SessionKeys;

use crate::certificates::CertificateMetrics;
use crate::configuration::Configuration;
use crate::root_key::RootKey;
use crate::workers::Worker;

/// What differs between `server` and `s3`.
pub struct Plan {
    pub filer: Arc<dyn Filer>,
    pub filer_configuration: FilerConfiguration,
    pub configuration: Configuration,
    pub trusted_proxies: Vec<Network>,
    pub session_keys: Option<Arc<SessionKeys>>,
    pub filer_names: Vec<String>,
    /// Adds the identity that is not in any file: the root user, or the administrator from the environment.
    pub complete: fn(&mut Identities, Option<&RootKey>) -> Result<(), String>,
    /// For `complete`.
    pub root: Option<RootKey>,
    /// SeaweedFS's gateways on the same cluster, kept up to date by the caller that made the plan.
    pub weed_gateways: Arc<RwLock<Vec<String>>>,
    /// Background workers that belong to the kind of filer.
    pub workers: Vec<Worker>,
    /// Whether other gateways may use the same filer.
    pub several: bool,
    /// The embedded filer, if it is the filer.
    pub embedded: Option<Arc<EmbeddedFiler>>,
    /// When certificates expire.
    pub certificates: CertificateMetrics,
    /// Adds the filer client's metrics.
    pub register_metrics: Box<dyn FnOnce(&Metrics) + Send>,
}
