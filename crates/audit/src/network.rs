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
            match batch {
                // What comes after it must not wait for ever.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    tracing::error!("a batch of audit records is gone: somebody removed its file from the queue");
                }
                batch => self.sender.send(&batch?)?,
            }
            spool.pop()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps what is sent, while it is not away.
    #[derive(Clone, Default)]
    struct Receiver(Arc<Mutex<(bool, Vec<Vec<u8>>)>>);

    impl Deliver for Receiver {
        fn send(&mut self, lines: &[u8]) -> io::Result<()> {
            let mut receiver = self.0.lock().unwrap();
            if receiver.0 {
                return Err(io::Error::other("away"));
            }
            receiver.1.push(lines.to_vec());
            Ok(())
        }
    }

    #[test]
    fn what_waits_is_sent_in_order_even_if_a_batch_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let receiver = Receiver::default();
        let spool = Spool::open(directory.path().to_str().unwrap(), 6).unwrap();
        let mut network = Network { sender: Box::new(receiver.clone()), spool: Some(spool) };
        receiver.0.lock().unwrap().0 = true;
        for lines in [b"1\n", b"2\n", b"3\n"] {
            network.write(lines).unwrap();
        }
        network.write(b"4\n").expect_err("the queue is full");
        std::fs::remove_file(directory.path().join(format!("{:016}.batch", 2))).unwrap();
        receiver.0.lock().unwrap().0 = false;
        network.write(b"5\n").unwrap();
        let sent = receiver.0.lock().unwrap().1.concat();
        assert_eq!(String::from_utf8(sent).unwrap(), "1\n3\n5\n");
        network.rest().unwrap();
    }
}
