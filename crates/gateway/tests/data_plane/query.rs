//! Calls of the query API on their way to the control plane, and those that do not get there.

use std::time::Duration;

use gateway::Settings;
use sigv4::PayloadHash;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Claims, Reply, World, settings, signer};

/// Sends a form that is signed for this service as this user; `change` may alter the head afterwards.
async fn call(world: &World, user: &str, service: &str, line: &str, form: &[u8], late_s: i64) -> Reply {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, form);
    let mut signer = signer(user);
    signer.service = service.to_owned();
    signer.time -= jiff::SignedDuration::from_secs(late_s);
    let head = world.head(line, &[("content-type", "application/x-www-form-urlencoded")]);
    let head = signer.sign(head, PayloadHash::Sha256(hash.as_ref().try_into().unwrap()));
    world.deliver(head, form.to_vec().into()).await
}

/// Caller and action, as they reach the control plane.
#[tokio::test]
async fn calls_that_are_handed_over() {
    let world = World::with_users().await;
    let mut claims = Claims::default();
    for (user, service, line, form, want) in [
        ("admin", "iam", "POST /", "Action=ListUsers&Version=2010-05-08", "admin ListUsers"),
        ("admin", "sts", "POST /", "Action=GetCallerIdentity", "admin GetCallerIdentity"),
        ("nobody", "sts", "POST /", "Action=GetCallerIdentity", "nobody GetCallerIdentity"),
        ("admin", "iam", "POST /?Action=ListUsers", "", "admin ListUsers"),
        ("admin", "iam", "GET /?Action=ListUsers", "", "admin ListUsers"),
        ("admin", "iam", "POST /", "Action=Unheard", "admin Unheard"),
    ] {
        let reply = call(&world, user, service, line, form.as_bytes(), 0).await;
        claims.claim(&format!("{user} {service} {line} {form}"), reply.text(), want);
    }
    claims.end();
    // Clients do not invent labels.
    let text = world.gateway.metrics.text();
    assert!(text.contains("kelpgate_requests_total{operation=\"iam:ListUsers\",status=\"200\"} 3"), "{text}");
    assert!(!text.contains("Unheard"), "{text}");
}

/// Refused before anything is decided; the control plane never sees the call.
#[tokio::test]
async fn long_headers_are_refused() {
    let world = World::with_users().await;
    for (service, want) in [("iam", "400 RequestHeaderSectionTooLarge"), ("sts", "400 RequestHeaderSectionTooLarge")] {
        for name in ["user-agent", "referer"] {
            let mut signer = signer("nobody");
            signer.service = service.to_owned();
            let head = world.head("GET /?Action=ListUsers", &[(name, &"v".repeat(4097))]);
            let reply = world.deliver(signer.sign(head, PayloadHash::EMPTY), Default::default()).await;
            assert_eq!(reply.outcome(), want, "{service} {name}");
        }
    }
}

#[tokio::test]
async fn calls_that_are_refused() {
    let world = World::with_users().await;
    let large = format!("Action=ListUsers&a={}", "v".repeat(1 << 20));
    let mut claims = Claims::default();
    for (what, user, service, line, form, late_s, want) in [
        (
            "an unknown key",
            "unknown",
            "iam",
            "POST /",
            &b"Action=ListUsers"[..],
            0,
            ("403 InvalidClientTokenId", "Iam"),
        ),
        ("an unknown key", "unknown", "sts", "POST /", b"Action=ListUsers", 0, ("403 InvalidClientTokenId", "Sts")),
        ("a slow clock", "admin", "iam", "POST /", b"Action=ListUsers", 3600, ("403 SignatureDoesNotMatch", "Iam")),
        (
            "a parameter twice",
            "admin",
            "iam",
            "POST /?Action=ListUsers",
            b"Action=DeleteUser",
            0,
            ("400 InvalidArgument", "Iam"),
        ),
        ("no text", "admin", "iam", "POST /", b"Action=\xff", 0, ("400 InvalidRequest", "Iam")),
        ("broken text", "admin", "iam", "POST /", b"Action=%zz", 0, ("400 InvalidURI", "Iam")),
        ("a large body", "admin", "iam", "POST /", large.as_bytes(), 0, ("400 EntityTooLarge", "Iam")),
    ] {
        let reply = call(&world, user, service, line, form, late_s).await;
        let row = format!("{what}: {}", reply.text());
        claims.claim(&row, (&*reply.outcome(), &*reply.element("Service")), want);
        claims.claim(&row, reply.header("content-type"), "text/xml");
        claims.claim(&row, reply.header("x-amzn-requestid"), reply.header("x-amz-request-id"));
    }
    let mut stranger = signer("unknown");
    stranger.service = "iam".to_owned();
    let presigned = stranger.presign(world.head("GET /?Action=ListUsers", &[]), 60);
    let reply = world.deliver(presigned, "".into()).await;
    claims.claim("presigned", (&*reply.outcome(), &*reply.element("Service")), ("403 InvalidClientTokenId", "Iam"));
    let garbled = [("authorization", "AWS4-HMAC-SHA256 nothing")];
    let reply = world.send("POST /", &garbled, "Action=ListUsers").await;
    claims.claim(
        "a garbled header",
        (&*reply.outcome(), &*reply.element("Service")),
        ("400 IncompleteSignature", "Sts"),
    );
    claims.end();
}

