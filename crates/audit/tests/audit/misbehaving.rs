//! Receivers that refuse, hang, or are always in trouble.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use iam_formats::{AuditFormat, FluentdPlace, FluentdSettings, Protocol, SyslogSettings};

use crate::senders::{OK, PATIENCE, arrived, counted, hook_by, serve, start, webhook};
use crate::{give, record, take};

const REFUSED: &str = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
const TOO_LARGE: &str = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n";
const IN_TROUBLE: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";

/// What a client can put into a request must not keep the records of others from arriving, or requests from being answered.
#[tokio::test]
async fn a_record_that_the_receiver_refuses_for_ever_is_put_aside() {
    for format in [AuditFormat::CloudTrail, AuditFormat::MinIo] {
        let queue = tempfile::tempdir().unwrap();
        for (blocks, queue) in [(true, None), (false, None), (true, Some(queue.path()))] {
            let (tell, told) = channel();
            let wall = |body: &str| if body.contains("poison") { REFUSED } else { OK };
            let auditing = start(webhook(hook_by(wall, tell)), format, blocks, queue).unwrap();
            for number in 0..40 {
                give(&auditing, record(&format!("{}{number:02}", if number % 13 == 5 { "poison" } else { "" })));
            }
            if format == AuditFormat::CloudTrail {
                assert_eq!(arrived(&told, 37).len(), 37);
            }
            take(&auditing, record("after it")).await.unwrap();
            auditing.stop();
            let row = format!("{format:?} {blocks} {queue:?}");
            assert_eq!(
                (counted(&auditing, "dropped_records_total"), counted(&auditing, "records_total")),
                (3, 38),
                "{row}"
            );
            if let Some(queue) = queue {
                let kept = std::fs::read_to_string(queue.join("refused")).unwrap();
                assert_eq!((kept.lines().count(), kept.matches("poison").count() >= 3), (3, true), "{kept}");
            }
        }
    }
}

/// The receiver learns that it has not got everything.
#[test]
fn a_receiver_that_refuses_a_record_gets_a_note() {
    let (tell, told) = channel();
    let wall = |body: &str| if body.contains("poison") { REFUSED } else { OK };
    let auditing = start(webhook(hook_by(wall, tell)), AuditFormat::CloudTrail, false, None).unwrap();
    give(&auditing, record("poison"));
    auditing.stop();
    let note: serde_json::Value = serde_json::from_str(&told.recv_timeout(PATIENCE).unwrap()).unwrap();
    assert_eq!(note["eventName"], "RecordsRefusedByReceiver");
    assert_eq!(note["requestParameters"]["answer"], "403 Forbidden");
}

#[test]
fn a_batch_that_is_too_large_is_sent_in_parts() {
    let (tell, told) = channel();
    let small = |body: &str| if body.lines().count() > 3 { TOO_LARGE } else { OK };
    let auditing = start(webhook(hook_by(small, tell)), AuditFormat::CloudTrail, false, None).unwrap();
    (0..50).for_each(|number| give(&auditing, record(&format!("{number:02}"))));
    assert_eq!(arrived(&told, 50).len(), 50);
    auditing.stop();
    assert_eq!((counted(&auditing, "dropped_records_total"), counted(&auditing, "records_total")), (0, 50));
}

/// A wrong token or address: everything is refused. Nothing is given up in mode block, and requests are refused.
#[tokio::test]
async fn a_receiver_that_refuses_everything_loses_nothing() {
    let (tell, told) = channel();
    let asked = AtomicUsize::new(0);
    let closed = move |_: &str| if asked.fetch_add(1, Ordering::Relaxed) < 4 { REFUSED } else { OK };
    let auditing = start(webhook(hook_by(closed, tell)), AuditFormat::CloudTrail, true, None).unwrap();
    (0..20).for_each(|number| give(&auditing, record(&format!("{number:02}"))));
    assert_eq!(arrived(&told, 20).len(), 20);
    auditing.stop();
    assert_eq!((counted(&auditing, "dropped_records_total"), counted(&auditing, "records_total")), (0, 20));
    assert!(counted(&auditing, "failures_total") > 0);
}

/// Accepts connections and reads, and never answers.
fn hanging() -> u16 {
    serve(|_, mut stream| drop(stream.read_to_end(&mut Vec::new())))
}

fn hanging_receivers() -> [Protocol; 2] {
    let fluentd = FluentdSettings {
        place: FluentdPlace::Address(format!("127.0.0.1:{}", hanging())),
        tag: "s3.access".into(),
        asks_for_ack: true,
        tls: None,
    };
    [webhook(hanging()), Protocol::Fluentd(fluentd)]
}

/// Best effort: requests never wait, and every record that is lost is counted. Mode block: requests are refused while it hangs.
#[test]
fn a_receiver_that_hangs_stops_no_request_for_ever() {
    std::thread::scope(|scope| {
        for protocol in hanging_receivers() {
            let other = protocol.clone();
            scope.spawn(move || {
                let auditing = start(protocol, AuditFormat::CloudTrail, false, None).unwrap();
                (0..10).for_each(|number| give(&auditing, record(&format!("{number}"))));
                assert_eq!(auditing.ready(), Ok(()));
                auditing.stop();
                assert_eq!((counted(&auditing, "dropped_records_total"), counted(&auditing, "records_total")), (10, 0));
            });
            scope.spawn(move || {
                let auditing = start(other, AuditFormat::CloudTrail, true, None).unwrap();
                give(&auditing, record("stuck"));
                let begun = Instant::now();
                while auditing.ready().is_ok() {
                    assert!(begun.elapsed() < PATIENCE);
                    std::thread::sleep(Duration::from_millis(20));
                }
                assert!(auditing.ready().unwrap_err().contains("(sink `net`)"));
            });
        }
    });
}

/// A receiver that is always in trouble keeps no request waiting longer than it is told.
#[tokio::test]
async fn a_receiver_that_is_always_in_trouble_fails_the_request_in_mode_block_and_counts_losses_in_the_other() {
    let (tell, _told) = channel();
    let port = hook_by(|_| IN_TROUBLE, tell);
    let auditing = start(webhook(port), AuditFormat::CloudTrail, false, None).unwrap();
    (0..10).for_each(|number| give(&auditing, record(&format!("{number}"))));
    auditing.stop();
    assert_eq!((counted(&auditing, "dropped_records_total"), counted(&auditing, "records_total")), (10, 0));
    let auditing = start(webhook(port), AuditFormat::CloudTrail, true, None).unwrap();
    // The time of the test runs ahead while it waits.
    tokio::time::pause();
    let why = take(&auditing, record("x")).await.unwrap_err();
    assert!(why.contains("is not written yet"), "{why}");
    tokio::time::resume();
    let begun = Instant::now();
    while auditing.ready().is_ok() {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Syslog has no answers: what the other end does not read fills the connection, and then counts as stuck.
#[test]
fn a_syslog_server_that_does_not_read_is_given_up() {
    let port = serve(|_, stream| {
        std::thread::sleep(PATIENCE);
        drop(stream);
    });
    let syslog = SyslogSettings { address: format!("127.0.0.1:{port}"), tls: None };
    let auditing = start(Protocol::Syslog(syslog), AuditFormat::CloudTrail, false, None).unwrap();
    let long = "x".repeat(1 << 20);
    (0..16).for_each(|_| give(&auditing, record(&long)));
    let begun = Instant::now();
    while counted(&auditing, "dropped_records_total") == 0 {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(counted(&auditing, "failures_total") > 0);
}
