//! Requests that must be refused, each with S3's error code. Those that other gateways accept name the gateway.

use http::request::Parts;
use jiff::SignedDuration;
use sigv4::{AuthForm, PayloadHash, SigningIdentity};

use crate::tools::{AWS_AKID, AWS_SECRET, World, aws_time, claim, code, head, try_head};

fn who<'a>(akid: &'a ids::AccessKeyId, secret: &'a ids::SecretAccessKey, service: &'a str) -> SigningIdentity<'a> {
    SigningIdentity { access_key_id: akid, secret, session_token: None, time: aws_time(), region: "us-east-1", service }
}

fn signed(method: &str, target: &str, headers: &[(&str, &str)], payload: PayloadHash, service: &str) -> Parts {
    let (akid, secret) = (AWS_AKID.parse().unwrap(), ids::SecretAccessKey::new(AWS_SECRET));
    let mut head = head(method, target, headers);
    sigv4::sign_header(&mut head, payload, &who(&akid, &secret, service)).unwrap();
    head
}

fn presigned(method: &str, target: &str, headers: &[(&str, &str)], expires_s: u32) -> Parts {
    let (akid, secret) = (AWS_AKID.parse().unwrap(), ids::SecretAccessKey::new(AWS_SECRET));
    let mut head = head(method, target, headers);
    sigv4::presign(&mut head, PayloadHash::Absent, expires_s, &who(&akid, &secret, "s3")).unwrap();
    head
}

const HOST: &[(&str, &str)] = &[("host", "a")];

fn get() -> Parts {
    signed("GET", "/b/k", HOST, PayloadHash::EMPTY, "s3")
}

/// The `Authorization` header of a valid request, with one text replaced.
fn authorization(from: &str, to: &str) -> Parts {
    let mut head = get();
    let text = head.headers["authorization"].to_str().unwrap().to_owned();
    assert!(text.contains(from), "{text}");
    head.headers.insert("authorization", text.replace(from, to).parse().unwrap());
    head
}

/// The query of a valid presigned request, with one text replaced.
fn query(from: &str, to: &str) -> Parts {
    let mut head = presigned("GET", "/b/k", HOST, 3600);
    let text = head.uri.to_string();
    assert!(text.contains(from), "{text}");
    head.uri = text.replace(from, to).parse().unwrap();
    head
}

fn with(mut head: Parts, name: &'static str, value: &str) -> Parts {
    head.headers.append(name, value.parse().unwrap());
    head
}

