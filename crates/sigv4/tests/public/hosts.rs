use sigv4::{PayloadHash, SigningIdentity, host_candidates, path_prefixes};

use crate::tools::{AWS_AKID, AWS_SECRET, World, aws_time, head};

#[test]
fn candidates_are_those_of_the_headers() {
    let (host, xfh, port, proto) = ("host", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto");
    for (headers, external, tls, want) in [
        (vec![(host, "a:8333")], None, false, vec!["a:8333"]),
        (vec![(host, "a:80")], None, false, vec!["a:80", "a"]),
        (vec![(host, "a:443")], None, true, vec!["a:443", "a"]),
        (vec![(host, "a"), (port, "9000")], None, false, vec!["a", "a:9000"]),
        (vec![(host, "a:8333"), (xfh, "b")], None, false, vec!["a:8333", "b"]),
        (vec![(host, "a:8333"), (xfh, "A")], None, false, vec!["a:8333", "A:8333", "A"]),
        (vec![(host, "a:1"), (xfh, "b:2, c:3")], None, false, vec!["a:1", "b:2"]),
        (vec![(host, "a"), (xfh, "b"), (port, "443, 80"), (proto, "https")], None, false, vec!["a", "b"]),
        (vec![(host, "a"), (xfh, "b"), (port, "8443"), (proto, "https")], None, false, vec!["a", "b:8443", "b"]),
        (vec![(host, "[::1]:8333")], None, false, vec!["[::1]:8333"]),
        (vec![(host, "[::1]")], None, false, vec!["[::1]", "::1"]),
        (vec![(host, "a"), (xfh, "b")], Some("https://s3.example.com:443/x"), false, vec!["s3.example.com"]),
        (vec![(host, "a")], Some("http://s3.example.com:8080"), false, vec!["s3.example.com:8080"]),
        (vec![(host, "a")], Some(""), false, vec!["a"]),
    ] {
        let found = host_candidates(&head("GET", "/", &headers), external, tls);
        assert_eq!(found, want, "{headers:?} {external:?}");
    }
    assert_eq!(host_candidates(&head("GET", "http://h2.example:1/", &[]), None, false), ["h2.example:1"]);
}

#[test]
fn a_prefix_that_a_proxy_took_off_is_tried_too() {
    let (akid, secret) = (AWS_AKID.parse().unwrap(), ids::SecretAccessKey::new(AWS_SECRET));
    let who = SigningIdentity {
        access_key_id: &akid,
        secret: &secret,
        session_token: None,
        time: aws_time(),
        region: "us-east-1",
        service: "s3",
    };
    let mut signed = head("GET", "/storage/b/k%20x", &[("host", "a")]);
    sigv4::sign_header(&mut signed, PayloadHash::EMPTY, &who).unwrap();
    for (prefix, good) in
        [("/storage", true), ("storage/", true), ("/storage, /other", true), ("/x", false), ("", false)]
    {
        let mut received = signed.clone();
        received.uri = "/b/k%20x".parse().unwrap();
        received.headers.insert("x-forwarded-prefix", prefix.parse().unwrap());
        let mut world = World::aws();
        world.prefixes = path_prefixes(&received);
        assert_eq!(world.verify(&received).is_ok(), good, "{prefix}");
    }
}
