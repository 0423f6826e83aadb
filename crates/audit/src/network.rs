//! Sinks behind a network: a sender for each protocol, and the queue on the disk for what cannot be sent at the moment.

use std::io;

use iam_formats::{AuditFormat, NetworkSettings, Protocol};
use prometheus_client::metrics::counter::Counter;

use crate::deliver::{Deliver, Undelivered};
use crate::encoder::Encoder;
use crate::fluentd::Fluentd;
use crate::notes;
use crate::queue::Progress;
use crate::spool::Spool;
use crate::syslog::Syslog;
use crate::webhook::Webhook;

/// Reads the files that a connection needs. Nothing is connected.
pub(crate) fn sender(protocol: &Protocol) -> Result<Box<dyn Deliver>, String> {
    Ok(match protocol {
        Protocol::Webhook(webhook) => Box::new(Webhook::new(webhook)?),
        Protocol::Fluentd(fluentd) => Box::new(Fluentd::new(fluentd)?),
        Protocol::Syslog(syslog) => Box::new(Syslog::new(syslog)?),
    })
}

/// A sender with its queue.
pub(crate) struct Network {
    sender: Box<dyn Deliver>,
    spool: Option<Spool>,
    /// Writes the receiver a note.
    encoder: Encoder,
    /// Counts records that the receiver does not take.
    dropped: Counter,
}

impl Network {
    /// Nothing is connected yet: a receiver that is away does not keep the gateway from starting.
    pub(crate) fn open(settings: &NetworkSettings, encoder: Encoder, dropped: Counter) -> Result<Self, String> {
        let sender = sender(&settings.protocol)?;
        let spool = settings.queue_directory.as_deref().map(|directory| Spool::open(directory, settings.queue_bytes));
        Ok(Self { sender, spool: spool.transpose()?, encoder, dropped })
    }

    /// Follows another form of records.
    pub(crate) fn change(&mut self, format: AuditFormat) {
        self.encoder = self.encoder.with(format);
    }

    /// Sends what waits, then these lines. With a queue on the disk, lines that cannot be sent are kept there.
    pub(crate) fn write(&mut self, lines: &[u8], progress: &mut Progress) -> io::Result<()> {
        let sent = self.send_waiting().and_then(|()| self.send(lines, progress));
        let Err(error) = sent else { return Ok(()) };
        let Some(spool) = &mut self.spool else { return Err(error) };
        // A part may have arrived.
        let rest = lines.get(progress.bytes..).unwrap_or_default();
        spool.push(rest).map_err(|full| io::Error::other(format!("{error}; {full}")))?;
        progress.bytes = lines.len();
        Ok(())
    }

    /// Sends what waits on the disk.
    pub(crate) fn rest(&mut self) -> io::Result<()> {
        self.send_waiting()
    }

