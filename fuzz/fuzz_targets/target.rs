//! A signed request, and what an attacker without the secret makes of it: other hosts, paths, prefixes and additional
//! headers.
//!
//! If the signature still passes, the same operation runs on the same bucket and key as the signer asked for, needs the same
//! permissions, and the policies see the same condition keys.
#![no_main]

use access::Addressing;
use http::HeaderValue;
use http::request::Parts;
use ids::SecretAccessKey;
use jiff::Timestamp;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use policy::Context;
use s3::{HostRules, Needs, Routing};
use sigv4::{AuthForm, Expectations, PayloadHash, SigningIdentity, SigningKeyCache};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const METHODS: &[&str] = &["GET", "PUT", "DELETE", "HEAD", "POST"];
const HOSTS: &[&str] = &["mine.s3.test", "victim.s3.test", "s3.test", "s3.test:9000", "gw.test", "VICTIM.s3.test.:80"];
const PATHS: &[&str] = &["/k", "/victim/k", "/mine/k", "/app/k", "/app/victim/k", "/app/mine/k", "/victim", "/", "/a%2Fb/%C3%BC"];
const PREFIXES: &[&str] = &["/app", "app/", "/", "/app/mine", "/%C3%BC", "/app, /x"];
const URLS: &[&str] = &["http://s3.test", "https://gw.test/x", "http://victim.s3.test", "http://mine.s3.test:9000"];
const QUERIES: &[&str] = &[
    "", "tagging", "versionId=v1", "prefix=a&delimiter=/", "acl", "uploads", "uploadId=u&partNumber=1", "list-type=2&prefix=b",
    "x-amz-tagging=a%3Db", "x-amz-acl=private", "policy", "retention",
];
const NAMES: &[&str] = &[
    "x-amz-tagging", "x-amz-tagging-directive", "x-amz-copy-source", "x-amz-metadata-directive", "x-amz-acl", "x-amz-grant-read",
    "x-amz-storage-class", "x-amz-meta-a", "x-amz-object-lock-mode", "x-amz-content-sha256", "x-amz-bypass-governance-retention",
    "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-real-ip", "forwarded", "content-type", "x-amz-security-token",
];
const VALUES: &[&str] = &[
    "a=b", "A=b&a=c", "team=blue", "COPY", "REPLACE", "/victim/k", "victim/k?versionId=v2", "%2Fmine%2Fk", "private", "id=\"x\"", "UNSIGNED-PAYLOAD",
    "GOVERNANCE", "true", "9000", "https", "10.0.0.1", "host=victim.s3.test;proto=https",
];

/// The pieces of a request that are sent in addition to its signature.
struct Pieces<'a> {
    path: &'a str,
    authority: Option<&'a str>,
    host: Option<&'a str>,
    forwarded: Vec<(&'a str, &'a str)>,
}

fuzz_target!(|data: &[u8]| {
    let _ = attempt(&mut Unstructured::new(data));
});

fn attempt(input: &mut Unstructured<'_>) -> Result<()> {
    let Some(mut signed) = unsigned_head(input)? else { return Ok(()) };
    let addressed = signed.uri.path().to_owned();
    if !sign(&mut signed, input.arbitrary()?) {
        return Ok(());
    }
    let trusted: bool = input.arbitrary()?;
    let external = input.arbitrary::<bool>()?.then(|| input.choose(URLS).copied()).transpose()?;
    let pieces = pieces(input, &addressed)?;
    let prefix = pieces.forwarded.iter().find(|(name, _)| *name == "x-forwarded-prefix").map(|(_, value)| *value);
    let Some(sent) = sent(&signed, &pieces) else { return Ok(()) };
    let proxies = if trusted { vec!["10.0.0.0/8".parse().expect("a network")] } else { Vec::new() };
    let addressing = Addressing::new(HostRules::new(["s3.test"]), external, proxies);
    let Some(done) = carried_out(&sent, &addressing) else { return Ok(()) };
    let asked = asked_for(&signed, prefix.filter(|_| trusted));
    assert_eq!(Some(done), asked, "{sent:?} was signed as {signed:?}");
    Ok(())
}

fn unsigned_head(input: &mut Unstructured<'_>) -> Result<Option<Parts>> {
    let (path, query) = (input.choose(PATHS)?, input.choose(QUERIES)?);
    let target = if query.is_empty() { (*path).to_owned() } else { format!("{path}?{query}") };
    let mut builder = http::Request::builder().method(*input.choose(METHODS)?).uri(target);
    builder = builder.header("host", *input.choose(HOSTS)?);
    for _ in 0..input.int_in_range(0..=4)? {
        builder = builder.header(*input.choose(NAMES)?, text(input)?);
    }
    Ok(builder.body(()).ok().map(|request| request.into_parts().0))
}

