//! The filer processes of the cluster, as the master knows them. To see every change, a gateway has to follow each of
//! them.
//!
//! The master lists the same addresses to all gateways, whatever each was given with `-filer`.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future;

use super::address::FilerAddress;
use super::metrics::Call;
use super::rpc::{CallError, Filers, Node};
use crate::FilerError;

/// `master_pb.ListClusterNodesRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct ListClusterNodesRequest {
    #[prost(string, tag = "1")]
    client_type: String,
    #[prost(string, tag = "2")]
    filer_group: String,
}

/// `master_pb.ListClusterNodesResponse`. Only the address of each node is read.
#[derive(Clone, PartialEq, prost::Message)]
struct ListClusterNodesResponse {
    #[prost(message, repeated, tag = "1")]
    cluster_nodes: Vec<ClusterNode>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ClusterNode {
    #[prost(string, tag = "1")]
    address: String,
}

/// How many positions each filer has on the hash ring.
const PLACES: u32 = 50;

/// The filer that owns a key: the first one at or after the key's hash on the ring, where each filer has many
/// positions. Filers compute it the same way (`lock_manager/hash_ring.go`), from addresses with both ports. `None` if there
/// are no filers.
pub(super) fn owner<'a>(filers: &'a [String], key: &str) -> Option<&'a str> {
    if let [only] = filers {
        return Some(only);
    }
    let at = crc32(key);
    let places = filers.iter().flat_map(|filer| {
        let in_ring = filer.parse().map_or_else(|_| filer.clone(), |address: FilerAddress| address.with_both_ports());
        (0..PLACES).map(move |place| (crc32(&format!("{in_ring}#{place}")), filer))
    });
    // If two filers have the same position, the last name wins.
    let first = places.min_by_key(|(place, filer)| (place.wrapping_sub(at), std::cmp::Reverse(filer.as_str())));
    first.map(|(_, filer)| filer.as_str())
}

fn crc32(text: &str) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    crc.sum()
}

/// Channels to individual processes, made when they are first needed.
#[derive(Default)]
pub(super) struct Ring {
    nodes: Mutex<HashMap<FilerAddress, Arc<Node>>>,
    /// What the master last listed.
    known: Mutex<Option<Vec<FilerAddress>>>,
    /// The names of filers that are silent.
    silent: Mutex<BTreeSet<String>>,
}

impl Ring {
    /// The filers that the master lists now, or those of its last answer while no master answers. Before the first
    /// answer, the filers given to this client.
    pub(super) async fn members(&self, filers: &Filers, masters: &[String], group: &str) -> Vec<FilerAddress> {
        let listed = self.cluster_nodes(filers, masters, "filer", group).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !listed.is_empty() {
            *known = Some(listed);
        } else if known.is_none() {
            tracing::warn!("no master lists the filers yet; following the filers in -filer");
        }
        known.clone().unwrap_or_else(|| filers.addresses().cloned().collect())
    }

    /// The processes of one kind that the master lists, sorted. Empty while no master answers, or while it has just
    /// started and knows none. Only the leader knows all processes, so the longest answer counts.
    pub(super) async fn cluster_nodes(
        &self,
        filers: &Filers,
        masters: &[String],
        kind: &str,
        group: &str,
    ) -> Vec<FilerAddress> {
        let request = ListClusterNodesRequest { client_type: kind.to_owned(), filer_group: group.to_owned() };
        let asked = masters.iter().filter_map(|master| master.parse().ok()).map(|master: FilerAddress| {
            let request = request.clone();
            async move {
                let node = self.node(filers, &master)?;
                let answer = filers.unary_on::<_, ListClusterNodesResponse>(&node, Call::ListClusterNodes, request);
                Ok::<_, CallError>(answer.await?.cluster_nodes)
            }
        });
        let answers = future::join_all(asked).await.into_iter().filter_map(|answer| {
            answer.inspect_err(|error| tracing::debug!(%error, "a master does not list the cluster")).ok()
        });
        let longest = answers.max_by_key(Vec::len).unwrap_or_default();
        let mut addresses: Vec<FilerAddress> = longest.iter().filter_map(|node| node.address.parse().ok()).collect();
        addresses.sort_by_key(ToString::to_string);
        addresses.dedup();
        addresses
    }

