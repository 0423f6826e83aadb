//! A gateway's document on the filer: that it lives, and what it has applied of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Span;
use crate::{BootId, FilerName};

/// What one gateway tells all others, written through one filer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Beat {
    /// Documents that a backup or a replication brought from another cluster have another one, and are ignored.
    pub cluster: String,
    /// The gateway's name for people: `host:port`.
    pub gateway: String,
    /// The gateway's process.
    pub boot_id: BootId,
    /// Grows with each beat.
    pub number: u64,
    /// How long the gateway's lease is.
    pub lease_ms: u64,
    /// The filers that the gateway follows.
    pub filers: BTreeSet<FilerName>,
    /// The filers by which it makes conditional writes; empty in beats of versions that did not say.
    #[serde(default)]
    pub guards: BTreeSet<FilerName>,
    /// The filer that this copy was written through.
    pub via: FilerName,
    /// The highest number whose acknowledgement the gateway waits for; 0 for none.
    #[serde(default)]
    pub asks: u64,
    /// The highest number that is acknowledged only after a listing: streams may never tell what was changed before it. 0 for none.
    #[serde(default)]
    pub lists: u64,
    /// What the gateway has applied: for each other gateway, by filer, the highest number that came before it there.
    #[serde(default)]
    pub applied: BTreeMap<BootId, BTreeMap<FilerName, u64>>,
    /// The gateway decides nothing any more: this is its last beat.
    #[serde(default)]
    pub closed: bool,
    /// The IAM revision that it has applied, for people.
    #[serde(default)]
    pub revision: String,
    /// Facts for people and for `kelpgate doctor`, such as the version.
    #[serde(default)]
    pub about: BTreeMap<String, String>,
}

/// Why a document is no beat.
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
        // A map of strings and numbers always has a JSON text.
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
