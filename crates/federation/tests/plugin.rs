//! What the identity plugin is asked, and what counts as its answer, against a server on the loopback.
#![cfg(test)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use federation::{Plugin, PluginError};
use iam_formats::PluginSettings;
use ids::SecretAccessKey;

const TOKEN: &str = "a secret+token/&x=1#?";

type Heads = Arc<Mutex<Vec<String>>>;

/// Answers every request with this text, and keeps what was asked.
fn server(answer: String) -> (String, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Heads::default();
    let seen = Arc::clone(&heads);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap();
            seen.lock().unwrap().push(String::from_utf8_lossy(&head[..length]).into_owned());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (format!("http://{address}/check"), heads)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn settings(url: &str) -> PluginSettings {
    PluginSettings {
        name: "tickets".to_owned(),
        url: url.to_owned(),
        auth_token: Some(SecretAccessKey::new("Bearer own-secret".to_owned())),
        auth_token_file: None,
        role_id: None,
        ca_file: None,
        allows_private_addresses: true,
    }
}

#[tokio::test]
async fn the_token_and_nothing_else_is_asked_about() {
    let (url, heads) = server(answer("200 OK", r#"{"user":"alice","maxValiditySeconds":3600}"#));
    let user = Plugin::new(settings(&url)).user_of(TOKEN).await.unwrap();
    assert_eq!((&*user.user, user.valid_s), ("alice", 3600));
    let heads = heads.lock().unwrap().clone();
    let [head] = heads.as_slice() else { panic!("{heads:?}") };
    assert!(head.starts_with("POST /check?token=a%20secret%2Btoken%2F%26x%3D1%23%3F HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nauthorization: Bearer own-secret\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
}

#[tokio::test]
async fn a_refusal_has_its_reason() {
    let (url, _) = server(answer("403 Forbidden", r#"{"reason":"unknown ticket"}"#));
    let refused = Plugin::new(settings(&url)).user_of(TOKEN).await;
    assert_eq!(refused, Err(PluginError::Refused("unknown ticket".to_owned())));
}

/// Whatever goes wrong, nobody gets in, and the log has neither the token nor what the plugin made of it.
#[tokio::test]
async fn nothing_else_is_an_answer() {
    let good = r#"{"user":"alice","maxValiditySeconds":3600}"#;
    let huge = format!(r#"{{"user":"alice","maxValiditySeconds":3600,"claims":{{"x":"{}"}}}}"#, "x".repeat(70_000));
    let to_metadata = "HTTP/1.1 307 T\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    for (what, answer) in [
        ("a redirect", to_metadata.to_owned()),
        ("another success", answer("201 Created", good)),
        ("a failure with a user", answer("500 Internal Server Error", good)),
        ("401", answer("401 Unauthorized", r#"{"reason":"x"}"#)),
        ("a refusal without a reason", answer("403 Forbidden", good)),
        ("a user in a refusal", answer("200 OK", r#"{"reason":"x"}"#)),
        ("a huge answer", answer("200 OK", &huge)),
        ("a huge answer of unknown length", format!("HTTP/1.1 200 OK\r\n\r\n{huge}")),
        ("an echo", answer("200 OK", TOKEN)),
        ("bytes", answer("200 OK", "\u{fffd}")),
        ("a broken answer", "HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{".to_owned()),
        ("no HTTP", "nonsense\r\n\r\n".to_owned()),
        ("nothing", String::new()),
    ] {
        let (url, heads) = server(answer);
        let asked = Plugin::new(settings(&url)).user_of(TOKEN).await;
        let Err(PluginError::Unavailable(why)) = asked else { panic!("{what}: {asked:?}") };
        assert!(!why.contains("secret") && why.contains(&url), "{what}: {why}");
        assert_eq!(heads.lock().unwrap().len(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_plugin_that_is_not_there_or_must_not_be_reached() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (url, heads) = server(answer("200 OK", r#"{"user":"alice","maxValiditySeconds":3600}"#));
    let public = PluginSettings { allows_private_addresses: false, ..settings(&url) };
    let without_token =
        PluginSettings { auth_token: None, auth_token_file: Some("/none".to_owned()), ..settings(&url) };
    for (settings, part) in [
        (settings(&format!("http://{closed}/")), "cannot be reached"),
        (settings("http://169.254.169.254/latest/meta-data"), "not a public address"),
        (public, "not a public address"),
        (without_token, "/none"),
    ] {
        let asked = Plugin::new(settings).user_of(TOKEN).await;
        let Err(PluginError::Unavailable(why)) = asked else { panic!("{part}: {asked:?}") };
        assert!(why.contains(part) && !why.contains("secret"), "{why}");
    }
    assert!(heads.lock().unwrap().is_empty());
}

/// One that never answers is given up, and so are those who wait behind too many others.
#[tokio::test(start_paused = true)]
async fn a_slow_plugin_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let plugin = Arc::new(Plugin::new(settings(&url)));
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let plugin = Arc::clone(&plugin);
        asked.spawn(async move { plugin.user_of(TOKEN).await });
    }
    let all = tokio::time::timeout(Duration::from_secs(11), asked.join_all()).await.unwrap();
    assert!(all.iter().all(|answer| matches!(answer, Err(PluginError::Unavailable(_)))));
}
