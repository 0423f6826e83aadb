//! Sinks that are exchanged while records come in.

use std::path::Path;
use std::sync::Arc;

use audit::Auditing;
use audit::chain::DigestKey;
use audit::verify::verify;
use iam_formats::{AuditFilter, AuditFormat, AuditSettings, FileSettings, SinkKind, SinkSettings};

use crate::events::{allowed, refused};
use crate::{give, record, take};

fn settings(path: &Path, name: &str, blocks: bool) -> AuditSettings {
    let file = FileSettings {
        path: path.display().to_string(),
        max_bytes: 1 << 20,
        max_files: 0,
        max_age_days: 0,
        sync: false,
        signing_key_file: String::new(),
    };
    let (kind, format, filter) = (SinkKind::File(file), AuditFormat::CloudTrail, AuditFilter::default());
    let sinks = vec![SinkSettings { name: name.to_owned(), kind, format, blocks, filter }];
    AuditSettings { sinks, ..AuditSettings::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_record_is_lost_while_sinks_are_exchanged() {
    let directory = tempfile::tempdir().unwrap();
    let paths = ["a", "b"].map(|name| directory.path().join(name));
    let text = DigestKey::generate().unwrap().to_text();
    let key_of = |_: &FileSettings| DigestKey::parse(&text);
    let auditing = Arc::new(Auditing::start(&settings(&paths[0], "a", true), "us-east-1", key_of).unwrap());
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let auditing = Arc::clone(&auditing);
            tokio::spawn(async move {
                for number in 0..200 {
                    take(&auditing, record(&format!("{writer}-{number}"))).await.unwrap();
                }
            })
        })
        .collect();
    for round in 1..8 {
        let at = round % 2;
        let prepared = auditing.prepare(&settings(&paths[at], ["a", "b"][at], true), key_of).unwrap();
        let auditing = Arc::clone(&auditing);
        tokio::task::spawn_blocking(move || auditing.take_over(prepared)).await.unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    auditing.stop();
    let public = DigestKey::parse(&text).unwrap().public();
    let verified = paths.map(|path| verify(&path, &public, None).unwrap());
    assert_eq!(verified.iter().map(|log| log.records).sum::<u64>(), 800);
    assert!(verified.iter().all(|log| log.problems.is_empty()), "{verified:?}");
}

#[tokio::test]
async fn what_runs_is_not_disturbed_by_settings_that_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (path, other) = (directory.path().join("a"), directory.path().join("b"));
    let text = DigestKey::generate().unwrap().to_text();
    let key_of = |_: &FileSettings| DigestKey::parse(&text);
    let auditing = Auditing::start(&settings(&path, "a", true), "us-east-1", key_of).unwrap();
    let refused = auditing.prepare(&settings(&path, "another", true), key_of).err().unwrap();
    assert!(refused.contains("the running sink `a` uses"), "{refused}");
    // What was opened and not used is closed, so it can be opened again.
    for _ in 0..2 {
        drop(auditing.prepare(&settings(&other, "b", true), key_of).unwrap());
    }
    take(&auditing, record("x")).await.unwrap();
    auditing.stop();
    // Nobody is told that a record is written when the sink is gone.
    assert!(take(&auditing, record("y")).await.is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn unknown_callers_cannot_fill_the_disk_and_are_counted_exactly() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let text = DigestKey::generate().unwrap().to_text();
    let mut settings = settings(&path, "a", true);
    settings.unknown_callers_bytes_per_s = 64;
    settings.sinks[0].filter.operations = vec!["GetObject".into()];
    let auditing = Auditing::start(&settings, "us-east-1", |_| DigestKey::parse(&text)).unwrap();
    let refused = |number: u64| access::AuditRecord { status: 403, ..record(&format!("key-{number}")) };
    for number in 0..2000 {
        give(&auditing, refused(number));
    }
    let known = access::AuditedCaller { access_key_id: Some("AKIA".parse().unwrap()), ..Default::default() };
    take(&auditing, access::AuditRecord { caller: known, ..refused(9999) }).await.unwrap();
    take(&auditing, record("public")).await.unwrap();
    auditing.stop();
    let lines = std::fs::read_to_string(&path).unwrap();
    assert!(lines.contains("key-9999") && lines.contains("public"), "records of others are kept");
    let events: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (further, single): (Vec<_>, Vec<_>) =
        events.iter().partition(|event| event["eventName"] == "FurtherRefusedRequests");
    assert!(single.len() < 200, "{}", single.len());
    let count: u64 = further[0]["requestParameters"]["count"].as_str().unwrap().parse().unwrap();
    assert_eq!((further.len(), count), (1, 2000 - (single.len() as u64 - 2)));
}

#[test]
fn only_requests_that_were_allowed_nothing_go_without_a_record() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let text = DigestKey::generate().unwrap().to_text();
    // No record is small enough for this bound.
    let settings = AuditSettings { unknown_callers_bytes_per_s: 1, ..settings(&path, "a", true) };
    let auditing = Auditing::start(&settings, "us-east-1", |_| DigestKey::parse(&text)).unwrap();
    let allow = || allowed("s3:DeleteObject", "arn:aws:s3:::reef/k");
    let refuse = || refused("s3:DeleteObject", "arn:aws:s3:::reef/k");
    let rows = [
        ("refused", 403, vec![refuse()], false),
        ("refused-and-sent-elsewhere-by-a-website", 301, vec![refuse()], false),
        ("left-before-the-decision", 499, vec![], false),
        ("failed-before-the-decision", 503, vec![], false),
        ("carried-out-although-the-client-left", 499, vec![allow()], true),
        ("begun-when-the-filer-failed", 500, vec![allow()], true),
        ("one-of-several-keys", 403, vec![allow(), refuse()], true),
        ("absent", 404, vec![allow()], true),
    ];
    for (key, status, decisions, _) in rows.clone() {
        give(&auditing, access::AuditRecord { status, decisions, ..record(key) });
    }
    auditing.stop();
    let lines = std::fs::read_to_string(&path).unwrap();
    for (key, _, _, is_kept) in rows {
        assert_eq!(lines.contains(&format!("\"key\":\"{key}\"")), is_kept, "{key}");
    }
}
