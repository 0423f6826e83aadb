use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use ids::SecretAccessKey;
use jiff::{SignedDuration, Timestamp};
use sigv4::AuthForm;

use crate::tools::{AWS_AKID, AWS_SECRET, code, head, target};

fn check(head: &Parts, now: Timestamp, bucket: Option<&str>) -> String {
    let secret = SecretAccessKey::new(AWS_SECRET);
    match sigv4::auth_form(head) {
        Ok(AuthForm::HeaderV2(claim) | AuthForm::PresignedV2(claim)) => {
            code(sigv4::v2::verify(head, &claim, &secret, now, 900, &target(head, bucket)))
        }
        Ok(other) => format!("{other:?}"),
        Err(error) => error.code().to_owned(),
    }
}

/// The examples of "Signing and authenticating REST requests", of 27 March 2007.
#[test]
fn examples_of_the_guide() {
    let now: Timestamp = "2007-03-27T19:45:00Z".parse().unwrap();
    let date = |time| ("date", time);
    for (method, target, headers, signature) in [
        ("GET", "/photos/puppy.jpg", vec![date("Tue, 27 Mar 2007 19:36:42 +0000")], "bWq2s1WEIj+Ydj0vQ697zp+IXMU="),
        (
            "PUT",
            "/photos/puppy.jpg",
            vec![("content-type", "image/jpeg"), date("Tue, 27 Mar 2007 21:15:45 +0000")],
            "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
        ),
        (
            "GET",
            "/?prefix=photos&max-keys=50&marker=puppy",
            vec![date("Tue, 27 Mar 2007 19:42:41 +0000")],
            "htDYFYduRNen8P9ZfE/s9SuKy0U=",
        ),
        ("GET", "/?acl", vec![date("Tue, 27 Mar 2007 19:44:46 +0000")], "c2WLPFtWHVgbEmeEG93a4cG37dM="),
    ] {
        let authorization = format!("AWS {AWS_AKID}:{signature}");
        let mut headers = headers;
        headers.push(("authorization", &authorization));
        let head = head(method, target, &headers);
        let at: Timestamp = if method == "PUT" { "2007-03-27T21:15:45Z".parse().unwrap() } else { now };
        // The guide has renamed its bucket since; both names have been published.
        let found = ["awsexamplebucket1", "johnsmith"].map(|bucket| check(&head, at, Some(bucket)));
        assert!(found.contains(&"OK".to_owned()), "{method} {target}: {found:?}");
        assert_eq!(check(&head, at, Some("other")), "SignatureDoesNotMatch");
        let later = at + SignedDuration::from_hours(24 * 365);
        assert_eq!(
            check(&head, later, Some("johnsmith")),
            "RequestTimeTooSkewed",
            "accepted by SeaweedFS: replayed years later"
        );
    }
}

fn signed(string_to_sign: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, AWS_SECRET.as_bytes());
    STANDARD.encode(hmac::sign(&key, string_to_sign.as_bytes()))
}

#[test]
fn every_sub_resource_is_signed() {
    let now: Timestamp = "2007-03-27T19:36:42Z".parse().unwrap();
    let authorization = format!("AWS {AWS_AKID}:{}", signed("GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/b/k"));
    let headers = [("date", "Tue, 27 Mar 2007 19:36:42 +0000"), ("authorization", authorization.as_str())];
    assert_eq!(check(&head("GET", "/b/k", &headers), now, None), "OK");
    assert_eq!(check(&head("GET", "/b/k?max-keys=3", &headers), now, None), "OK");
    for name in [
        "acl",
        "tagging",
        "cors",
        "encryption",
        "retention",
        "legal-hold",
        "object-lock",
        "publicAccessBlock",
        "ownershipControls",
        "attributes",
        "renameObject",
        "policy",
        "policyStatus",
        "versionId=1",
        "uploadId=1",
        "delete",
        "uploads",
        "partNumber=1",
        "lifecycle",
        "website",
        "logging",
        "notification",
        "replication",
        "restore",
        "select",
        "torrent",
        "versioning",
        "versions",
        "requestPayment",
        "response-content-type=a",
        "inventory",
        "analytics",
        "metrics",
        "accelerate",
        "location",
        "intelligent-tiering",
        "%61cl",
    ] {
        let head = head("GET", &format!("/b/k?{name}"), &headers);
        assert_eq!(check(&head, now, None), "SignatureDoesNotMatch", "{name}");
    }
    assert_eq!(check(&head("GET", "/b/k?x-amz-acl=public-read", &headers), now, None), "AccessDenied");
}

#[test]
fn presigned_urls_expire_and_must_be_complete() {
    let end: Timestamp = "2026-03-04T05:06:07Z".parse().unwrap();
    let url = |text: &str, query: &str| {
        let signature: String = signed(text).replace('+', "%2B");
        head(
            "GET",
            &format!("/b/k?AWSAccessKeyId={AWS_AKID}&Expires={}&Signature={signature}{query}", end.as_second()),
            &[],
        )
    };
    let seconds = end.as_second();
    let good = url(&format!("GET\n\n\n{seconds}\n/b/k"), "");
    let ambiguous = url(&format!("GET\n\n\n{seconds}\n/b/k?acl=1&versionId=2"), "&acl=1%26versionId=2");
    for (what, head, before_s, want) in [
        ("before its end", &good, 60, "OK"),
        ("at its end", &good, 0, "OK"),
        ("after its end", &good, -1, "AccessDenied"),
        ("more than a week before its end", &good, 605_701, "AuthorizationQueryParametersError"),
        ("one value that looks like two", &ambiguous, 60, "SignatureDoesNotMatch"),
    ] {
        assert_eq!(check(head, end - SignedDuration::from_secs(before_s), None), want, "{what}");
    }
}