    fn send_waiting(&mut self) -> io::Result<()> {
        while let Some(batch) = self.spool.as_ref().and_then(Spool::oldest) {
            match batch {
                // What comes after it must not wait for ever.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    tracing::error!("a batch of audit records is gone: somebody removed its file from the queue");
                }
                batch => self.send(&batch?, &mut Progress::default())?,
            }
            self.spool.as_mut().map_or(Ok(()), Spool::pop)?;
        }
        Ok(())
    }

    /// Sends lines. Those that the receiver refuses while it takes others are put aside: what comes after them must not wait for ever.
    fn send(&mut self, lines: &[u8], progress: &mut Progress) -> io::Result<()> {
        match self.sender.send(lines) {
            Ok(()) => {
                progress.bytes += lines.len();
                Ok(())
            }
            Err(Undelivered::Failed(error)) => Err(error),
            Err(Undelivered::Refused(why)) => {
                if halves(lines).is_some() {
                    self.require_that_it_takes_others(&why)?;
                }
                let before = progress.refused;
                let sent = self.send_parts(lines, &why, progress);
                let (refused, kept) = (progress.refused - before, self.spool.is_some());
                if refused > 0 {
                    tracing::error!(
                        refused,
                        why,
                        kept,
                        "audit records are left out, because their receiver refuses them"
                    );
                }
                sent
            }
        }
    }

    /// A receiver that refuses a harmless note as well refuses everything, because of a wrong token or address. Nothing is left out then.
    fn require_that_it_takes_others(&mut self, why: &str) -> io::Result<()> {
        let mut note = Vec::new();
        self.encoder.encode(&notes::refused_by_receiver(why), &mut note);
        match self.sender.send(&note) {
            Ok(()) => Ok(()),
            Err(Undelivered::Failed(error)) => Err(error),
            Err(Undelivered::Refused(why)) => Err(io::Error::other(format!("it answers {why}, whatever it is sent"))),
        }
    }

    /// Halves what is refused until it is one line, and puts that aside.
    fn send_parts(&mut self, lines: &[u8], why: &str, progress: &mut Progress) -> io::Result<()> {
        let Some((first, second)) = halves(lines) else {
            self.require_that_it_takes_others(why)?;
            return match self.sender.send(lines) {
                Ok(()) => {
                    progress.bytes += lines.len();
                    Ok(())
                }
                Err(Undelivered::Failed(error)) => Err(error),
                Err(Undelivered::Refused(_)) => self.put_aside(lines, progress),
            };
        };
        for half in [first, second] {
            match self.sender.send(half) {
                Ok(()) => progress.bytes += half.len(),
                Err(Undelivered::Failed(error)) => return Err(error),
                Err(Undelivered::Refused(why)) => self.send_parts(half, &why, progress)?,
            }
        }
        Ok(())
    }

    fn put_aside(&mut self, line: &[u8], progress: &mut Progress) -> io::Result<()> {
        if let Some(spool) = &mut self.spool {
            spool.put_aside(line)?;
        }
        self.dropped.inc();
        progress.refused += 1;
        progress.bytes += line.len();
        Ok(())
    }
}

/// Two parts with about as many bytes, each of whole lines; `None` for a single line.
fn halves(lines: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = lines.get(..lines.len().saturating_sub(1))?;
    let (first, second) = inner.split_at(inner.len() / 2);
    let before = first.iter().rposition(|byte| *byte == b'\n');
    let at = before.or_else(|| Some(first.len() + second.iter().position(|byte| *byte == b'\n')?))?;
    lines.split_at_checked(at + 1)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps what is sent, while it is not away.
    #[derive(Clone, Default)]
    struct Receiver(Arc<Mutex<(bool, Vec<Vec<u8>>)>>);

    impl Deliver for Receiver {
        fn send(&mut self, lines: &[u8]) -> Result<(), Undelivered> {
            let mut receiver = self.0.lock().unwrap();
            if receiver.0 {
                return Err(io::Error::other("away").into());
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
        let encoder = Encoder::new(AuditFormat::CloudTrail, "us-east-1");
        let sender = Box::new(receiver.clone());
        let mut network = Network { sender, spool: Some(spool), encoder, dropped: Counter::default() };
        receiver.0.lock().unwrap().0 = true;
        for lines in [b"1\n", b"2\n", b"3\n"] {
            network.write(lines, &mut Progress::default()).unwrap();
        }
        network.write(b"4\n", &mut Progress::default()).expect_err("the queue is full");
        std::fs::remove_file(directory.path().join(format!("{:016}.batch", 2))).unwrap();
        receiver.0.lock().unwrap().0 = false;
        network.write(b"5\n", &mut Progress::default()).unwrap();
        let sent = receiver.0.lock().unwrap().1.concat();
        assert_eq!(String::from_utf8(sent).unwrap(), "1\n3\n5\n");
        network.rest().unwrap();
    }

    #[test]
    fn lines_stay_whole() {
        for (lines, wanted) in [
            ("", None),
            ("a\n", None),
            ("abc\n", None),
            ("a\nb\n", Some(("a\n", "b\n"))),
            ("a\nbcdefgh\n", Some(("a\n", "bcdefgh\n"))),
            ("abcdefgh\ni\n", Some(("abcdefgh\n", "i\n"))),
            ("a\nb\nc\n", Some(("a\n", "b\nc\n"))),
            ("\n\n", Some(("\n", "\n"))),
        ] {
            let wanted = wanted.map(|(first, second): (&str, &str)| (first.as_bytes(), second.as_bytes()));
            assert_eq!(halves(lines.as_bytes()), wanted, "{lines:?}");
        }
    }
}
