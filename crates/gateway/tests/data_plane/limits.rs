//! Everything that a caller can make large is bounded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::World;
use gateway::{ResponseBody, accept};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// The heads announce bodies that never come. An answer shows that the gateway did not wait for them.
#[tokio::test]
async fn the_body_of_a_caller_without_permission_is_not_read() {
    let world = World::read_only().await;
    for line in [
        "POST /plain?delete",
        "POST /missing?delete",
        "PUT /plain?tagging",
        "PUT /plain/a?tagging",
        "PUT /plain/a?retention",
        "PUT /plain/a?legal-hold",
        "PUT /fresh",
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n<");
        let answer = world.send_raw(head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("AccessDenied"), "{line}: {answer}");
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let world = World::read_only().await;
    let headers = |count: usize, bytes: usize| -> String {
        (0..count).map(|at| format!("X-Header-{at}: {}\r\n", "v".repeat(bytes))).collect()
    };
    let (too_large, allowed) = ("RequestHeaderSectionTooLarge", "404");
    for (what, query, headers, want) in [
        ("a head of 60 KB", String::new(), headers(10, 6_000), allowed),
        ("60 headers", String::new(), headers(60, 10), allowed),
        ("a head of 70 KB", String::new(), headers(10, 7_000), too_large),
        ("the query counts", format!("?x={}", "v".repeat(40_000)), headers(4, 7_000), too_large),
        ("a target of 70 KB", format!("?x={}", "v".repeat(70_000)), String::new(), "414"),
        ("101 headers", String::new(), headers(101, 1), "431"),
        // hyper stops reading at 400 KB, unless the end of the head came with the same read.
        ("a head of 500 KB", String::new(), headers(5, 100_000), "431|RequestHeaderSectionTooLarge"),
    ] {
        let head = format!("GET /plain/none{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let answer = world.send_raw(head.as_bytes()).await;
        assert!(want.split('|').any(|one| answer.contains(one)), "{what}: {answer}");
    }
}

#[tokio::test]
async fn heads_of_http_2_are_bounded() {
    let world = World::read_only().await;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    for (bytes, want) in [(1_000, 404), (5_000, 404), (7_000, 431)] {
        let mut request = Request::get(format!("http://{}/plain/none", world.address));
        for at in 0..10 {
            request = request.header(format!("x-header-{at}"), "v".repeat(bytes));
        }
        let answer = client.request(request.body(Empty::new()).unwrap()).await.unwrap();
        assert_eq!(answer.status().as_u16(), want, "{bytes}");
        answer.into_body().collect().await.unwrap();
    }
}

/// A Deny cannot be avoided by a long value, and patterns are compared only with short ones.
#[tokio::test]
async fn values_of_condition_keys_are_bounded() {
    let world = World::with_users().await;
    let (most, long) = ("v".repeat(4096), "v".repeat(4097));
    let prefix = |length: usize| format!("GET /shared?list-type=2&prefix={}", "p".repeat(length));
    let grantees = ["uri=http://acs.amazonaws.com/groups/global/AllUsers"; 100].join(",");
    let (too_large, grants) = ("400 RequestHeaderSectionTooLarge", [("x-amz-grant-read", grantees.as_str())]);
    world
        .check(&[
            ("", "GET /shared/k", &[("user-agent", &most)], "", "404 NoSuchKey"),
            ("", "GET /shared/k", &[("referer", &most)], "", "404 NoSuchKey"),
            ("", "GET /shared/k", &[("user-agent", &long)], "", too_large),
            ("", "GET /shared/k", &[("referer", &long)], "", too_large),
            ("", "GET /shared/k", &[("referer", &most), ("referer", "v")], "", too_large),
            ("nobody", "GET /shared/k", &[("user-agent", &long)], "", too_large),
            ("nobody", "GET /plain/k", &[("user-agent", &long)], "", too_large),
            ("", "GET /plain/k", &[("x-header", &long), ("user-agent", &most)], "", "403 AccessDenied"),
            ("", &prefix(4096), &[], "", "200 "),
            ("", &prefix(4097), &[], "", too_large),
            ("nobody", "PUT /plain?tagging", &[("referer", &long)], "", too_large),
            ("nobody", "POST /plain?delete", &[("referer", &long)], "", too_large),
            // Objects of this bucket have no ACLs.
            ("admin", "PUT /plain/k", &grants, "x", "400 AccessControlListNotSupported"),
        ])
        .await;
    let reply = world.send("GET /shared/k", &[("referer", &long)], "").await;
    assert_eq!((reply.element("ConditionKey"), reply.element("MaxSizeAllowed")), ("aws:Referer".into(), "4096".into()));
}

/// A request with many long decisions gives up its thread between them. Here there is only one thread.
#[tokio::test]
async fn others_run_between_the_decisions_of_delete_objects() {
    let world = World::with_users().await;
    let patterns = (100..300).map(|number| format!("\"*?{number}*\"")).collect::<Vec<_>>().join(",");
    let policy = format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:DeleteObject\",\
         \"Resource\":\"arn:aws:s3:::plain/*\",\"Condition\":{{\"StringLike\":{{\"aws:UserAgent\":[{patterns}]}}}}}}]}}"
    );
    world.check(&[("admin", "PUT /plain?policy", &[], &policy, "204 ")]).await;
    let keys: String = (0..50).map(|key| format!("<Object><Key>{key}</Key></Object>")).collect();
    let (keys, browser) = (format!("<Delete>{keys}</Delete>"), "b".repeat(4096));
    let headers = [("user-agent", browser.as_str())];
    let request = world.send_as("nobody", "POST /plain?delete", &headers, keys);
    // How often others wait for a while.
    let (mut waits, mut last) = (0, Instant::now());
    let others = async {
        loop {
            tokio::task::yield_now().await;
            waits += usize::from(last.elapsed() >= Duration::from_millis(1));
            last = Instant::now();
        }
    };
    let reply = tokio::select! { reply = request => reply, () = others => unreachable!() };
    assert_eq!(reply.elements("Code").len(), 50, "{}", reply.text());
    assert!(waits >= 10, "others waited {waits} times for 50 decisions");
}

/// Answers with these bytes.
struct Says(Bytes);

impl accept::Handler for Says {
    async fn handle(self: Arc<Self>, _: accept::Connection, _: Request<Incoming>) -> Response<ResponseBody> {
        Response::new(ResponseBody::Full(self.0.clone()))
    }
}

/// Two connections at a time, with one second for a head.
async fn small_listener() -> std::net::SocketAddr {
    listener_that_says(Bytes::new(), Duration::from_secs(1)).await
}

async fn listener_that_says(bytes: Bytes, idle: Duration) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = accept::Limits { idle, connections: 2, drain: Duration::from_millis(1) };
    tokio::spawn(accept::serve(listener, None, Arc::new(Says(bytes)), limits, std::future::pending()));
    address
}

