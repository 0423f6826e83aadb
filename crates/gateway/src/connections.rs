//! Limits of open connections: of each address, and of all addresses together. A connection beyond them is closed before anything is
//! read from it, so that one client cannot hold all slots.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::rate_limits::client_network;

/// The most open connections; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionLimits {
    /// Of each address; a network /64 of IPv6 counts as one.
    pub per_address: Option<usize>,
    /// In all.
    pub in_all: Option<usize>,
}

/// The open connections. They are counted without limits too, so that limits may come later.
#[derive(Debug, Default)]
pub struct Connections(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    limits: ConnectionLimits,
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// A connection that is open.
#[derive(Debug)]
pub struct ConnectionSlot {
    connections: Arc<Connections>,
    address: Option<IpAddr>,
}

impl Connections {
    /// Limits new connections from now on. Open ones stay.
    pub fn limit(&self, limits: ConnectionLimits) {
        self.open(|open| open.limits = limits);
    }

    /// A slot for a connection, or the name of the limit that it would exceed. `address` is `None` for trusted proxies, which stand
    /// for many clients.
    pub(crate) fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Result<ConnectionSlot, &'static str> {
        let address = address.map(client_network);
        self.open(|open| {
            let of_address = address.and_then(|address| open.of.get(&address)).copied().unwrap_or(0);
            let is_full = |limit: Option<usize>, count: usize| limit.is_some_and(|limit| count >= limit);
            if address.is_some() && is_full(open.limits.per_address, of_address) {
                return Err("address");
            }
            if is_full(open.limits.in_all, open.all) {
                return Err("all");
            }
            open.all += 1;
            if let Some(address) = address {
                open.of.insert(address, of_address + 1);
            }
            Ok(())
        })?;
        Ok(ConnectionSlot { connections: Arc::clone(self), address })
    }

    fn open<T>(&self, act: impl FnOnce(&mut Open) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ConnectionSlot {
    /// A slot without a limit.
    pub(crate) fn unlimited() -> Self {
        Self { connections: Arc::default(), address: None }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let address = self.address;
        self.connections.open(|open| {
            open.all = open.all.saturating_sub(1);
            let Some(count) = address.and_then(|address| open.of.get_mut(&address)) else { return };
            *count = count.saturating_sub(1);
            if *count == 0 {
                address.and_then(|address| open.of.remove(&address));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn places_run_out_for_one_address_then_for_all() {
        let connections = Arc::new(Connections::default());
        let early = connections.enter(address("10.0.0.1")).unwrap();
        connections.limit(ConnectionLimits { per_address: Some(2), in_all: Some(4) });
        let second = connections.enter(address("::ffff:10.0.0.1")).unwrap();
        assert_eq!(connections.enter(address("10.0.0.1")).unwrap_err(), "address", "what was open before counts");
        let other = connections.enter(address("2001:db8::1")).unwrap();
        let proxy = connections.enter(None).unwrap();
        assert_eq!(connections.enter(address("10.0.0.2")).unwrap_err(), "all");
        drop((early, second, other));
        let proxies: Vec<ConnectionSlot> = (0..3).map(|_| connections.enter(None).unwrap()).collect();
        assert_eq!(connections.enter(None).unwrap_err(), "all");
        drop((proxy, proxies));
        connections.open(|open| assert!(open.all == 0 && open.of.is_empty(), "{open:?}"));
    }

    #[test]
    fn no_limit_refuses_nothing() {
        let connections = Arc::new(Connections::default());
        let slots: Vec<ConnectionSlot> = (0..1000).map(|_| connections.enter(address("10.0.0.1")).unwrap()).collect();
        assert_eq!(slots.len(), 1000);
    }
}
