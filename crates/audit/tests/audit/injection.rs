//! What clients put into their requests, in every form and through every sink: it stays inside its field of its line.

use std::io::Read;
use std::sync::mpsc::channel;

use access::{AuditRecord, AuditedCaller, AuditedError, AuditedObject, AuditedSession, AuditedTarget};
use audit::Auditing;
use audit::chain::DigestKey;
use iam_formats::{
    AuditFilter, AuditFormat, AuditSettings, FileSettings, FluentdPlace, FluentdSettings, Protocol, SinkKind,
    SinkSettings, SyslogSettings,
};

use crate::senders::{OK, PATIENCE, hook_by, serve, start, unpack, webhook};
use crate::{give, record};

/// Ends of lines, ends of strings and fields, ends of messages, controls of terminals, directions of reading, what bytes that are no UTF-8
/// become, and a record of the attacker's own.
const TEXTS: &[&str] = &[
    "a\nb\r\nc\r",
    "\"}\n{\"eventName\":\"Forged\",\"requestID\":\"0\"}\n",
    "\\\" \\",
    "\u{0}\u{1}\u{8}\u{b}\u{c}\u{1b}[2J\u{7f}\u{85}\u{9b}",
    "\u{2028}\u{2029}\u{202e}\u{2066}\u{61c}\u{200e}\u{200f}",
    "\u{fffd}\u{fffd}\u{fffd}",
    "] \" - [x] \"GET /forged HTTP/1.1\" 200",
    "9999 <110>1 2026-01-31T12:00:00Z h kelpgate 1 audit - forged",
    "é😀 ",
    "%0A%00",
];

fn poisoned(text: &str, long: bool) -> AuditRecord<'static> {
    let text = if long { text.repeat(2000) } else { text.to_owned() };
    let mut poisoned = record(&text);
    let shared: std::sync::Arc<str> = text.as_str().into();
    poisoned.target.version_id = Some(text.clone());
    poisoned.parameters = vec![(text.clone(), text.clone()), ("prefix".into(), text.clone())];
    poisoned.request.user_agent = text.clone().into();
    poisoned.request.referer = text.clone().into();
    poisoned.request.host = text.clone().into();
    poisoned.request.path = text.clone().into();
    poisoned.caller = AuditedCaller {
        arn: shared.clone(),
        user_id: shared.clone(),
        name: shared.clone(),
        account: Some("000000000000".parse().unwrap()),
        session: Some(AuditedSession {
            id: shared.clone(),
            maker: None,
            role_arn: shared.clone(),
            issued_s: 0,
            source_identity: Some(shared),
            federation: None,
            has_mfa: false,
        }),
        ..AuditedCaller::default()
    };
    poisoned.error = Some(AuditedError { code: "AccessDenied".into(), message: text });
    poisoned
}

/// All of them, short and long, and as keys of DeleteObjects.
fn records() -> Vec<AuditRecord<'static>> {
    let single = TEXTS.iter().flat_map(|text| [poisoned(text, false), poisoned(text, true)]);
    let object = |text: &&str| AuditedObject { key: (*text).into(), version_id: Some((*text).into()), error: None };
    let many = AuditRecord {
        operation: "DeleteObjects",
        target: AuditedTarget { bucket: Some("reef".into()), ..AuditedTarget::default() },
        objects: TEXTS.iter().map(object).collect(),
        ..poisoned("x", false)
    };
    single.chain([many]).collect()
}

/// How many lines they have in a form.
fn lines_of(format: AuditFormat) -> usize {
    let objects = if format == AuditFormat::MinIo { 0 } else { TEXTS.len() };
    2 * TEXTS.len() + 1 + objects
}