/// Whatever part of a head is sent, even if the rest arrives byte by byte.
#[tokio::test]
async fn connections_without_a_head_are_closed() {
    const SETTINGS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let address = small_listener().await;
    for begin in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", SETTINGS, b"GET / HTTP/1.1\r\nHost: x\r\nX: "] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(begin).await.unwrap();
        let (mut answers, mut sends) = connection.split();
        let mut answer = Vec::new();
        let slowly = async {
            while begin.starts_with(b"GET") && sends.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let closed = async { timeout(Duration::from_secs(8), answers.read_to_end(&mut answer)).await };
        let (closed, ()) = tokio::join!(closed, slowly);
        assert!(closed.is_ok(), "{:?} stays open", String::from_utf8_lossy(begin));
    }
}

#[tokio::test]
async fn more_connections_wait_to_be_accepted() {
    let address = small_listener().await;
    let mut first = TcpStream::connect(address).await.unwrap();
    let _second = TcpStream::connect(address).await.unwrap();
    let mut third = TcpStream::connect(address).await.unwrap();
    let mut answer = [0; 256];
    for connection in [&mut first, &mut third] {
        connection.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    }
    assert!(first.read(&mut answer).await.unwrap() > 0);
    assert!(timeout(Duration::from_millis(200), third.read(&mut answer)).await.is_err());
    drop(first);
    assert!(timeout(Duration::from_secs(8), third.read(&mut answer)).await.unwrap().unwrap() > 0);
}

/// More than the buffers of the operating system hold.
const LARGE_BYTES: usize = 32 << 20;

/// Asks for a large answer, and reads none of it yet.
async fn ask(address: std::net::SocketAddr) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    connection
}

#[tokio::test]
async fn a_client_that_stops_reading_loses_its_connection() {
    let address = listener_that_says(vec![0; LARGE_BYTES].into(), Duration::from_secs(1)).await;
    let mut connection = ask(address).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let ended = connection.read_to_end(&mut Vec::new()).await;
    assert!(ended.is_err(), "{ended:?}");
}

/// It takes longer to make so much room that the operating system reports it than a client may pause.
#[tokio::test]
async fn a_slow_client_gets_its_answer() {
    let address = listener_that_says(vec![0; LARGE_BYTES].into(), Duration::from_secs(2)).await;
    let mut connection = ask(address).await;
    let mut answer = vec![0; 32 << 10];
    let mut read = 0;
    for _ in 0..60 {
        read += connection.read(&mut answer).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    read += connection.read_to_end(&mut Vec::new()).await.unwrap();
    assert!(read > LARGE_BYTES, "{read}");
}
