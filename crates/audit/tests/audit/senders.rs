//! Sinks behind a network, before receivers that fail in many ways.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use audit::Auditing;
use iam_formats::{
    AuditFilter, AuditFormat, AuditSettings, FluentdPlace, FluentdSettings, NetworkSettings, Protocol, SinkKind,
    SinkSettings, SyslogSettings, TlsSettings, WebhookSettings,
};

use crate::{give, record, take};

pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn start(
    protocol: Protocol,
    format: AuditFormat,
    blocks: bool,
    queue: Option<&std::path::Path>,
) -> Result<Auditing, String> {
    let queue_directory = queue.map(|path| path.display().to_string());
    let network = NetworkSettings { protocol, queue_directory, queue_bytes: 1 << 20 };
    let (kind, filter) = (SinkKind::Network(network), AuditFilter::default());
    let sinks = vec![SinkSettings { name: "net".into(), kind, format, blocks, filter }];
    Auditing::start(&AuditSettings { sinks, ..AuditSettings::default() }, "us-east-1", |_| Err("no key".to_owned()))
}

pub fn webhook(port: u16) -> Protocol {
    let endpoint = format!("http://127.0.0.1:{port}/hook");
    Protocol::Webhook(WebhookSettings { endpoint, token_file: None, tls: TlsSettings::default() })
}

/// Serves connections.
pub fn serve(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> u16 {
    let serve = std::sync::Arc::new(serve);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (serve, stream) = (std::sync::Arc::clone(&serve), stream.unwrap());
            std::thread::spawn(move || serve(number, stream));
        }
    });
    port
}

/// Reads requests, and answers each with the next of the answers; the last one stays.
fn hook(answers: &'static [&'static str], told: Sender<String>) -> u16 {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let next = move |_: &str| answers[count.fetch_add(1, std::sync::atomic::Ordering::Relaxed).min(answers.len() - 1)];
    hook_by(next, told)
}

/// Reads requests, and answers each with what its body calls for. Bodies that are accepted are told.
pub fn hook_by(answer: impl Fn(&str) -> &'static str + Send + Sync + 'static, told: Sender<String>) -> u16 {
    hook_by_head(move |_, body| answer(body), told)
}

/// Reads requests, and answers each with what its head and its body call for. Bodies that are accepted are told.
fn hook_by_head(answer: impl Fn(&str, &str) -> &'static str + Send + Sync + 'static, told: Sender<String>) -> u16 {
    serve(move |_, mut stream| {
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        loop {
            let mut length = 0;
            let (mut head, mut line) = (String::new(), String::new());
            loop {
                head.push_str(&line);
                line.clear();
                if lines.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = number.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length];
            lines.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let answer = answer(&head, &body);
            if answer.is_empty() {
                return; // closes without an answer
            }
            if answer.starts_with("HTTP/1.1 2") {
                told.send(body).unwrap();
            }
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    })
}

pub const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const FAILS: &[&str] = &[
    "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nab",
    "garbage\r\n\r\n",
    "",
    "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    OK,
];

/// The keys of the events that arrived, until all of them did.
pub fn arrived(told: &Receiver<String>, wanted: usize) -> Vec<String> {
    let (mut keys, until) = (std::collections::BTreeSet::new(), Instant::now() + PATIENCE);
    while keys.len() < wanted {
        let left = until.saturating_duration_since(Instant::now());
        let body = told.recv_timeout(left).unwrap_or_else(|_| panic!("only {keys:?} arrived"));
        for line in body.lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            keys.extend(event["requestParameters"]["key"].as_str().map(str::to_owned));
        }
    }
    keys.into_iter().collect()
}

/// Blocking: whatever the receiver does, nothing is lost, and requests are refused meanwhile.
#[tokio::test]
async fn a_webhook_that_fails_in_many_ways_loses_nothing() {
    let (tell, told) = channel();
    let auditing = start(webhook(hook(FAILS, tell)), AuditFormat::CloudTrail, true, None).unwrap();
    (0..20).for_each(|number| give(&auditing, record(&format!("{number:02}"))));
    let until = Instant::now() + PATIENCE;
    while auditing.ready().is_ok() {
        assert!(Instant::now() < until, "requests are carried out although the receiver fails");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(arrived(&told, 20).len(), 20);
    auditing.stop();
}

/// A token that is renewed in its file is used from the next batch on. While it is not accepted, records wait.
#[test]
fn a_webhook_reads_its_token_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "old\n").unwrap();
    let (tell, told) = channel();
    let wants_new = |head: &str, _: &str| if head.contains("authorization: Bearer new\r\n") { OK } else { FAILS[2] };
    let Protocol::Webhook(settings) = webhook(hook_by_head(wants_new, tell)) else { unreachable!() };
    let token_file = Some(file.path().display().to_string());
    let protocol = Protocol::Webhook(WebhookSettings { token_file, ..settings });
    let auditing = start(protocol, AuditFormat::CloudTrail, true, None).unwrap();
    give(&auditing, record("k"));
    let until = Instant::now() + PATIENCE;
    while auditing.ready().is_ok() {
        assert!(Instant::now() < until, "the old token is accepted");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::write(&file, "new\n").unwrap();
    assert_eq!(arrived(&told, 1), ["k"]);
    auditing.stop();
}

