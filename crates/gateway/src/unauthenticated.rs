//! Audit lines about refused signatures and unknown keys, which anyone can cause: a limited number per time, and a
//! count of the rest.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use s3::S3Error;
use tokio::time::Instant;

use crate::rate_limits::client_network;

/// The length of the window in which lines are counted.
const WINDOW: Duration = Duration::from_secs(10);
/// The most lines for one address in a window.
const LINES_OF_ADDRESS: u32 = 10;
/// The most lines in a window. This also limits how many addresses are remembered.
const LINES_MAX: usize = 100;

/// Whose signature was refused, and why.
pub(crate) struct Unauthenticated {
    /// The key id that the request names; empty if it cannot be read.
    pub(crate) key: String,
    pub(crate) code: &'static str,
    pub(crate) reason: String,
}

impl Unauthenticated {
    pub(crate) fn new(key: String, error: &S3Error) -> Self {
        let advice = error.fields.iter().find(|(name, _)| *name == access::ADVICE);
        let reason =
            advice.map_or_else(|| error.message().to_owned(), |(_, advice)| format!("{} {advice}", error.message()));
        Self { key, code: error.code.as_str(), reason }
    }
}

/// Decides which refused signatures get a line.
#[derive(Debug, Default)]
pub struct SignatureLimit {
    window: Arc<Mutex<Window>>,
}

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    lines: usize,
    by_address: HashMap<IpAddr, u32>,
    suppressed: u64,
}

impl SignatureLimit {
    /// Whether a refusal for this address gets a line. The first one that does not causes the count to be logged at the
    /// end of the window.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = window.admits(address, Instant::now());
        if !admitted {
            window.suppressed += 1;
            if window.suppressed == 1 {
                let window = Arc::clone(&self.window);
                tokio::spawn(async move {
                    tokio::time::sleep(WINDOW).await;
                    let suppressed = {
                        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
                        std::mem::take(&mut window.suppressed)
                    };
                    let seconds = WINDOW.as_secs();
                    tracing::warn!(target: "audit", suppressed, seconds, "further refused signatures were not logged");
                });
            }
        }
        admitted
    }
}

impl Window {
    fn admits(&mut self, address: IpAddr, now: Instant) -> bool {
        if self.began.is_none_or(|began| now.duration_since(began) >= WINDOW) {
            self.began = Some(now);
            self.lines = 0;
            self.by_address.clear();
        }
        if self.lines >= LINES_MAX {
            return false;
        }
        let of_address = self.by_address.entry(client_network(address)).or_default();
        if *of_address >= LINES_OF_ADDRESS {
            return false;
        }
        *of_address += 1;
        self.lines += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn refused_signatures_cause_few_lines_and_use_little_memory() {
        let mut window = Window::default();
        let now = Instant::now();
        let lines = |window: &mut Window, from: &dyn Fn(u32) -> IpAddr, now| {
            (0..10_000).filter(|n| window.admits(from(*n), now)).count()
        };
        let v4 = |n: u32| IpAddr::from(n.to_be_bytes());
        let one_network = |n: u32| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n as u16));
        assert_eq!(lines(&mut window, &|_| v4(1), now), 10, "one address");
        assert_eq!(lines(&mut window, &one_network, now), 10, "one network of IPv6");
        assert_eq!(lines(&mut window, &v4, now), 80, "all that is left");
        assert!(window.by_address.len() <= LINES_MAX);
        assert_eq!(lines(&mut window, &v4, now + WINDOW), 100, "a new window");
        assert!(window.by_address.len() <= LINES_MAX);
    }
}