/// The head of a call, and the beginning of a body that never ends.
fn beginning(authorization: &str, bytes: usize) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Length: 1000000\r\n\r\n");
    [head.into_bytes(), vec![b'a'; bytes]].concat()
}

/// The answers show that the gateway does not wait for the rest.
#[tokio::test]
async fn the_body_of_a_caller_who_is_not_known_is_not_read() {
    let world = World::with_users().await;
    let mut claims = Claims::default();
    let signed = |key: &str| {
        let rest =
            "SignedHeaders=host;x-amz-date, Signature=0000000000000000000000000000000000000000000000000000000000000000";
        let scope = "20260101/us-east-1/iam/aws4_request";
        format!("Authorization: AWS4-HMAC-SHA256 Credential={key}/{scope}, {rest}\r\nX-Amz-Date: 20260101T000000Z\r\n")
    };
    let without = |header: &str| signed("AKADMIN").replace(header, "X-Other");
    for (what, authorization, bytes, want) in [
        ("no signature, 65 KiB", String::new(), 65 << 10, "EntityTooLarge"),
        ("a token instead", "Authorization: Bearer a.b.c\r\n".to_owned(), 65 << 10, "EntityTooLarge"),
        ("an unknown key", signed("AKUNKNOWN"), 1, "InvalidClientTokenId"),
        ("an unknown session", signed("AKADMIN") + "X-Amz-Security-Token: a.b.c\r\n", 1, "InvalidClientTokenId"),
        ("a signature without a date", without("X-Amz-Date"), 1, "AccessDenied"),
    ] {
        let answer = timeout(Duration::from_secs(5), world.send_raw(&beginning(&authorization, bytes))).await;
        let answer = answer.unwrap_or_else(|_| "nothing".to_owned());
        claims.claim(&format!("{what}: {answer}"), answer.contains(want), true);
    }
    for (what, reply) in [
        (
            "no signature, 60 KiB",
            world.send("POST /", &[], "Action=ListUsers&a=".to_owned() + &"a".repeat(60 << 10)).await,
        ),
        (
            "a key, 1000 KiB",
            call(
                &world,
                "admin",
                "iam",
                "POST /",
                ("Action=ListUsers&a=".to_owned() + &"a".repeat(1000 << 10)).as_bytes(),
                0,
            )
            .await,
        ),
    ] {
        claims.claim(&format!("{what}: {}", reply.text()), reply.text().ends_with(" ListUsers"), true);
    }
    claims.end();
}

/// The rest comes byte by byte, and no pause is long.
#[tokio::test]
async fn a_body_has_to_arrive_in_time() {
    let world = World::with_users_and(Settings { body_patience: Duration::from_secs(1), ..settings() }).await;
    let mut connection = TcpStream::connect(&world.address).await.unwrap();
    connection.write_all(&beginning("", 1)).await.unwrap();
    let (mut answers, mut sends) = connection.split();
    let mut answer = vec![0; 4096];
    let slowly = async {
        while sends.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let answered = tokio::select! {
        biased; // the answer counts, even if the next byte can no longer be sent
        read = timeout(Duration::from_secs(8), answers.read(&mut answer)) => read.is_ok(),
        () = slowly => false,
    };
    assert!(answered && String::from_utf8_lossy(&answer).contains("RequestTimeout"));
}
