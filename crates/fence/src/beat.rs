//! A gateway's document on the filer. It says that the gateway is alive and which changes of the others it has applied.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Span;
use crate::{BootId, FilerName};

/// What one gateway tells all the others, written through one filer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Beat {
    /// The cluster's id. Documents with another id are ignored: a backup or replication brought them from another
    /// cluster.
    pub cluster: String,
    /// The gateway's name as operators see it: `host:port`.
    pub gateway: String,
    /// The run of the gateway's process.
    pub boot_id: BootId,
    /// Grows with each beat.
    pub number: u64,
    /// How long the gateway's lease is.
    pub lease_ms: u64,
    /// The filers that the gateway follows.
    pub filers: BTreeSet<FilerName>,
    /// The filers that guard its conditional writes. Empty in beats of versions that did not send them.
    #[serde(default)]
    pub guards: BTreeSet<FilerName>,
    /// The filer that this copy was written through.
    pub via: FilerName,
    /// The highest number whose acknowledgement the gateway is waiting for; 0 if there is none.
    #[serde(default)]
    pub asks: u64,
    /// The highest number that others acknowledge only after a listing, because their streams may never deliver the
    /// changes made before it. 0 if there is none.
    #[serde(default)]
    pub lists: u64,
    /// What the gateway has applied: for each other gateway, the highest number seen on each filer.
    #[serde(default)]
    pub applied: BTreeMap<BootId, BTreeMap<FilerName, u64>>,
    /// The gateway no longer decides anything: this is its last beat.
    #[serde(default)]
    pub closed: bool,
    /// The IAM revision that it has applied, for operators.
    #[serde(default)]
    pub revision: String,
    /// Facts for operators and for `kelpgate doctor`, such as the version.
    #[serde(default)]
    pub about: BTreeMap<String, String>,
}

/// The document is not a beat.
#[derive(Debug, thiserror::Error)]
#[error("the gateway document cannot be read: {0}")]
pub struct BeatError(#[from] serde_json::Error);

impl Beat {
    /// Reads a document.
    pub fn parse(bytes: &[u8]) -> Result<Self, BeatError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The document for one filer.
    pub fn to_json(&self) -> Vec<u8> {
        // A map of strings and numbers can always be written as JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The same beat as it is written through another filer.
    #[must_use]
    pub fn through(&self, filer: &FilerName) -> Self {
        Self { via: filer.clone(), ..self.clone() }
    }

    /// The length of the lease.
    pub fn lease(&self) -> Span {
        Duration::from_millis(self.lease_ms).into()
    }
}
