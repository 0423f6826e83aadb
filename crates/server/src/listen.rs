//! Listening on an address of the flags. A failure says which flag to correct.

use std::io;

use tokio::net::{TcpListener, lookup_host};

/// Where a listener listens, and the flags that say so.
pub(crate) struct Place<'a> {
    /// An address or a host name; all addresses if empty.
    pub(crate) bind: &'a str,
    pub(crate) bind_flag: &'static str,
    pub(crate) port: u16,
    pub(crate) port_flag: &'static str,
}

impl Place<'_> {
    /// Listens there.
    pub(crate) async fn listen(&self) -> Result<TcpListener, String> {
        let bare = self.bind.trim_start_matches('[').trim_end_matches(']');
        let host = if bare.is_empty() { "0.0.0.0" } else { bare };
        let problem = |what: String| format!("cannot listen on {host}:{}: {what}", self.port);
        let no_address = |why: String| problem(format!("{why}; correct {}", self.bind_flag));
        let mut addresses = lookup_host((host, self.port)).await.map_err(|error| no_address(error.to_string()))?;
        let address = addresses.next().ok_or_else(|| no_address("no such host".to_owned()))?;
        TcpListener::bind(address).await.map_err(|error| problem(format!("{error}; {}", self.remedy(&error))))
    }

    fn remedy(&self, error: &io::Error) -> String {
        let Self { bind_flag, port_flag, .. } = self;
        match error.kind() {
            io::ErrorKind::AddrInUse => format!("end what listens there, or choose another {port_flag}"),
            io::ErrorKind::PermissionDenied => {
                format!(
                    "choose a {port_flag} of 1024 or more, or give the process CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=)"
                )
            }
            io::ErrorKind::AddrNotAvailable => format!("this machine has no such address: correct {bind_flag}"),
            _ => format!("correct {bind_flag} or {port_flag}"),
        }
    }
}