/// With a queue on the disk, records wait there, over a restart too, and requests go on.
#[tokio::test]
async fn a_queue_on_the_disk_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let auditing = start(webhook(nobody), AuditFormat::CloudTrail, true, Some(directory.path())).unwrap();
    for number in 0..5 {
        take(&auditing, record(&format!("{number}"))).await.unwrap();
    }
    assert_eq!(auditing.ready(), Ok(()));
    let Err(why) = start(webhook(nobody), AuditFormat::CloudTrail, true, Some(directory.path())) else {
        panic!("two sinks share a queue")
    };
    assert!(why.contains("a directory of its own"), "{why}");
    auditing.stop();
    drop(auditing);
    let (tell, told) = channel();
    let auditing = start(webhook(hook(&[OK], tell)), AuditFormat::CloudTrail, true, Some(directory.path())).unwrap();
    take(&auditing, record("5")).await.unwrap();
    assert_eq!(arrived(&told, 6), ["0", "1", "2", "3", "4", "5"]);
    auditing.stop();
    let left = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".batch")), "{left:?}");
}

/// A metric of the audit log.
pub fn counted(auditing: &Auditing, name: &str) -> u64 {
    let mut registry = prometheus_client::registry::Registry::default();
    auditing.metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let name = format!("audit_{name}");
    let line = text.lines().find(|line| line.starts_with(&name)).unwrap_or_else(|| panic!("{name}: {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The queue has a bound: beyond it, records of mode best-effort are dropped, each counted.
#[test]
fn a_full_queue_drops_and_counts() {
    let directory = tempfile::tempdir().unwrap();
    let auditing = start(webhook(1), AuditFormat::CloudTrail, false, Some(directory.path())).unwrap();
    let (wanted, until) = (3000, Instant::now() + PATIENCE);
    (0..wanted).for_each(|number| give(&auditing, record(&format!("{number}"))));
    auditing.stop();
    assert!(Instant::now() < until);
    let (written, dropped) = (counted(&auditing, "records_total"), counted(&auditing, "dropped_records_total"));
    assert_eq!(written + dropped, wanted);
    assert!(dropped > 0);
    let batches = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap());
    let kept: u64 = batches
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".batch"))
        .map(|entry| std::fs::read_to_string(entry.path()).unwrap().lines().count() as u64)
        .sum();
    assert_eq!(kept, written);
}

/// Reads one MessagePack value as JSON.
pub fn unpack(from: &mut impl Read) -> std::io::Result<serde_json::Value> {
    use serde_json::{Value, json};
    fn bytes(from: &mut impl Read, length: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes)?;
        Ok(bytes)
    }
    fn number(from: &mut impl Read, length: usize) -> std::io::Result<u64> {
        Ok(bytes(from, length)?.into_iter().fold(0, |number, byte| number << 8 | u64::from(byte)))
    }
    let array =
        |from: &mut _, length| (0..length).map(|_| unpack(from)).collect::<std::io::Result<Vec<_>>>().map(Value::Array);
    let map = |from: &mut _, length| -> std::io::Result<Value> {
        let mut fields = serde_json::Map::new();
        for _ in 0..length {
            let name = unpack(from)?;
            fields.insert(name.as_str().unwrap().to_owned(), unpack(from)?);
        }
        Ok(Value::Object(fields))
    };
    let text = |bytes: Vec<u8>| Value::String(String::from_utf8(bytes).unwrap());
    Ok(match number(from, 1)? {
        small @ 0..=0x7f => json!(small),
        short @ 0x80..=0x8f => map(from, short & 0xf)?,
        short @ 0x90..=0x9f => array(from, short & 0xf)?,
        short @ 0xa0..=0xbf => text(bytes(from, (short & 0x1f) as usize)?),
        0xc0 => Value::Null,
        bool @ (0xc2 | 0xc3) => json!(bool == 0xc3),
        0xce => json!(number(from, 4)?),
        0xcf => json!(number(from, 8)?),
        0xd9 => {
            let length = number(from, 1)?;
            text(bytes(from, length as usize)?)
        }
        0xda => {
            let length = number(from, 2)?;
            text(bytes(from, length as usize)?)
        }
        0xdb => {
            let length = number(from, 4)?;
            text(bytes(from, length as usize)?)
        }
        0xdc => {
            let length = number(from, 2)?;
            array(from, length)?
        }
        0xde => {
            let length = number(from, 2)?;
            map(from, length)?
        }
        other => panic!("{other:x}"),
    })
}