/// One event for each line, nothing in it that ends a line or controls what shows it, and the key as it was sent.
fn check(format: AuditFormat, text: &str) {
    assert!(text.ends_with('\n'), "{format:?}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), lines_of(format), "{format:?}");
    let is_control = |character: char| {
        character.is_control()
            || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    for (at, line) in lines.iter().enumerate() {
        assert!(!line.contains(is_control), "{format:?}: {line:?}");
        let text = TEXTS.get(at / 2).map(|text| if at % 2 == 0 { (*text).to_owned() } else { text.repeat(2000) });
        match (format, text) {
            (AuditFormat::AccessLog, _) => assert_eq!(fields(line), 26, "{line}"),
            (_, None) => drop(serde_json::from_str::<serde_json::Value>(line).unwrap()),
            (_, Some(text)) => {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                let key = match format {
                    AuditFormat::CloudTrail => &event["requestParameters"]["key"],
                    AuditFormat::MinIo => &event["api"]["object"],
                    AuditFormat::Ocsf => &event["resources"][0]["name"],
                    _ => &event["key"],
                };
                assert_eq!(key, &serde_json::json!(text), "{format:?}: {line}");
            }
        }
    }
}

/// The fields of an access log's line: what is in quotes or brackets is one.
fn fields(line: &str) -> usize {
    let (mut fields, mut end) = (1, None);
    for character in line.chars() {
        match (character, end) {
            (character, Some(wanted)) if character == wanted => end = None,
            ('"', None) => end = Some('"'),
            ('[', None) => end = Some(']'),
            (' ', None) => fields += 1,
            _ => {}
        }
    }
    assert_eq!(end, None, "{line}");
    fields
}

fn give_all(auditing: &Auditing) {
    records().into_iter().for_each(|record| give(auditing, record));
    auditing.stop();
}

#[test]
fn in_files() {
    for (_, format) in AuditFormat::NAMES {
        let directory = tempfile::tempdir().unwrap();
        let file = FileSettings {
            path: directory.path().join("audit.log").display().to_string(),
            max_bytes: 1 << 30,
            max_files: 0,
            max_age_days: 0,
            sync: false,
            signing_key_file: String::new(),
        };
        let (kind, filter, path) = (SinkKind::File(file.clone()), AuditFilter::default(), file.path.as_ref());
        let sinks = vec![SinkSettings { name: "file".into(), kind, format: *format, blocks: false, filter }];
        let key = DigestKey::generate().unwrap().to_text();
        let settings = AuditSettings { sinks, ..AuditSettings::default() };
        give_all(&Auditing::start(&settings, "us-east-1", |_| DigestKey::parse(&key)).unwrap());
        check(*format, &std::fs::read_to_string(path).unwrap());
        let public = DigestKey::parse(&key).unwrap().public();
        let verified = audit::verify::verify(path, &public, None).unwrap();
        assert_eq!((verified.records, &verified.problems), (lines_of(*format) as u64, &Vec::new()));
    }
}

#[test]
fn in_webhooks() {
    for (_, format) in AuditFormat::NAMES {
        let (tell, told) = channel();
        give_all(&start(webhook(hook_by(|_| OK, tell)), *format, false, None).unwrap());
        let mut text = told.recv_timeout(PATIENCE).unwrap();
        while text.lines().count() < lines_of(*format) {
            text += &told.recv_timeout(PATIENCE).unwrap();
        }
        check(*format, &text);
    }
}

#[test]
fn in_syslog() {
    for (_, format) in AuditFormat::NAMES {
        let (tell, told) = channel();
        let port = serve(move |_, mut stream| {
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            tell.send(text).unwrap();
        });
        let syslog = SyslogSettings { address: format!("127.0.0.1:{port}"), tls: None };
        let auditing = start(Protocol::Syslog(syslog), *format, false, None).unwrap();
        give_all(&auditing);
        drop(auditing);
        let (mut text, received) = (String::new(), told.recv_timeout(PATIENCE).unwrap());
        let mut rest = received.as_str();
        while let Some((length, following)) = rest.split_once(' ') {
            let (message, after) = following.split_at(length.parse().unwrap());
            assert!(message.starts_with("<110>1 20"), "{message}");
            text = text + message.split_once(" audit - ").unwrap().1 + "\n";
            rest = after;
        }
        assert_eq!(rest, "", "{format:?}");
        check(*format, &text);
    }
}

#[test]
fn in_fluentd() {
    for (_, format) in AuditFormat::NAMES.iter().filter(|(_, format)| *format != AuditFormat::AccessLog) {
        let (tell, told) = channel();
        let port = serve(move |_, mut stream| {
            while let Ok(message) = unpack(&mut stream) {
                tell.send(message).unwrap();
            }
        });
        let place = FluentdPlace::Address(format!("127.0.0.1:{port}"));
        let fluentd = FluentdSettings { place, tag: "s3.access".into(), asks_for_ack: false, tls: None };
        give_all(&start(Protocol::Fluentd(fluentd), *format, false, None).unwrap());
        let mut events = Vec::new();
        while events.len() < lines_of(*format) {
            let message = told.recv_timeout(PATIENCE).unwrap();
            assert_eq!(message.as_array().unwrap().len(), 3, "a message has a tag, events and options");
            events.extend(message[1].as_array().unwrap().iter().map(|event| event[1].clone()));
        }
        let name = if *format == AuditFormat::CloudTrail { "userAgent" } else { "eventName" };
        assert_eq!(events.len(), lines_of(*format));
        assert!(events.iter().all(|event| event[name] != "Forged"), "{format:?}");
        let first = events[0].to_string();
        assert!(first.contains("a\\nb\\r\\nc\\r"), "{format:?}: {first}");
    }
}
