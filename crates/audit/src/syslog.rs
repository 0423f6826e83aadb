//! Syslog over TCP or TLS: RFC 5424 messages, each with its length before it (RFC 5425, RFC 6587 3.4.1).

use std::io;
use std::sync::Arc;

use iam_formats::SyslogSettings;
use jiff::Timestamp;
use rustls::ClientConfig;

use crate::connection::{self, Stream};
use crate::deliver::{Deliver, Undelivered};

/// Facility 13, log audit; severity 6, informational.
const PRIORITY: u8 = 13 * 8 + 6;

pub(crate) struct Syslog {
    address: String,
    host: String,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Box<dyn Stream>>,
}

impl Syslog {
    pub(crate) fn new(settings: &SyslogSettings) -> Result<Self, String> {
        let tls = settings.tls.as_ref().map(connection::client_config).transpose()?.map(Arc::new);
        Ok(Self { address: settings.address.clone(), host: crate::host_name(), tls, connection: None })
    }

    fn exchange(&mut self, messages: &[u8]) -> io::Result<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            empty => empty.insert(connection::tcp(&self.address, self.tls.as_ref())?),
        };
        connection.write_all(messages)?;
        connection.flush()
    }
}

impl Deliver for Syslog {
    fn send(&mut self, lines: &[u8]) -> Result<(), Undelivered> {
        let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        let header = format!("<{PRIORITY}>1 {time} {} kelpgate {} audit - ", self.host, std::process::id());
        let mut messages = Vec::with_capacity(lines.len() * 2);
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            messages.extend_from_slice(format!("{} {header}", header.len() + line.len()).as_bytes());
            messages.extend_from_slice(line);
        }
        let sent = self.exchange(&messages);
        if sent.is_err() {
            self.connection = None;
        }
        Ok(sent?)
    }
}
