//! The lines that requests leave in the log.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use filer::fault::{Call, Fault, FaultyFiler};
use filer::{EmbeddedFiler, Filer};
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Claims, Reply, World, signer};

/// Keeps what is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// While there is only one subscriber, another thread without one that comes to a line first turns the line off for all
/// threads. So there is always a second one.
static SECOND: LazyLock<tracing::Dispatch> = LazyLock::new(|| tracing::Dispatch::new(tracing_subscriber::registry()));

impl Log {
    /// Logs lines of the audit at this level until the guard is dropped.
    fn start(level: &str) -> (Self, tracing::subscriber::DefaultGuard) {
        LazyLock::force(&SECOND);
        let log = Self::default();
        let subscriber =
            tracing_subscriber::fmt().json().with_env_filter(format!("audit={level}")).with_writer(log.clone());
        (log, tracing::subscriber::set_default(subscriber.finish()))
    }

    /// The fields of the lines since the last call.
    fn take(&self) -> Vec<Value> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].clone()).collect()
    }
}

/// The field as text; empty if it is absent.
fn text(line: &Value, name: &str) -> String {
    match &line[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Sends a request and returns its one line.
async fn line_of(log: &Log, reply: impl Future<Output = Reply>) -> (Reply, Value) {
    let reply = reply.await;
    let mut lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    (reply, lines.remove(0))
}

#[tokio::test]
async fn refusals() {
    let world = World::with_users().await;
    let (log, _guard) = Log::start("info");
    let mut claims = Claims::default();
    for (user, line, names, want) in [
        (
            "nobody",
            "GET /plain/k",
            &["message", "operation", "action", "resource", "outcome", "status", "key", "client"][..],
            &[
                "refused",
                "GetObject",
                "s3:GetObject",
                "arn:aws:s3:::plain/k",
                "implicit_deny",
                "403",
                "AKNOBODY",
                "127.0.0.1",
            ][..],
        ),
        // The policy that decided, and its statement by name.
        (
            "admin",
            "GET /shared/private",
            &["action", "outcome", "policy_type", "sid"],
            &["s3:GetObject", "explicit_deny", "resource", "NotThis"],
        ),
        ("", "GET /shared/private", &["principal", "key", "policy_type"], &["", "", "resource"]),
        (
            "",
            "PUT /plain?replication",
            &["operation", "action"],
            &["PutBucketReplication", "s3:PutReplicationConfiguration"],
        ),
        ("nobody", "GET /plain/absent?versionId=v", &["action"], &["s3:GetObjectVersion"]),
    ] {
        let (reply, got) = line_of(&log, world.send_as(user, line, &[], "")).await;
        let row = format!("{user} {line} {got}");
        claims.claim(&row, names.iter().map(|name| text(&got, name)).collect::<Vec<_>>(), want.to_vec());
        claims.claim(&row, &*text(&got, "request"), reply.header("x-amz-request-id"));
    }
    // What is allowed is not logged at this level, however it ends.
    for line in ["GET /plain", "GET /plain/absent", "GET /nowhere/k"] {
        world.ask_admin(line).await;
        claims.claim(line, log.take(), Vec::<Value>::new());
    }
    // Many refusals of one request are one line, with their number.
    let keys = "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>";
    let (_, got) = line_of(&log, world.send_as("nobody", "POST /plain?delete", &[], keys)).await;
    claims.claim(&got.to_string(), (&*text(&got, "refusals"), &*text(&got, "status")), ("2", "200"));
    claims.end();
}

#[tokio::test]
async fn signatures_that_are_refused() {
    let world = World::with_users().await;
    let (log, _guard) = Log::start("info");
    let (_, got) = line_of(&log, world.send_as("unknown", "GET /plain/k", &[], "")).await;
    let seen = ["message", "key", "code", "operation"].map(|name| text(&got, name));
    assert_eq!(seen, ["refused a signature", "AKUNKNOWN", "InvalidAccessKeyId", "GetObject"], "{got}");
    let mut wrong = signer("admin");
    wrong.secret = ids::SecretAccessKey::new("another secret");
    let head = wrong.sign(world.head("GET /plain/k", &[]), sigv4::PayloadHash::EMPTY);
    let (_, got) = line_of(&log, world.deliver(head, "".into())).await;
    assert_eq!((text(&got, "key"), text(&got, "code")), ("AKADMIN".into(), "SignatureDoesNotMatch".into()), "{got}");
    // Not everyone fills the log: one address has ten lines.
    for _ in 0..12 {
        world.send_as("unknown", "GET /plain/k", &[], "").await;
    }
    assert_eq!(log.take().len(), 8);
}

/// At level debug every request has a line, with all of its decisions.
#[tokio::test]
async fn every_request() {
    let world = World::with_users().await;
    let (log, _guard) = Log::start("debug");
    let mut claims = Claims::default();
    for (user, line, headers, names, want) in [
        (
            "admin",
            "PUT /plain/k",
            &[("user-agent", "me/1"), ("x-amz-tagging", "a=1")][..],
            &["message", "method", "path", "user_agent", "status", "bytes_received", "bytes_sent"][..],
            &["answered", "PUT", "/plain/k", "me/1", "200", "", "0"][..],
        ),
        ("admin", "GET /plain/absent", &[], &["operation", "status"], &["GetObject", "404"]),
        ("admin", "GET /%zz", &[], &["operation", "status", "decisions"], &["Unknown", "400", ""]),
        ("nobody", "GET /plain/k", &[], &["message", "status"], &["refused", "403"]),
    ] {
        let (_, got) = line_of(&log, world.send_as(user, line, headers, "")).await;
        let row = format!("{user} {line} {got}");
        claims.claim(&row, names.iter().map(|name| text(&got, name)).collect::<Vec<_>>(), want.to_vec());
    }
    claims.end();
    let (_, got) = line_of(&log, world.send_as("admin", "PUT /plain/k", &[("x-amz-tagging", "a=1")], "")).await;
    let decisions = text(&got, "decisions");
    assert!(decisions.contains("s3:PutObject ") && decisions.contains("s3:PutObjectTagging "), "{decisions}");
}

/// Every request leaves one record, whatever becomes of it.
#[tokio::test]
async fn records() {
    let world = World::with_users().await;
    let mut claims = Claims::default();
    for (user, line, want) in [
        ("admin", "PUT /plain/k", ("PutObject", Some("plain"), Some("k"), 200, None)),
        ("admin", "GET /plain/k?versionId=null", ("GetObject", Some("plain"), Some("k"), 200, None)),
        ("admin", "GET /plain?list-type=2&prefix=x", ("ListObjectsV2", Some("plain"), None, 200, None)),
        ("admin", "GET /plain/absent", ("GetObject", Some("plain"), Some("absent"), 404, Some("NoSuchKey"))),
        ("nobody", "DELETE /plain/k", ("DeleteObject", Some("plain"), Some("k"), 403, Some("AccessDenied"))),
        ("unknown", "GET /plain/k", ("GetObject", Some("plain"), Some("k"), 403, Some("InvalidAccessKeyId"))),
        ("admin", "GET /%zz", ("Unknown", None, None, 400, Some("InvalidURI"))),
    ] {
        world.auditor.records();
        let reply = world.send_as(user, line, &[], "").await;
        let records = world.auditor.records();
        let [record] = records.as_slice() else { panic!("{line}: {records:?}") };
        let (bucket, key) = (record.target.bucket.as_deref(), record.target.key.as_deref());
        let error = record.error.as_ref().map(|error| error.code.as_str());
        claims.claim(line, (record.operation, bucket, key, record.status, error), want);
        claims.claim(line, &*record.request_id, reply.header("x-amz-request-id"));
        let claimed = (user == "unknown").then(|| "AKUNKNOWN".to_owned());
        claims.claim(line, record.caller.claimed_key.clone(), claimed);
    }
    claims.end();
    for page in ["GET /status", "GET /healthz"] {
        world.send(page, &[], "").await;
    }
    assert!(world.auditor.records().is_empty(), "pages are no requests");
}

/// The signature of the head says who sends the chunks.
#[tokio::test]
async fn a_chunk_with_a_wrong_signature_has_a_known_caller() {
    let world = World::with_users().await;
    let (payload, length) = (sigv4::PayloadHash::StreamingSigned, [("x-amz-decoded-content-length", "5")]);
    let frame = |mut chunks: sigv4::ChunkSigner| {
        let body = [chunks.chunk(b"hello"), chunks.end(&[])].concat();
        String::from_utf8(body).unwrap().replace("hello", "HELLO").into_bytes()
    };
    let reply = world.send_chunked("PUT /plain/k", &length, payload, frame).await;
    assert_eq!(reply.outcome(), "403 SignatureDoesNotMatch");
    let records = world.auditor.records();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let (caller, key) = (&record.caller, record.caller.access_key_id.as_ref().map(ToString::to_string));
    assert_eq!((&*caller.name, key.as_deref()), ("admin", Some("AKADMIN")));
    assert_eq!(caller.claimed_key, key, "its signature was refused");
}

#[tokio::test]
async fn a_record_holds_no_signature_and_each_key_of_a_deletion() {
    let world = World::with_users().await;
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKADMIN/20261130/us-east-1/s3/aws4_request\
        &X-Amz-Date=20261130T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=5ec2e7&X-Amz-Security-Token=5ec2e7";
    world.send(&format!("GET /plain/k?{query}"), &[("referer", "http://x/?X-Amz-Signature=5ec2e7")], "").await;
    let records = world.auditor.records();
    assert_eq!(records.len(), 1);
    assert!(!format!("{records:?}").contains("5ec2e7"), "{records:?}");
    let shown: Vec<_> =
        records[0].parameters.iter().filter(|(_, value)| value != "***").map(|(name, _)| name.as_str()).collect();
    assert!(shown.contains(&"X-Amz-Credential") && !shown.contains(&"X-Amz-Signature"), "{shown:?}");

    world.send_as("admin", "PUT /plain/a", &[], "").await;
    world.auditor.records();
    let keys = "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>x</VersionId></Object></Delete>";
    world.send_as("nobody", "POST /plain?delete", &[], keys).await;
    let records = world.auditor.records();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let objects: Vec<_> = record.objects.iter().map(|object| (&*object.key, object.error.as_deref())).collect();
    assert_eq!(objects, [("a", Some("AccessDenied")), ("b", Some("AccessDenied"))]);
}

/// A client that goes away before the answer does not take the record of what it did with it.
#[tokio::test]
async fn a_client_that_goes_away_leaves_a_record() {
    let world = World::with_users().await;
    let head = "PUT /plain/k HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\nbeginning";
    let connection = tokio::net::TcpStream::connect(&world.address).await.unwrap();
    connection.try_write(head.as_bytes()).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(connection);
    let mut records = Vec::new();
    for _ in 0..500 {
        records.extend(world.auditor.records());
        if !records.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.operation, record.target.key.as_deref()), ("PutObject", Some("k")));
    assert!(record.status >= 400, "{record:?}");
}

/// A client that goes away interrupts no deletion: each key is deleted, and the record has each.
#[tokio::test]
async fn a_deletion_goes_on_without_its_client() {
    let directory = tempfile::tempdir().unwrap();
    let filer = Arc::new(FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap())));
    let world = World::over(Arc::clone(&filer) as Arc<dyn Filer>).await;
    let keys: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
    for key in &keys {
        world.put(&format!("/plain/{key}"), "x").await;
    }
    world.auditor.records();
    filer.set(Call::Transact, Fault::Delay(Duration::from_millis(50)));
    let list: String = keys.iter().map(|key| format!("<Object><Key>{key}</Key></Object>")).collect();
    let body = format!("<Delete>{list}</Delete>");
    let head = format!("POST /plain?delete HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let connection = tokio::net::TcpStream::connect(&world.address).await.unwrap();
    connection.try_write(head.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(80)).await;
    drop(connection);
    let record = loop {
        if let Some(record) = world.auditor.records().pop() {
            break record;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((record.status, record.objects.len()), (200, keys.len()));
    assert_eq!(world.keys("plain").await, Vec::<String>::new());
}

/// No audit, no answer.
#[tokio::test]
async fn without_the_record_there_is_no_answer() {
    use std::sync::atomic::Ordering;
    let world = World::with_users().await;
    world.auditor.is_full.store(true, Ordering::Relaxed);
    let reply = world.send_as("admin", "PUT /plain/k", &[], "").await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "1"));
    assert!(
        String::from_utf8_lossy(&reply.body).contains("not carried out, because the audit log is full"),
        "{:?}",
        reply.body
    );
    assert!(world.auditor.records().is_empty());
    world.auditor.is_full.store(false, Ordering::Relaxed);
    assert_eq!(world.ask_admin("GET /plain/k").await.status.as_u16(), 404, "the refused write was carried out");
    world.send_as("admin", "PUT /plain/k", &[], "secret").await;
    world.auditor.loses.store(true, Ordering::Relaxed);
    let reply = world.ask_admin("GET /plain/k").await;
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status.as_u16(), 503);
    assert!(body.contains("its audit record is lost") && !body.contains("secret"), "{body}");
}
