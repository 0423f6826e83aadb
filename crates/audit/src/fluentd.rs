//! Fluentd's forward protocol, version 1, mode Forward: `[tag, [[time, record], ...], {"size": n, "chunk": id}]` in MessagePack.
//!
//! Source: Fluentd's Forward Protocol Specification v1.

use std::io::{self, Read};
use std::sync::Arc;

use iam_formats::{FluentdPlace, FluentdSettings};
use rustls::ClientConfig;
use serde_json::Value;

use crate::connection::{self, Stream};
use crate::deliver::{Deliver, Undelivered};

/// A longer answer is not an acknowledgement.
const ACK_BYTES_MAX: usize = 256;

pub(crate) struct Fluentd {
    settings: FluentdSettings,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Box<dyn Stream>>,
}

impl Fluentd {
    pub(crate) fn new(settings: &FluentdSettings) -> Result<Self, String> {
        let tls = settings.tls.as_ref().map(connection::client_config).transpose()?.map(Arc::new);
        Ok(Self { settings: settings.clone(), tls, connection: None })
    }

    fn exchange(&mut self, message: &[u8], chunk: &str) -> io::Result<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            empty => empty.insert(match &self.settings.place {
                FluentdPlace::Address(address) => connection::tcp(address, self.tls.as_ref())?,
                FluentdPlace::Socket(path) => connection::unix(path)?,
            }),
        };
        connection.write_all(message)?;
        connection.flush()?;
        if !self.settings.asks_for_ack {
            return Ok(());
        }
        // {"ack": chunk}
        let mut wanted = vec![0x81];
        string(&mut wanted, "ack");
        string(&mut wanted, chunk);
        let mut answer = vec![0; wanted.len().min(ACK_BYTES_MAX)];
        connection.read_exact(&mut answer)?;
        if answer == wanted { Ok(()) } else { Err(io::Error::other("fluentd acknowledged something else")) }
    }
}

impl Deliver for Fluentd {
    fn send(&mut self, lines: &[u8]) -> Result<(), Undelivered> {
        let chunk = hex::encode(rand::random::<[u8; 16]>());
        let events: Vec<Value> =
            lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let mut message = Vec::with_capacity(lines.len() + 64);
        array(&mut message, 3);
        string(&mut message, &self.settings.tag);
        array(&mut message, events.len());
        for event in &events {
            array(&mut message, 2);
            uint(&mut message, event_time_s(event));
            value(&mut message, event);
        }
        map(&mut message, 2);
        string(&mut message, "size");
        uint(&mut message, events.len() as u64);
        string(&mut message, "chunk");
        string(&mut message, &chunk);
        let sent = self.exchange(&message, &chunk);
        if sent.is_err() {
            self.connection = None;
        }
        Ok(sent?)
    }
}

/// When it happened, seconds since 1970: the field of SeaweedFS's form, or that of CloudTrail's.
fn event_time_s(event: &Value) -> u64 {
    let parsed = |text: &str| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    let seconds = match &event["time"] {
        Value::Number(seconds) => seconds.as_i64().map(|time| if time > 100_000_000_000 { time / 1000 } else { time }),
        Value::String(text) => parsed(text),
        _ => event["eventTime"].as_str().and_then(parsed),
    };
    seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .unwrap_or_else(|| u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0))
}

fn header(out: &mut Vec<u8>, length: usize, fix: (u8, usize), two: u8, four: u8) {
    match length {
        short if short <= fix.1 => out.push(fix.0 | u8::try_from(short).unwrap_or(0)),
        medium if medium <= 0xffff => {
            out.push(two);
            out.extend(u16::try_from(medium).unwrap_or(0).to_be_bytes());
        }
        long => {
            out.push(four);
            out.extend(u32::try_from(long).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}

fn array(out: &mut Vec<u8>, length: usize) {
    header(out, length, (0x90, 15), 0xdc, 0xdd);
}

fn map(out: &mut Vec<u8>, length: usize) {
    header(out, length, (0x80, 15), 0xde, 0xdf);
}

fn string(out: &mut Vec<u8>, text: &str) {
    match text.len() {
        length @ 32..=255 => out.extend([0xd9, u8::try_from(length).unwrap_or(0)]),
        length => header(out, length, (0xa0, 31), 0xda, 0xdb),
    }
    out.extend_from_slice(text.as_bytes());
}

fn uint(out: &mut Vec<u8>, number: u64) {
    match number {
        0..=0x7f => out.push(u8::try_from(number).unwrap_or(0)),
        0x80..=0xffff_ffff => {
            out.push(0xce);
            out.extend(u32::try_from(number).unwrap_or(0).to_be_bytes());
        }
        _ => {
            out.push(0xcf);
            out.extend(number.to_be_bytes());
        }
    }
}

fn value(out: &mut Vec<u8>, json: &Value) {
    match json {
        Value::Null => out.push(0xc0),
        Value::Bool(is) => out.push(if *is { 0xc3 } else { 0xc2 }),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => uint(out, number),
            (None, Some(number)) => {
                out.push(0xd3);
                out.extend(number.to_be_bytes());
            }
            (None, None) => {
                out.push(0xcb);
                out.extend(number.as_f64().unwrap_or(0.0).to_be_bytes());
            }
        },
        Value::String(text) => string(out, text),
        Value::Array(items) => {
            array(out, items.len());
            items.iter().for_each(|item| value(out, item));
        }
        Value::Object(fields) => {
            map(out, fields.len());
            for (name, field) in fields {
                string(out, name);
                value(out, field);
            }
        }
    }
}
