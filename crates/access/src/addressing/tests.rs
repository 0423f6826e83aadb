use std::cell::Cell;

use http::Method;
use ids::SecretAccessKey;
use jiff::Timestamp;
use proptest::option::of;
use proptest::prelude::{Strategy, any};
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use sigv4::{AuthForm, Expectations, PayloadHash, SigningIdentity, SigningKeyCache};

use super::*;

const PROXY: &str = "10.0.0.1:5";
const STRANGER: &str = "203.0.113.9:5";

fn head(target: &str, headers: &[(&str, &str)]) -> Parts {
    let builder = http::Request::builder().method(Method::GET).uri(target);
    let request = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

fn addressing(external_url: Option<&str>) -> Addressing {
    let domains = HostRules::new(["s3.test"]);
    Addressing::new(domains, external_url, vec!["10.0.0.0/8".parse().unwrap()])
}

/// `hosts path bucket`, or the error's status.
fn outcome(external_url: Option<&str>, peer: &str, target: &str, headers: &[(&str, &str)], tls: bool) -> String {
    let head = head(target, headers);
    match addressing(external_url).target(&head, peer.parse().unwrap(), tls.then_some(TlsVersion::V1_3)) {
        Ok(RequestTarget { signed, .. }) => {
            format!("{} {} {}", signed.hosts.join("|"), signed.path, signed.bucket.as_deref().unwrap_or("-"))
        }
        Err(error) => error.status().as_str().to_owned(),
    }
}

#[test]
fn what_a_trusted_proxy_forwards_is_what_the_client_addressed() {
    let (host, xfh, port) = ("host", "x-forwarded-host", "x-forwarded-port");
    let (proto, prefix) = ("x-forwarded-proto", "x-forwarded-prefix");
    for (headers, tls, want) in [
        (vec![(host, "a:8333")], false, "a:8333 /b/k -"),
        (vec![(host, "a:80")], false, "a:80|a /b/k -"),
        (vec![(host, "a:443")], true, "a:443|a /b/k -"),
        (vec![(host, "a"), (port, "9000")], false, "a|a:9000 /b/k -"),
        (vec![(host, "a:8333"), (xfh, "b")], false, "b /b/k -"),
        (vec![(host, "a:8333"), (xfh, "A")], false, "A|A:8333 /b/k -"),
        (vec![(host, "a:1"), (xfh, "b:2, c:3")], false, "b:2 /b/k -"),
        (vec![(host, "a"), (xfh, "b"), (port, "443, 80"), (proto, "https")], false, "b /b/k -"),
        (vec![(host, "a"), (xfh, "b"), (port, "8443"), (proto, "https")], false, "b|b:8443 /b/k -"),
        (vec![(host, "a"), (xfh, "x.s3.test")], false, "x.s3.test /b/k x"),
        (vec![(host, "x.s3.test"), (xfh, "X.s3.test:80")], false, "X.s3.test:80|X.s3.test /b/k x"),
        (vec![(host, "x.s3.test"), (xfh, "y.s3.test")], false, "400"),
        (vec![(host, "x.s3.test"), (xfh, "s3.test")], false, "400"),
        (vec![(host, "[::1]:8333")], false, "[::1]:8333 /b/k -"),
        (vec![(host, "[::1]")], false, "[::1]|::1 /b/k -"),
        (vec![(host, "a"), (prefix, "/storage/")], false, "a /storage/b/k -"),
        (vec![(host, "a"), (prefix, "/storage, /other")], false, "a /storage/b/k -"),
        (vec![(host, "a"), (prefix, "/stör age")], false, "a /stör age/b/k -"),
    ] {
        assert_eq!(outcome(None, PROXY, "/b/k", &headers, tls), want, "{headers:?}");
    }
}

#[test]
fn forwarding_headers_of_strangers_change_nothing() {
    for (name, value) in [
        ("x-forwarded-host", "victim.s3.test"),
        ("x-forwarded-port", "9000"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/app/uploads"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-real-ip", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1;host=victim.s3.test;proto=https"),
    ] {
        for host in ["a:443", "mine.s3.test"] {
            let (plain, forwarded) = (head("/b/k", &[("host", host)]), head("/b/k", &[("host", host), (name, value)]));
            let of = |head| {
                let addressing = addressing(None);
                let RequestTarget { client, signed, .. } =
                    addressing.target(head, STRANGER.parse().unwrap(), None).unwrap();
                (client, signed.hosts.join("|"), signed.path.into_owned(), signed.bucket)
            };
            assert_eq!(of(&plain), of(&forwarded), "{name}");
        }
    }
}

#[test]
fn the_url_of_a_bucket_is_that_of_the_client() {
    const HOST: (&str, &str) = ("host", "a:8333");
    let bucket_host = ("host", "bkt.s3.test");
    for (external_url, peer, headers, want) in [
        (None, STRANGER, vec![HOST], "http://a:8333/bkt"),
        (None, STRANGER, vec![bucket_host], "http://bkt.s3.test"),
        (None, STRANGER, vec![], "/bkt"),
        (None, STRANGER, vec![HOST, ("x-forwarded-proto", "https"), ("x-forwarded-prefix", "/x")], "http://a:8333/bkt"),
        (
            None,
            PROXY,
            vec![HOST, ("x-forwarded-proto", "https"), ("x-forwarded-prefix", "/x/")],
            "https://a:8333/x/bkt",
        ),
        (None, PROXY, vec![HOST, ("x-forwarded-host", "b")], "http://b/bkt"),
        (Some("https://b:8443"), STRANGER, vec![HOST], "https://b:8443/bkt"),
        (Some("http://b"), STRANGER, vec![HOST], "http://b/bkt"),
    ] {
        let head = head("/bkt/k", &headers);
        let addressing = addressing(external_url);
        let target = addressing.target(&head, peer.parse().unwrap(), None).unwrap();
        assert_eq!(target.bucket_url("bkt"), want, "{headers:?}");
    }
}

#[test]
fn the_last_protocol_is_that_of_the_proxy() {
    for (values, want) in [
        (vec!["https"], true),
        (vec!["http"], false),
        (vec!["https, http"], false),
        (vec!["https", "http"], false),
        (vec!["http", "HTTPS "], true),
    ] {
        let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-proto", *value)).collect();
        let target = addressing(None).target(&head("/", &headers), PROXY.parse().unwrap(), None).map(|it| it.client);
        assert_eq!(target.unwrap().secure_transport, want, "{values:?}");
    }
}

#[test]
fn hosts_that_contradict_each_other_are_refused() {
    for (target, headers, want) in [
        ("http://mine.s3.test/k", vec![], "mine.s3.test /k mine"),
        ("http://mine.s3.test/k", vec![("host", "Mine.s3.test:80")], "Mine.s3.test:80|Mine.s3.test /k mine"),
        ("http://mine.s3.test/k", vec![("host", "victim.s3.test")], "400"),
        ("http://mine.s3.test/k", vec![("host", "s3.test")], "400"),
        ("http://a:8333/k", vec![("host", "a:8334")], "400"),
        ("http://user@mine.s3.test/k", vec![("host", "mine.s3.test")], "400"),
        ("/k", vec![("host", "mine.s3.test"), ("host", "mine.s3.test")], "400"),
        ("/k", vec![("host", "mïne.s3.test")], "400"),
        ("/k", vec![], " /k -"),
    ] {
        assert_eq!(outcome(None, STRANGER, target, &headers, false), want, "{target} {headers:?}");
    }
}

#[test]
fn an_external_url_names_the_host_and_never_another_bucket() {
    for (external, host, want) in [
        ("https://s3.test:443/x", "a", "s3.test /b/k -"),
        ("http://s3.test:8080", "a", "s3.test:8080 /b/k -"),
        ("http://s3.test:8080", "x.s3.test", "x.s3.test:8080 /b/k x"),
        ("http://x.s3.test", "a", "x.s3.test /b/k x"),
        ("http://x.s3.test", "y.s3.test", "y.s3.test /b/k y"),
        ("http://public.test", "x.s3.test", "x.s3.test /b/k x"),
        ("", "a", "a /b/k -"),
    ] {
        assert_eq!(outcome(Some(external), STRANGER, "/b/k", &[("host", host)], false), want, "{external} {host}");
    }
}

/// A request as it is signed and as it is sent, by someone who may change everything that the signature does not cover.
#[derive(Debug, Clone)]
struct Attempt {
    signed_host: &'static str,
    signed_path: &'static str,
    path: &'static str,
    authority: Option<&'static str>,
    host: Option<&'static str>,
    forwarded_host: Option<&'static str>,
    forwarded_prefix: Option<&'static str>,
    forwarded_port: Option<&'static str>,
    external_url: Option<&'static str>,
    trusted: bool,
}

const HOSTS: &[&str] = &["mine.s3.test", "victim.s3.test", "s3.test", "s3.test:9000", "gw.test", "mine.s3.test:9000"];
const PATHS: &[&str] =
    &["/k", "/victim/k", "/mine/k", "/app/k", "/app/victim/k", "/app/mine/k", "/victim", "/%C3%BC/k"];

fn attempts() -> impl Strategy<Value = Attempt> {
    let signed = (select(HOSTS), select(PATHS), any::<bool>());
    let sent = (select(PATHS), of(select(HOSTS)), of(select(HOSTS)));
    let forwarded = (of(select(HOSTS)), of(select(&["/app", "app/", "/"][..])), of(select(&["9000", "80"][..])));
    let external = of(select(&["http://s3.test", "http://gw.test/x", "http://victim.s3.test"][..]));
    (signed, sent, forwarded, external).prop_map(|(signed, sent, forwarded, external_url)| Attempt {
        signed_host: signed.0,
        signed_path: signed.1,
        trusted: signed.2,
        path: sent.0,
        authority: sent.1,
        host: sent.2,
        forwarded_host: forwarded.0,
        forwarded_prefix: forwarded.1,
        forwarded_port: forwarded.2,
        external_url,
    })
}

/// What the signer asked for: bucket and key, from the simplest reading of host and path.
fn asked_for(attempt: &Attempt) -> (String, String) {
    let prefix = attempt.forwarded_prefix.filter(|_| attempt.trusted).unwrap_or("/").trim_matches('/');
    let mounted = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
    let path = attempt.signed_path.strip_prefix(&mounted).unwrap_or(attempt.signed_path).replace("%C3%BC", "ü");
    let host = attempt.signed_host.split(':').next().unwrap();
    let path = match host.strip_suffix(".s3.test") {
        Some(bucket) => format!("/{bucket}{path}"),
        None => path,
    };
    let (bucket, key) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    (bucket.to_owned(), key.to_owned())
}

impl Attempt {
    fn signed(&self) -> Parts {
        let mut signed = head(self.signed_path, &[("host", self.signed_host)]);
        let secret = SecretAccessKey::new("secret");
        let who = SigningIdentity {
            access_key_id: &"AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            secret: &secret,
            session_token: None,
            time: Timestamp::UNIX_EPOCH,
            region: "us-east-1",
            service: "s3",
        };
        sigv4::sign_header(&mut signed, PayloadHash::EMPTY, &who).unwrap();
        signed
    }

    fn sent(&self) -> Parts {
        let mut sent = self.signed();
        let target =
            self.authority.map_or(self.path.to_owned(), |authority| format!("http://{authority}{}", self.path));
        sent.uri = target.parse().unwrap();
        for (name, value) in [
            ("host", self.host),
            ("x-forwarded-host", self.forwarded_host),
            ("x-forwarded-prefix", self.forwarded_prefix),
            ("x-forwarded-port", self.forwarded_port),
        ] {
            sent.headers.remove(name);
            if let Some(value) = value {
                sent.headers.insert(name, value.parse().unwrap());
            }
        }
        sent
    }

    /// The bucket and key of the operation that runs, if the signature passes.
    fn carried_out(&self) -> Option<(String, String)> {
        let sent = self.sent();
        let peer = if self.trusted { PROXY } else { STRANGER }.parse().unwrap();
        let addressing = addressing(self.external_url);
        let target = addressing.target(&sent, peer, None).ok()?;
        let AuthForm::HeaderV4(claim) = sigv4::auth_form(&sent).ok()? else { return None };
        let expect = Expectations {
            region: "",
            services: &["s3"],
            now: Timestamp::UNIX_EPOCH,
            skew_s: 900,
            target: &target.signed,
            body_sha256: None,
        };
        let keys = SigningKeyCache::new(1);
        sigv4::verify(&sent, &claim, &SecretAccessKey::new("secret"), &expect, &keys).ok()?;
        let s3::Routing::S3(operation) = s3::route(&sent, target.host_bucket()).ok()? else { return None };
        let bucket = operation.bucket().map(ToString::to_string).unwrap_or_default();
        Some((bucket, operation.key().map(ToString::to_string).unwrap_or_default()))
    }
}

#[test]
fn the_operation_that_runs_is_the_signed_one() {
    let verified = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 12_000, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&attempts(), |attempt| {
        if let Some(done) = attempt.carried_out() {
            verified.set(verified.get() + 1);
            proptest::prop_assert_eq!(done, asked_for(&attempt));
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(
        verified.get() > 100,
        "only {} of the requests were verified, which is too few for a meaningful test",
        verified.get()
    );
}

/// Websites are found by it: what signatures name behind an external URL is another host.
#[test]
fn the_host_is_the_one_that_the_client_addressed() {
    for (peer, headers, want) in [
        (STRANGER, vec![("host", "site.web.test")], "site.web.test"),
        (PROXY, vec![("host", "a"), ("x-forwarded-host", "site.web.test")], "site.web.test"),
        (STRANGER, vec![("host", "a"), ("x-forwarded-host", "site.web.test")], "a"),
        (STRANGER, vec![], ""),
    ] {
        let head = head("/k", &headers);
        for external_url in [None, Some("https://b:8443")] {
            let addressing = addressing(external_url);
            let target = addressing.target(&head, peer.parse().unwrap(), None).unwrap();
            assert_eq!(target.host(), want, "{peer} {headers:?} {external_url:?}");
        }
    }
}

#[test]
fn whether_the_client_addressed_https() {
    let forwarded = ("x-forwarded-proto", "https");
    for (external_url, peer, tls, headers, want) in [
        (None, STRANGER, false, vec![], false),
        (None, STRANGER, true, vec![], true),
        (None, STRANGER, false, vec![forwarded], false),
        (None, PROXY, false, vec![forwarded], true),
        (Some("https://b"), STRANGER, false, vec![], true),
        (Some("HTTPS://b"), STRANGER, false, vec![], true),
        (Some("http://b"), STRANGER, false, vec![], false),
        (Some("http://b"), STRANGER, true, vec![], true),
        (Some("b"), STRANGER, false, vec![], false),
    ] {
        let head = head("/k", &headers);
        let tls = tls.then_some(TlsVersion::V1_3);
        let addressing = addressing(external_url);
        let target = addressing.target(&head, peer.parse().unwrap(), tls).unwrap();
        assert_eq!(target.is_https(), want, "{external_url:?} {peer} {tls:?} {headers:?}");
    }
}