#[test]
fn malformed_and_foreign_headers() {
    for (what, head, want) in [
        ("good", get(), "OK"),
        ("another algorithm", authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"), "InvalidArgument"),
        ("a longer algorithm", authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256X"), "InvalidArgument"),
        ("another terminator", authorization("aws4_request", "aws5_request"), "AuthorizationHeaderMalformed"),
        ("weed: region mars", authorization("us-east-1", "mars"), "AuthorizationHeaderMalformed"),
        ("weed: service foo", authorization("/s3/", "/foo/"), "AuthorizationHeaderMalformed"),
        ("the scope of another day", authorization("20130524", "20130525"), "AuthorizationHeaderMalformed"),
        ("a scope with a slash too many", authorization("/s3/", "/s3/s3/"), "AuthorizationHeaderMalformed"),
        ("an empty access key", authorization(AWS_AKID, ""), "AuthorizationHeaderMalformed"),
        ("host is not signed", authorization("host;", ""), "AuthorizationHeaderMalformed"),
        ("host is signed twice", authorization("host;", "host;host;"), "AuthorizationHeaderMalformed"),
        ("upper case in SignedHeaders", authorization("host;", "Host;"), "AuthorizationHeaderMalformed"),
        ("a signed header that is missing", authorization("host;", "host;range;"), "SignatureDoesNotMatch"),
        ("no signature", authorization("Signature=", "Sig="), "AuthorizationHeaderMalformed"),
        ("an empty signature", authorization("Signature=", "Signature= ,X="), "AuthorizationHeaderMalformed"),
        ("a field twice", authorization("Signature=", "Signature=00, Signature="), "AuthorizationHeaderMalformed"),
        ("an unknown field", authorization("Credential=", "X=1, Credential="), "AuthorizationHeaderMalformed"),
        ("two Authorization headers", with(get(), "authorization", "AWS a:b"), "InvalidArgument"),
        ("two dates", with(get(), "x-amz-date", "20130524T000000Z"), "AuthorizationHeaderMalformed"),
        ("two hosts", with(get(), "host", "b"), "SignatureDoesNotMatch"),
        (
            "header and query at once",
            with(presigned("GET", "/b/k", HOST, 60), "authorization", "AWS a:b"),
            "InvalidArgument",
        ),
        ("header and half a query", header_and("/b/k?X-Amz-Credential=x"), "InvalidArgument"),
        ("header and a V2 query", header_and("/b/k?AWSAccessKeyId=x"), "InvalidArgument"),
    ] {
        assert_eq!(code(World::aws().verify(&head)), want, "{what}");
    }
}

fn header_and(target: &str) -> Parts {
    let mut head = get();
    head.uri = target.parse().unwrap();
    head
}

#[test]
fn unsigned_values_are_not_trusted() {
    for (what, head, want) in [
        (
            "s3s: unsigned copy source on a presigned PUT",
            with(presigned("PUT", "/b/k", HOST, 60), "x-amz-copy-source", "/s/k"),
            "AccessDenied",
        ),
        (
            "s3s: unsigned token on a presigned URL",
            with(presigned("GET", "/b/k", HOST, 60), "x-amz-security-token", "t"),
            "AccessDenied",
        ),
        ("unsigned token", with(get(), "x-amz-security-token", "t"), "AccessDenied"),
        ("unsigned ACL", with(get(), "x-amz-acl", "public-read"), "AccessDenied"),
        ("unsigned metadata", with(get(), "x-amz-meta-a", "b"), "AccessDenied"),
        ("the payload hash is replaced", replaced("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), "SignatureDoesNotMatch"),
        ("the payload hash is removed", removed("x-amz-content-sha256"), "SignatureDoesNotMatch"),
        (
            "the payload becomes a stream",
            replaced("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            "SignatureDoesNotMatch",
        ),
        (
            "an unsigned stream on a presigned URL",
            with(presigned("PUT", "/b/k", HOST, 60), "x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            "SignatureDoesNotMatch",
        ),
        ("a text that is not a payload hash", replaced("x-amz-content-sha256", "whatever"), "InvalidArgument"),
        ("a payload hash of 31 bytes", replaced("x-amz-content-sha256", &"00".repeat(31)), "InvalidArgument"),
        ("two payload hashes", with(get(), "x-amz-content-sha256", "UNSIGNED-PAYLOAD"), "InvalidArgument"),
        ("an unsigned header without meaning", with(get(), "x-other", "1"), "OK"),
    ] {
        assert_eq!(code(World::aws().verify(&head)), want, "{what}");
    }
}

fn replaced(name: &'static str, value: &str) -> Parts {
    let mut head = get();
    head.headers.insert(name, value.parse().unwrap());
    head
}

fn removed(name: &'static str) -> Parts {
    let mut head = get();
    head.headers.remove(name);
    let names = head.headers["authorization"].to_str().unwrap().replace(&format!("{name};"), "");
    head.headers.insert("authorization", names.parse().unwrap());
    head
}

/// In MinIO and SeaweedFS, some body modes skipped the signature. Here no mode does, in any form.
#[test]
fn every_mode_of_the_body_needs_the_right_signature() {
    let modes = [
        PayloadHash::Absent,
        PayloadHash::Unsigned,
        PayloadHash::EMPTY,
        PayloadHash::StreamingSigned,
        PayloadHash::StreamingSignedTrailer,
        PayloadHash::StreamingUnsignedTrailer,
    ];
    let text = |mode| match mode {
        PayloadHash::Unsigned => "UNSIGNED-PAYLOAD".to_owned(),
        PayloadHash::StreamingSigned => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned(),
        PayloadHash::StreamingSignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER".to_owned(),
        PayloadHash::StreamingUnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned(),
        _ => hex::encode(sigv4::EMPTY_SHA256),
    };
    let (akid, secret) = (AWS_AKID.parse().unwrap(), ids::SecretAccessKey::new(AWS_SECRET));
    for mode in modes {
        for method in ["PUT", "POST", "DELETE", "GET"] {
            let mut query = head(method, "/b/k", HOST);
            if mode != PayloadHash::Absent {
                query.headers.insert("x-amz-content-sha256", text(mode).parse().unwrap());
            }
            sigv4::presign(&mut query, mode, 60, &who(&akid, &secret, "s3")).unwrap();
            for good in [signed(method, "/b/k", HOST, mode, "s3"), query] {
                let verified = World::aws().verify(&good).unwrap();
                let chained = matches!(mode, PayloadHash::StreamingSigned | PayloadHash::StreamingSignedTrailer);
                assert_eq!(verified.seed.is_some(), chained, "{mode:?}");
                let wrong_key = World::new(aws_time(), "another secret");
                assert_eq!(code(wrong_key.verify(&good)), "SignatureDoesNotMatch", "{mode:?} {method}");
                assert_eq!(
                    code(World::aws().verify(&with_zero_signature(good))),
                    "SignatureDoesNotMatch",
                    "{mode:?} {method}"
                );
            }
        }
    }
}

fn with_zero_signature(mut head: Parts) -> Parts {
    let zero = "0".repeat(64);
    if let Some(text) = head.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()) {
        let start = text.rfind("Signature=").unwrap();
        head.headers.insert("authorization", format!("{}Signature={zero}", &text[..start]).parse().unwrap());
    } else {
        let text = head.uri.to_string();
        let start = text.rfind("X-Amz-Signature=").unwrap();
        head.uri = format!("{}X-Amz-Signature={zero}", &text[..start]).parse().unwrap();
    }
    head
}

#[test]
fn malformed_presigned_urls() {
    let malformed = "AuthorizationQueryParametersError";
    for (what, head, want) in [
        ("good", query("&", "&"), "OK"),
        ("no algorithm", query("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""), malformed),
        ("another algorithm", query("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), malformed),
        ("no date", query("X-Amz-Date=20130524T000000Z&", ""), malformed),
        ("no end", query("X-Amz-Expires=3600&", ""), malformed),
        ("an end beyond seven days", query("=3600", "=604801"), malformed),
        ("a negative end", query("=3600", "=-1"), malformed),
        ("an end with a sign", query("=3600", "=%2B3600"), malformed),
        ("an end out of range", query("=3600", "=99999999999999999999"), malformed),
        ("a later end than signed", query("=3600", "=3601"), "SignatureDoesNotMatch"),
        ("no signed headers", query("X-Amz-SignedHeaders=host&", ""), malformed),
        ("host is not signed", query("SignedHeaders=host", "SignedHeaders=range"), malformed),
        ("no credential", query("X-Amz-Credential=", "Y="), malformed),
        ("region mars", query("us-east-1", "mars"), malformed),
        ("a line in the scope", query("us-east-1", "us-east-1%0As3"), malformed),
        ("no signature", query("X-Amz-Signature=", "Y="), malformed),
        ("two signatures", query("X-Amz-Signature=", "X-Amz-Signature=00&X-Amz-Signature="), malformed),
        ("two ends", query("X-Amz-Expires=3600", "X-Amz-Expires=3600&X-Amz-Expires=60"), malformed),
        ("V2 as well", query("X-Amz-Expires=", "AWSAccessKeyId=x&X-Amz-Expires="), "InvalidArgument"),
        ("another parameter", query("X-Amz-Expires=", "versionId=1&X-Amz-Expires="), "SignatureDoesNotMatch"),
    ] {
        assert_eq!(code(World::aws().verify(&head)), want, "{what}");
    }
}

#[test]
fn requests_are_valid_only_for_a_time() {
    let minutes = |minutes| SignedDuration::from_mins(minutes);
    for (what, head, later, want) in [
        ("at once", get(), minutes(0), "OK"),
        ("15 minutes later", get(), minutes(15), "OK"),
        ("16 minutes later", get(), minutes(16), "RequestTimeTooSkewed"),
        ("15 minutes earlier", get(), minutes(-15), "OK"),
        ("16 minutes earlier", get(), minutes(-16), "RequestTimeTooSkewed"),
        ("a presigned URL at its end", presigned("GET", "/b", HOST, 3600), minutes(60), "OK"),
        ("a presigned URL after its end", presigned("GET", "/b", HOST, 3600), minutes(61), "AccessDenied"),
        ("a presigned URL after seven days", presigned("GET", "/b", HOST, 604_800), minutes(7 * 24 * 60), "OK"),
        ("a presigned URL before its start", presigned("GET", "/b", HOST, 3600), minutes(-16), "AccessDenied"),
        ("a presigned URL valid for 0 seconds", presigned("GET", "/b", HOST, 0), minutes(1), "AccessDenied"),
    ] {
        let world = World { now: aws_time() + later, ..World::aws() };
        assert_eq!(code(world.verify(&head)), want, "{what}");
    }
    let mut dateless = get();
    dateless.headers.remove("x-amz-date");
    assert_eq!(code(World::aws().verify(&dateless)), "AccessDenied");
    dateless.headers.insert("date", "yesterday".parse().unwrap());
    assert_eq!(code(World::aws().verify(&dateless)), "AccessDenied");
}

#[test]
fn signatures_for_iam_and_sts_always_cover_the_body() {
    let form = PayloadHash::Sha256([7; 32]);
    for (what, head, services, body, want) in [
        ("the signed body", signed("POST", "/", HOST, form, "iam"), &["iam"][..], Some([7; 32]), "OK"),
        ("another body", signed("POST", "/", HOST, form, "iam"), &["iam"], Some([8; 32]), "XAmzContentSHA256Mismatch"),
        (
            "an unsigned body",
            signed("POST", "/", HOST, PayloadHash::Unsigned, "iam"),
            &["iam"],
            Some([7; 32]),
            "InvalidArgument",
        ),
        (
            "a streamed body",
            signed("POST", "/", HOST, PayloadHash::StreamingUnsignedTrailer, "sts"),
            &["sts"],
            None,
            "InvalidArgument",
        ),
        (
            "a body without a hash header",
            signed("POST", "/", HOST, PayloadHash::Absent, "sts"),
            &["sts"],
            Some(sigv4::EMPTY_SHA256),
            "OK",
        ),
        (
            "another body without a hash header",
            signed("POST", "/", HOST, PayloadHash::Absent, "sts"),
            &["sts"],
            Some([7; 32]),
            "SignatureDoesNotMatch",
        ),
        (
            "a request for S3",
            signed("POST", "/", HOST, PayloadHash::Unsigned, "s3"),
            &["iam", "sts"],
            Some([7; 32]),
            "AuthorizationHeaderMalformed",
        ),
    ] {
        let world = World { services, body_sha256: body, ..World::aws() };
        assert_eq!(code(world.verify(&head)), want, "{what}");
    }
}

#[test]
fn an_s3_request_without_a_hash_has_no_body() {
    let verified = World::aws().verify(&signed("PUT", "/b/k", HOST, PayloadHash::Absent, "s3"));
    assert_eq!(verified.unwrap().payload, PayloadHash::EMPTY);
}

#[test]
fn paths_are_signed_as_sent_or_in_canonical_form() {
    for (signed_path, sent, good) in [
        ("/b/a%2Fb", "/b/a%2Fb", true),
        ("/b/a/b", "/b/a%2Fb", true),
        ("/b/a%2Fb", "/b/a/b", false),
        ("/b/a%20b", "/b/a%20b", true),
        ("/b/a+b", "/b/a+b", true),
        ("/b/a%2Bb", "/b/a+b", true),
        ("/b/a%20b", "/b/a+b", false),
        ("/b/%7Ex", "/b/~x", false),
        ("/b/~x", "/b/%7ex", true),
        ("/b/../s/k", "/b/../s/k", true),
        ("/s/k", "/b/../s/k", false),
        ("/b//k", "/b/k", false),
        ("/b/%2e%2e/k", "/k", false),
        ("/b/a%2525", "/b/a%25", false),
    ] {
        let mut head = signed("GET", signed_path, HOST, PayloadHash::EMPTY, "s3");
        head.uri = sent.parse().unwrap();
        assert_eq!(World::aws().verify(&head).is_ok(), good, "signed {signed_path}, sent {sent}");
    }
}

#[test]
fn only_requests_without_credentials_are_anonymous() {
    let multipart = ("content-type", "multipart/form-data; boundary=x");
    for (head, want) in [
        (head("GET", "/b/k", HOST), "Anonymous"),
        (head("GET", "/b/k?Expires=1&X-Amz-Expires=2", HOST), "Anonymous"),
        (head("POST", "/b", &[multipart]), "PostForm"),
        (head("PUT", "/b/k", &[multipart]), "Anonymous"),
        (head("GET", "/", &[("authorization", "Bearer x")]), "Bearer"),
        (head("GET", "/", &[("authorization", "")]), "InvalidArgument"),
        (head("GET", "/", &[("authorization", "Basic eDp5")]), "InvalidArgument"),
        (head("GET", "/", &[("authorization", "aws4-hmac-sha256 x")]), "InvalidArgument"),
        (head("GET", "/", &[("authorization", "AWS4-HMAC-SHA256")]), "AuthorizationHeaderMalformed"),
        (head("GET", "/", &[("authorization", "AWS x")]), "AuthorizationHeaderMalformed"),
        (head("GET", "/?X-Amz-Signature=00", HOST), "AuthorizationQueryParametersError"),
        (head("GET", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256", HOST), "AuthorizationQueryParametersError"),
        (head("GET", "/?X%2DAmz%2DSignature=00", HOST), "AuthorizationQueryParametersError"),
        (head("GET", "/?Signature=x", HOST), "AuthorizationQueryParametersError"),
        (head("GET", "/?AWSAccessKeyId=x&Signature=x", HOST), "AuthorizationQueryParametersError"),
    ] {
        let found = match sigv4::auth_form(&head) {
            Ok(AuthForm::Anonymous) => "Anonymous",
            Ok(AuthForm::PostForm) => "PostForm",
            Ok(AuthForm::Bearer(_)) => "Bearer",
            Ok(_) => "a signature",
            Err(error) => error.code(),
        };
        assert_eq!(found, want, "{} {}", head.method, head.uri);
    }
}

/// Arbitrary sequences of small pieces never panic and never verify.
#[test]
fn arbitrary_heads_are_refused_without_a_panic() {
    let pieces = [
        "",
        "AWS4-HMAC-SHA256 ",
        "Credential=",
        "A/20130524/us-east-1/s3/aws4_request",
        ",",
        "SignedHeaders=host",
        ";",
        "=",
        "/",
        "Signature=",
        "\u{e9}",
        "%",
        "&",
        "X-Amz-Signature=",
        "X-Amz-Expires=",
        "9",
    ];
    let mut seed = 1u64;
    let mut next = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % bound
    };
    for _ in 0..20_000 {
        let mut text = |count: usize| (0..next(count)).map(|_| pieces[next(pieces.len())]).collect::<String>();
        let (authorization, target, date) = (text(12), format!("/b?{}", text(12)), text(3));
        let Ok(head) =
            try_head("GET", &target, &[("host", "a"), ("authorization", &authorization), ("x-amz-date", &date)])
        else {
            continue;
        };
        assert!(World::aws().verify(&head).is_err(), "{authorization} {target}");
        let _ = claim(&head);
    }
}
