//! Sinks behind a network: a sender for each protocol, and the queue on the disk for what cannot be sent at the moment.

use std::io;

use iam_formats::{NetworkSettings, Protocol};

use crate::fluentd::Fluentd;
use crate::spool::Spool;
use crate::syslog::Syslog;
use crate::webhook::Webhook;

/// Sends lines. What it returned `Ok` for has arrived as far as the protocol can tell.
pub(crate) trait Deliver: Send {
    fn send(&mut self, lines: &[u8]) -> io::Result<()>;
}

/// A sender with its queue.
pub(crate) struct Network {
    sender: Box<dyn Deliver>,
    spool: Option<Spool>,
}

impl Network {
    /// Nothing is connected yet: a receiver that is away does not keep the gateway from starting.
    pub(crate) fn open(settings: &NetworkSettings) -> Result<Self, String> {
        let sender: Box<dyn Deliver> = match &settings.protocol {
            Protocol::Webhook(webhook) => Box::new(Webhook::new(webhook)?),
            Protocol::Fluentd(fluentd) => Box::new(Fluentd::new(fluentd)?),
            Protocol::Syslog(syslog) => Box::new(Syslog::new(syslog)?),
        };
        let spool = settings.queue_directory.as_deref().map(|directory| Spool::open(directory, settings.queue_bytes));
        Ok(Self { sender, spool: spool.transpose()? })
    }

    /// Sends what waits, then these lines. With a queue on the disk, lines that cannot be sent are kept there.
    pub(crate) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let sent = self.send_waiting().and_then(|()| self.sender.send(lines));
        match (sent, &mut self.spool) {
            (Err(error), Some(spool)) => spool.push(lines).map_err(|full| io::Error::other(format!("{error}; {full}"))),
            (sent, _) => sent,
        }
    }

    /// Sends what waits on the disk.
    pub(crate) fn rest(&mut self) -> io::Result<()> {
        self.send_waiting()
    }

    fn send_waiting(&mut self) -> io::Result<()> {
        let Some(spool) = &mut self.spool else { return Ok(()) };
        while let Some(batch) = spool.oldest() {
            self.sender.send(&batch?)?;
            spool.pop()?;
        }
        Ok(())
    }
}
