//! The lines that requests leave in the log.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

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
