//! What requests to identity providers do, against a server on the loopback.
#![cfg(test)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use federation::{Authorization, GetError, Outbound};

/// Answers every request with this text, and counts them.
fn server(answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 2048];
            let _ = stream.read(&mut head).unwrap();
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (format!("http://{address}"), asked)
}

fn private() -> Outbound {
    Outbound { allows_private_addresses: true, ..Outbound::default() }
}

#[tokio::test]
async fn a_short_answer_is_read() {
    let (url, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    assert_eq!(private().get(&format!("{url}/keys?x=1"), 2).await.unwrap(), "{}");
    assert!(matches!(private().get(&url, 1).await, Err(GetError::Body(..))), "too long");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (url, asked) = server("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n");
    assert!(matches!(private().get(&url, 99).await, Err(GetError::Status(_, status)) if status.as_u16() == 302));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn addresses_that_are_not_public_are_not_reached() {
    let (url, asked) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    assert!(matches!(Outbound::default().get(&url, 99).await, Err(GetError::NotPublic { .. })));
    assert!(matches!(
        Outbound::default().get(&url.replace("127.0.0.1", "localhost"), 99).await,
        Err(GetError::NotPublic { .. })
    ));
    for metadata in
        ["http://169.254.169.254/", "http://[::ffff:169.254.169.254]/", "http://[fd00:ec2::254]/", "http://2852039166/"]
    {
        let refused = private().get(metadata, 99).await;
        assert!(matches!(refused, Err(GetError::NotPublic { .. })), "{metadata}: {refused:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn plain_http_is_for_private_addresses_alone() {
    assert!(matches!(private().get("http://8.8.8.8/", 99).await, Err(GetError::Address(..))));
    for wrong in ["ftp://127.0.0.1/", "https://user@127.0.0.1/", "nonsense", "/keys", "https://"] {
        assert!(matches!(private().get(wrong, 99).await, Err(GetError::Address(..))), "{wrong}");
    }
}

#[tokio::test]
async fn the_token_of_a_file_is_sent_along() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token").display().to_string();
    let (url, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    let outbound = Outbound { authorization: Authorization::BearerOf(file.clone()), ..private() };
    assert!(matches!(outbound.get(&url, 99).await, Err(GetError::File(..))));
    std::fs::write(&file, "secret\n").unwrap();
    assert_eq!(outbound.get(&url, 99).await.unwrap(), "{}");
}