/// A meaningful value, or any text.
fn text(input: &mut Unstructured<'_>) -> Result<HeaderValue> {
    if input.arbitrary()? {
        return Ok(HeaderValue::from_static(input.choose(VALUES)?));
    }
    let length = input.int_in_range(0..=24)?;
    let bytes = input.bytes(length)?;
    Ok(HeaderValue::from_bytes(bytes).unwrap_or(HeaderValue::from_static("")))
}

fn sign(head: &mut Parts, presigned: bool) -> bool {
    let (akid, secret) = ("AKIAIOSFODNN7EXAMPLE".parse().expect("a key id"), SecretAccessKey::new(SECRET));
    let who = SigningIdentity {
        access_key_id: &akid,
        secret: &secret,
        session_token: None,
        time: Timestamp::UNIX_EPOCH,
        region: "us-east-1",
        service: "s3",
    };
    if presigned {
        sigv4::presign(head, PayloadHash::Unsigned, 600, &who).is_ok()
    } else {
        sigv4::sign_header(head, PayloadHash::EMPTY, &who).is_ok()
    }
}

fn pieces<'a>(input: &mut Unstructured<'_>, addressed: &'a str) -> Result<Pieces<'a>> {
    let path = if input.arbitrary()? { addressed } else { input.choose(PATHS)? };
    let mut host = || Ok(if input.arbitrary()? { Some(*input.choose(HOSTS)?) } else { None });
    let (authority, sent_host, forwarded_host) = (host()?, host()?, host()?);
    let mut forwarded: Vec<(&str, &str)> = forwarded_host.map(|host| ("x-forwarded-host", host)).into_iter().collect();
    if input.arbitrary()? {
        forwarded.push(("x-forwarded-prefix", input.choose(PREFIXES)?));
    }
    for _ in 0..input.int_in_range(0..=2)? {
        forwarded.push((input.choose(NAMES)?, input.choose(VALUES)?));
    }
    Ok(Pieces { path, authority, host: sent_host, forwarded })
}

/// The signed head with the attacker's pieces added.
fn sent(signed: &Parts, pieces: &Pieces<'_>) -> Option<Parts> {
    let mut sent = signed.clone();
    let query = signed.uri.query().map_or(String::new(), |query| format!("?{query}"));
    let authority = pieces.authority.map_or(String::new(), |authority| format!("http://{authority}"));
    sent.uri = format!("{authority}{}{query}", pieces.path).parse().ok()?;
    if let Some(host) = pieces.host {
        sent.headers.insert("host", HeaderValue::from_str(host).ok()?);
    }
    for (name, value) in &pieces.forwarded {
        sent.headers.append(http::HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?);
    }
    Some(sent)
}

/// Operation, permissions and condition keys, if the signature passes.
fn carried_out(sent: &Parts, addressing: &Addressing) -> Option<String> {
    let target = addressing.target(sent, "10.0.0.1:5".parse().ok()?, None).ok()?;
    let (AuthForm::HeaderV4(claim) | AuthForm::PresignedV4(claim)) = sigv4::auth_form(sent).ok()? else { return None };
    let expect = Expectations {
        region: "us-east-1",
        services: &["s3"],
        now: Timestamp::UNIX_EPOCH,
        skew_s: 900,
        target: &target.signed,
        body_sha256: None,
    };
    sigv4::verify(sent, &claim, &SecretAccessKey::new(SECRET), &expect, &SigningKeyCache::new(1)).ok()?;
    described(sent, target.host_bucket())
}

/// The same for the head as it was signed, read in the simplest way: host and path name bucket and key, and a trusted
/// proxy has removed its prefix from the path.
fn asked_for(signed: &Parts, prefix: Option<&str>) -> Option<String> {
    let mut plain = signed.clone();
    let prefix = prefix.map_or("", |prefix| prefix.split(',').next().unwrap_or("").trim().trim_matches('/'));
    if !prefix.is_empty() {
        let target = plain.uri.to_string();
        plain.uri = target.strip_prefix(&format!("/{prefix}"))?.parse().ok()?;
    }
    let host = signed.headers.get("host")?.to_str().ok()?;
    described(&plain, HostRules::new(["s3.test"]).bucket_of(host).as_deref())
}

fn described(head: &Parts, host_bucket: Option<&str>) -> Option<String> {
    let Routing::S3(operation) = s3::route(head, host_bucket).ok()? else { return None };
    let mut context = Context::new();
    s3::set_condition_keys(&operation, head, Some(0), &mut context).ok()?;
    let needs = operation.permissions();
    Some(format!("{} {:?} {:?} {needs:?} {context:?}", operation.name(), operation.bucket(), operation.key()))
}