/// The forward protocol with the fields of SeaweedFS; acknowledged, over a connection that breaks once.
#[tokio::test]
async fn fluentd_gets_the_fields_of_weed() {
    let (tell, told) = channel();
    let port = serve(move |number, mut stream| {
        while let Ok(message) = unpack(&mut stream) {
            if number == 0 {
                return; // the first connection breaks before it acknowledges anything
            }
            let chunk = message[2]["chunk"].as_str().unwrap().to_owned();
            tell.send(message).unwrap();
            let mut answer = vec![0x81, 0xa3];
            answer.extend(b"ack");
            answer.extend([0xd9, u8::try_from(chunk.len()).unwrap()]);
            answer.extend(chunk.bytes());
            stream.write_all(&answer).unwrap();
        }
    });
    let place = FluentdPlace::Address(format!("127.0.0.1:{port}"));
    let fluentd = FluentdSettings { place, tag: "s3.access".into(), asks_for_ack: true, tls: None };
    let auditing = start(Protocol::Fluentd(fluentd), AuditFormat::SeaweedFs, true, None).unwrap();
    take(&auditing, record("k\n")).await.unwrap();
    auditing.stop();
    let message = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(message[0], "s3.access");
    assert_eq!(
        (&message[1][0][0], &message[2]["size"]),
        (&serde_json::json!(1_790_000_000_u64), &serde_json::json!(1))
    );
    let event = &message[1][0][1];
    let seen = ["bucket", "key", "operation", "remote_ip", "request_id"].map(|name| event[name].as_str().unwrap());
    assert_eq!(seen, ["reef", "k\n", "REST.GET.OBJECT", "127.0.0.1", "0000000000000007"]);
    assert_eq!(event["status"], 200);
}

#[tokio::test]
async fn syslog_messages_have_their_length_before_them() {
    let (tell, told) = channel();
    let port = serve(move |_, mut stream| {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        tell.send(text).unwrap();
    });
    let syslog = SyslogSettings { address: format!("127.0.0.1:{port}"), tls: None };
    let auditing = start(Protocol::Syslog(syslog), AuditFormat::AccessLog, true, None).unwrap();
    take(&auditing, record("a b\"c\n")).await.unwrap();
    take(&auditing, record("z")).await.unwrap();
    auditing.stop();
    drop(auditing);
    let text = told.recv_timeout(PATIENCE).unwrap();
    let mut rest = text.as_str();
    let mut messages = Vec::new();
    while let Some((length, following)) = rest.split_once(' ') {
        let (message, after) = following.split_at(length.parse().unwrap());
        messages.push(message);
        rest = after;
    }
    assert_eq!((messages.len(), rest), (2, ""), "{text}");
    assert!(messages[0].starts_with("<110>1 20") && messages[0].contains(" kelpgate "), "{}", messages[0]);
    let line = messages[0].split_once(" audit - ").unwrap().1;
    assert!(line.contains(" REST.GET.OBJECT a%20b%22c%0A ") && !line.contains('\n'), "{line}");
    // The 26 fields: what is in quotes or brackets is one.
    let (mut fields, mut inside) = (1, false);
    for character in line.chars() {
        match character {
            '"' | '[' | ']' => inside = !inside,
            ' ' if !inside => fields += 1,
            _ => {}
        }
    }
    assert_eq!(fields, 26, "{line}");
}

#[test]
fn every_form_is_one_line_for_each_event() {
    for (_, format) in AuditFormat::NAMES {
        let (tell, told) = channel();
        let auditing = start(webhook(hook(&[OK], tell)), *format, false, None).unwrap();
        give(&auditing, record("a\n\u{2028}b"));
        auditing.stop();
        let body = told.recv_timeout(PATIENCE).unwrap();
        assert_eq!(body.matches('\n').count(), 1, "{format:?}: {body}");
        assert!(!body.contains('\u{2028}') && !body.contains('\r'), "{format:?}: {body}");
        if *format != AuditFormat::AccessLog {
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
        }
    }
}