    /// Whether a master answers in time.
    pub(super) async fn reaches_a_master(&self, filers: &Filers, masters: &[String], within: Duration) -> bool {
        let request = ListClusterNodesRequest { client_type: "filer".to_owned(), filer_group: String::new() };
        let asked = masters.iter().filter_map(|master| master.parse().ok()).map(|master: FilerAddress| {
            let request = request.clone();
            async move {
                let node = self.node(filers, &master).map_err(drop)?;
                let call = Call::ListClusterNodes;
                let answer = filers.unary_within::<_, ListClusterNodesResponse>(within, &node, call, request).await;
                answer.map(drop).map_err(drop)
            }
        });
        future::join_all(asked).await.iter().any(Result::is_ok)
    }

    /// All processes to which there are channels.
    pub(super) fn nodes(&self) -> Vec<Arc<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect()
    }

    /// The channels to one process.
    pub(super) fn node(&self, filers: &Filers, address: &FilerAddress) -> Result<Arc<Node>, CallError> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = nodes.get(address) {
            return Ok(Arc::clone(node));
        }
        let node = Arc::new(filers.connect(address).ok_or(CallError::NoFiler)?);
        nodes.insert(address.clone(), Arc::clone(&node));
        Ok(node)
    }

    /// Records whether the filer with this name is silent.
    pub(super) fn set_silent(&self, name: &str, is_silent: bool) {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if is_silent {
            silent.insert(name.to_owned());
        } else {
            silent.remove(name);
        }
    }

    /// Whether the filer that owns a key, as the filers see it, is silent.
    pub(super) fn owner_is_silent(&self, key: &str) -> bool {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent.is_empty() {
            return false;
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let members: Vec<String> = known.iter().flatten().map(ToString::to_string).collect();
        owner(&members, key).is_some_and(|name| silent.contains(name))
    }

    /// Whether the filer with this name is silent.
    pub(super) fn is_silent(&self, name: &str) -> bool {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// The channels to the process with this name, as returned by [`crate::Filer::members`].
    pub(super) fn named(&self, filers: &Filers, name: &str) -> Result<Arc<Node>, FilerError> {
        let address = name.parse().map_err(|error: super::AddressError| FilerError::Other(error.to_string()))?;
        Ok(self.node(filers, &address)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{Ring, owner};

    #[test]
    fn a_key_has_the_owner_that_filers_compute() {
        let filers = ["127.0.0.1:8888", "127.0.0.1:8889", "127.0.0.1:8890"].map(str::to_owned);
        let of = |count: usize, key: &str| owner(&filers[..count], key).map(|name| name.rsplit(':').next().unwrap());
        assert_eq!(of(0, "k"), None);
        assert_eq!(of(1, "k"), Some("8888"));
        for (key, of_two, of_three) in [("a", "8888", "8888"), ("b", "8888", "8890"), ("2", "8889", "8889")] {
            let key = format!("s3.object.write:/buckets/b/{key}");
            assert_eq!((of(2, &key), of(3, &key)), (Some(of_two), Some(of_three)), "{key}");
        }
        // A filer that joins takes over some keys, and the owners of all other keys stay the same.
        let keys: Vec<String> = (0..300).map(|key| format!("s3.object.write:/buckets/b/{key}")).collect();
        let moved = keys.iter().filter(|key| of(2, key) != of(3, key));
        assert!(moved.clone().all(|key| of(3, key) == Some("8890")));
        assert_eq!(moved.count(), 85, "as the filers compute it themselves");
    }

    #[test]
    fn a_silent_owner_is_known() {
        let ring = Ring::default();
        let filers = ["127.0.0.1:8888", "127.0.0.1:8889"].map(str::to_owned);
        *ring.known.lock().unwrap() = Some(filers.iter().map(|filer| filer.parse().unwrap()).collect());
        for key in (0..20).map(|key| key.to_string()) {
            for silent in &filers {
                assert!(!ring.owner_is_silent(&key));
                ring.set_silent(silent, true);
                assert_eq!(ring.owner_is_silent(&key), owner(&filers, &key) == Some(silent), "{key}, {silent}");
                ring.set_silent(silent, false);
            }
        }
    }
}
