//! Texts that someone else wrote: what is refused, with its place, and what is kept as it is.

#![expect(clippy::unwrap_used, reason = "tests")]

use iam::Change;
use transfer::{Bundle, Secrets, from_json};

/// The text of an export with these parts.
fn export(parts: &str) -> String {
    format!(r#"{{"format":"kelpgate-iam","version":1{parts}}}"#)
}

fn read(parts: &str) -> Bundle {
    from_json(&export(parts), &|_| None).unwrap()
}

fn refused(bundle: &Bundle) -> Vec<&str> {
    let mut refused: Vec<&str> = bundle.refused.iter().map(|refused| refused.what.as_str()).collect();
    refused.sort_unstable();
    refused
}

const GET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;
/// Denies wherever it is stored, because it cannot be read. With the last of the two effects alone it would allow.
const TWICE: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

#[test]
fn a_policy_that_denies_because_it_cannot_be_read_does_not_become_one_that_allows() {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;
    for (parts, what) in [
        (format!(r#","policies":{{"P":{{"document":{TWICE}}}}}"#), "policy `P`"),
        (
            format!(r#","policies":{{"P":{{"document":{},"place":"api"}}}}"#, serde_json::Value::from(TWICE)),
            "policy `P`",
        ),
        (
            format!(
                r#","users":{{"al":{{"document":{{"name":"al"}}}}}},"inlinePolicies":{{"users":{{"al":{{"I":{{"document":{TWICE}}}}}}}}}"#
            ),
            "inline policy `I` of user `al`",
        ),
        (format!(r#","roles":{{"R":{{"document":{{"roleName":"R","trustPolicy":{trust}}}}}}}"#), "role `R`"),
    ] {
        let bundle = read(&parts);
        assert!(refused(&bundle).contains(&what), "{parts}: {:?}", bundle.refused);
        assert!(
            bundle.refused.iter().any(|refused| refused.why.contains("occurs twice")),
            "{parts}: {:?}",
            bundle.refused
        );
        assert!(bundle.changes.is_empty(), "{parts}");
    }
    let weed = format!(r#"{{"identities":[],"policies":[{{"name":"P","document":{TWICE}}}]}}"#);
    assert_eq!(refused(&from_json(&weed, &|_| None).unwrap()), ["policy `P`"]);
    let bucket = read(&format!(r#","bucketPolicies":{{"reef":{TWICE}}}"#));
    assert_eq!(bucket.bucket_policies.get("reef").map(String::as_str), Some(TWICE), "PutBucketPolicy refuses it");
}

#[test]
fn only_white_space_between_the_parts_of_a_policy_is_removed() {
    for (written, kept) in [
        (r#"{ "Version" : "2012-10-17" ,"Statement":[ ] }"#, r#"{"Version":"2012-10-17","Statement":[]}"#),
        ("{\n\t\"Id\": \"a  b\",\r\n\"Statement\": []}", r#"{"Id":"a  b","Statement":[]}"#),
        (r#"{"Id":"a \" b \\", "Statement":[]}"#, r#"{"Id":"a \" b \\","Statement":[]}"#),
        (r#"{"Statement":[], "Id":"\u0020 é"}"#, r#"{"Statement":[],"Id":"\u0020 é"}"#),
        (r#"{"Statement": 1e999}"#, r#"{"Statement":1e999}"#),
    ] {
        let bundle = read(&format!(r#","bucketPolicies":{{"reef":{written}}}"#));
        assert_eq!(bucket_policy(&bundle), Some(kept), "{written}");
        let again = read(&format!(r#","bucketPolicies":{{"reef":{kept}}}"#));
        assert_eq!(bucket_policy(&again), Some(kept), "{written}");
    }
}

fn bucket_policy(bundle: &Bundle) -> Option<&str> {
    bundle.bucket_policies.get("reef").map(String::as_str)
}

#[test]
fn what_loses_a_policy_is_refused_with_it() {
    let user = |name: &str, more: &str| format!(r#""{name}":{{"document":{{"name":"{name}"{more}}}}}"#);
    let policies = format!(r#","policies":{{"Bad":{{"document":{TWICE}}},"Good":{{"document":{GET}}}}}"#);
    for (what, parts, lost) in [
        (
            "the holders of a managed policy",
            format!(
                r#"{policies},"users":{{{},{}}}"#,
                user("al", r#","policy_names":["Good","Bad"]"#),
                user("bo", r#","policy_names":["Good"]"#)
            ),
            &["policy `Bad`", "user `al`"][..],
        ),
        (
            "those that it bounds",
            format!(r#"{policies},"users":{{"al":{{"document":{{"name":"al"}},"facts":{{"boundary":"Bad"}}}}}}"#),
            &["policy `Bad`", "user `al`"],
        ),
        (
            "by ARN too",
            format!(r#"{policies},"users":{{{}}}"#, user("al", r#","policy_names":["arn:aws:iam::1:policy/x/Bad"]"#)),
            &["policy `Bad`", "user `al`"],
        ),
        (
            "a group and its members",
            format!(
                r#"{policies},"groups":{{"g":{{"document":{{"name":"g","members":["al"],"policy_names":["Bad"]}}}}}},"users":{{{},{}}}"#,
                user("al", ""),
                user("bo", "")
            ),
            &["group `g`", "policy `Bad`", "user `al`"],
        ),
        (
            "the service accounts of a user",
            format!(
                r#"{policies},"users":{{{}}},"serviceAccounts":{{"sa:al:1":{{"document":{{"id":"sa:al:1","parent_user":"al"}}}}}}"#,
                user("al", r#","policy_names":["Bad"]"#)
            ),
            &["policy `Bad`", "service account `sa:al:1`", "user `al`"],
        ),
        (
            "a holder whose inline policy is refused",
            format!(
                r#","users":{{{},{}}},"inlinePolicies":{{"users":{{"al":{{"I":{{"document":{TWICE}}},"J":{{"document":{GET}}}}}}}}}"#,
                user("al", ""),
                user("bo", "")
            ),
            &["inline policy `I` of user `al`", "inline policy `J` of user `al`", "user `al`"],
        ),
    ] {
        let bundle = read(&parts);
        assert_eq!(refused(&bundle), lost, "{what}");
        let kept =
            |name: &str| bundle.changes.iter().any(|change| matches!(change, Change::User(user, _) if **user == *name));
        assert!(!kept("al") && kept("bo") == parts.contains(r#""bo""#), "{what}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (text, place) in [
        (export(r#","version":2"#), "the key `version` occurs twice"),
        (r#"{"format":"kelpgate-iam"}"#.to_owned(), "version 0"),
        (r#"{"format":"kelpgate-iam","version":2}"#.to_owned(), "version 2"),
        (r#"{"format":"other","version":1}"#.to_owned(), "`format`: expected `kelpgate-iam`"),
        ("{}".to_owned(), "neither an export of Kelpgate"),
        ("[]".to_owned(), "expected an object"),
        (export(r#","wings":1"#), "`wings` is unknown here"),
        (export(r#","users":[]"#), "`users`: expected an object"),
        (export(r#","users":{"al":{"document":{"name":"bo"}}}"#), "this is called `al` but says `bo` inside"),
        (export(r#","users":{"al":{}}"#), "`users.al`: `document` is missing"),
        (export(r#","users":{"al":{"document":{"name":"al"},"facts":{"created":"x"}}}"#), "`users.al.facts`"),
        (export(r#","users":{"al":{"document":{"name":"al"},"wings":1}}"#), "`wings` is unknown here"),
        (export(r#","users":{"al":{"document":{"name":"al","disabled":"no"}}}"#), "`users.al.document.disabled`"),
        (export(r#","groups":{"g":{"document":{"name":"h"}}}"#), "this is called `g` but says `h` inside"),
        (export(r#","roles":{"R":{"document":{"roleName":"R"}}}"#), "`roles.R.document`"),
        (export(r#","serviceAccounts":{"a":{"document":{"id":"b","parent_user":"al"}}}"#), "but says `b` inside"),
        (export(r#","oidcProviders":{"a":{"document":{"arn":"b","url":"u"}}}"#), "but says `b` inside"),
        (export(r#","oidcProviders":{"a":{"document":{"arn":"a","url":7}}}"#), "`oidcProviders.a.document.url`"),
        (export(r#","instanceProfiles":{"a":{"document":{"name":"a"}}}"#), "`instanceProfiles.a.document`"),
        (export(r#","accountAliases":{"1":{"document":{"account":"2","alias":"x"}}}"#), "but says `2` inside"),
        (export(r#","policies":{"P":{"document":{},"place":"shelf"}}"#), "the place `shelf`"),
        (export(r#","inlinePolicies":{"buckets":{}}"#), "`buckets` is unknown here"),
        (export(r#","secrets":"loud""#), "`loud` is neither"),
        (export(r#","secrets":{"cipher":"ROT13","kdf":"none"}"#), "secrets under `ROT13`"),
    ] {
        let why = from_json(&text, &|_| None).unwrap_err().to_string();
        assert!(why.contains(place) && why.starts_with("line 1, column "), "{text}: {why}");
    }
}

#[test]
fn how_secrets_are_sealed_is_bounded() {
    for (salt, iterations, good) in [
        (r#""00ff""#, "1", true),
        (r#""00ff""#, "100000000", true),
        (r#""00ff""#, "0", false),
        (r#""00ff""#, "-1", false),
        (r#""00ff""#, "100000001", false),
        (r#""00ff""#, "9223372036854775807", false),
        (r#""""#, "1", false),
        (r#""00f""#, "1", false),
        (r#""zz""#, "1", false),
    ] {
        let parts = format!(
            r#","secrets":{{"cipher":"AES-256-GCM","kdf":"PBKDF2-HMAC-SHA256","salt":{salt},"iterations":{iterations}}}"#
        );
        let sealed = from_json(&export(&parts), &|_| None).map(|bundle| bundle.secrets);
        assert_eq!(matches!(sealed, Ok(Secrets::Sealed { .. })), good, "{salt} {iterations}: {sealed:?}");
    }
}
