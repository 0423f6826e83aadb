//! Every row of the corpus: the permissions that a request needs and the condition keys that it sets.

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::judged::{assert_judged, pairs};

const CORPUS: &str = include_str!("corpus/request-actions.jsonl");

/// No row here is a call of IAM or STS.
fn answer_of(row: &str) -> Value {
    serde_json::from_str(&s3::cases::actions_line(row, |_, _| Err("no S3".to_owned()))).unwrap()
}

#[test]
fn every_row_of_the_corpus_agrees() {
    let mut rows = 0;
    for line in CORPUS.lines().filter(|line| !line.trim().is_empty()) {
        rows += 1;
        let row: Value = serde_json::from_str(line).unwrap();
        let answer = answer_of(line);
        assert_eq!(answer["id"], row["id"]);
        assert!(answer.get("error").is_none(), "{answer}");
        assert_eq!(answer["operation"], row["op"], "{}", row["id"]);
        assert_eq!(pairs(&answer["requires"]), pairs(&row["requires"]), "{}", row["id"]);
        if row.get("conditional").is_some() {
            assert_eq!(pairs(&answer["conditional"]), pairs(&row["conditional"]), "{}", row["id"]);
        }
        for (key, value) in row["context"].as_object().into_iter().flatten() {
            assert_eq!(&answer["context"][key], value, "{} {key}", row["id"]);
        }
    }
    assert_eq!(rows, 68);
}

/// A row is the text in `head`, a JSON object without braces; `requires` are `action resource`.
fn check(row: &str, requires: &[&str], context: &[(&str, Value)]) {
    let answer = answer_of(&format!("{{\"id\":1,{row}}}"));
    assert_judged(row, &answer, requires, context);
}

#[test]
fn permissions_beyond_the_corpus() {
    use serde_json::json;
    let b = r#""path":"/bkt""#;
    let o = r#""path":"/bkt/k""#;
    check(
        &format!(
            r#""method":"PUT",{b},"body":"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint><Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>""#
        ),
        &["s3:CreateBucket arn:aws:s3:::bkt", "s3:TagResource arn:aws:s3:::bkt"],
        &[
            ("s3:LocationConstraint", json!("eu-west-1")),
            ("aws:RequestTag/a", json!("1")),
            ("aws:TagKeys", json!(["a"])),
        ],
    );
    check(
        &format!(r#""method":"PUT",{b},"headers":{{"x-amz-acl":"private","x-amz-object-ownership":"ObjectWriter"}}"#),
        &[
            "s3:CreateBucket arn:aws:s3:::bkt",
            "s3:PutBucketAcl arn:aws:s3:::bkt",
            "s3:PutBucketOwnershipControls arn:aws:s3:::bkt",
        ],
        &[("s3:x-amz-acl", json!("private")), ("s3:x-amz-object-ownership", json!("ObjectWriter"))],
    );
    check(
        &format!(
            r#""method":"PUT",{o},"query":{{"partNumber":"1","uploadId":"u"}},"headers":{{"x-amz-copy-source":"src/a%20b?versionId=v9"}}"#
        ),
        &["s3:GetObjectVersion arn:aws:s3:::src/a b", "s3:PutObject arn:aws:s3:::bkt/k"],
        &[("s3:ObjectCreationOperation", json!("false")), ("s3:VersionId", json!("v9"))],
    );
    check(
        &format!(
            r#""method":"DELETE",{o},"query":{{"versionId":"v1"}},"headers":{{"x-amz-bypass-governance-retention":"true"}}"#
        ),
        &["s3:DeleteObjectVersion arn:aws:s3:::bkt/k", "s3:BypassGovernanceRetention arn:aws:s3:::bkt/k"],
        &[("s3:VersionId", json!("v1"))],
    );
    check(
        &format!(
            r#""method":"PUT",{o},"query":{{"retention":""}},"headers":{{"x-amz-bypass-governance-retention":"true"}},"body":"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>""#
        ),
        &["s3:PutObjectRetention arn:aws:s3:::bkt/k", "s3:BypassGovernanceRetention arn:aws:s3:::bkt/k"],
        &[
            ("s3:object-lock-mode", json!("GOVERNANCE")),
            ("s3:object-lock-retain-until-date", json!("2030-01-01T00:00:00Z")),
        ],
    );
    check(
        &format!(
            r#""method":"PUT",{o},"query":{{"tagging":"","versionId":"v1"}},"body":"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>""#
        ),
        &["s3:PutObjectVersionTagging arn:aws:s3:::bkt/k"],
        &[("s3:RequestObjectTag/a", json!("1")), ("s3:RequestObjectTagKeys", json!(["a"]))],
    );
    // A parameter that belongs to listings sets no key elsewhere.
    check(
        &format!(r#""method":"GET",{o},"query":{{"prefix":"p","max-keys":"1"}}"#),
        &["s3:GetObject arn:aws:s3:::bkt/k"],
        &[("s3:prefix", Value::Null), ("s3:max-keys", Value::Null)],
    );
    // Decoded once: no second spelling passes a condition.
    check(
        &format!(r#""method":"PUT",{o},"headers":{{"x-amz-copy-source":"%73rc/a"}}"#),
        &["s3:GetObject arn:aws:s3:::src/a", "s3:PutObject arn:aws:s3:::bkt/k"],
        &[("s3:x-amz-copy-source", json!("/src/a"))],
    );
    // However the header spells the source, policies always see the same spelling.
    for source in ["/src/a", "src%2Fa", "%2Fsrc/%61", "src/a"] {
        check(
            &format!(r#""method":"PUT",{o},"headers":{{"x-amz-copy-source":"{source}"}}"#),
            &["s3:GetObject arn:aws:s3:::src/a", "s3:PutObject arn:aws:s3:::bkt/k"],
            &[("s3:x-amz-copy-source", json!("/src/a"))],
        );
    }
    // A copy that keeps the tags of its source ignores the header.
    for (directive, tag) in [("COPY", Value::Null), ("REPLACE", json!("1"))] {
        check(
            &format!(
                r#""method":"PUT",{o},"headers":{{"x-amz-copy-source":"src/a","x-amz-tagging":"t=1","x-amz-tagging-directive":"{directive}"}}"#
            ),
            &[
                "s3:GetObject arn:aws:s3:::src/a",
                "s3:PutObject arn:aws:s3:::bkt/k",
                "s3:PutObjectTagging arn:aws:s3:::bkt/k",
            ],
            &[("s3:RequestObjectTag/t", tag)],
        );
    }
    // Keys that S3 allows and a filer cannot store are judged as on AWS: decoded once, never normalised.
    for (path, key) in [("a/../b", "a/../b"), ("a//b", "a//b"), ("/a", "/a"), ("a%2F.%2Fb", "a/./b"), ("%252e", "%2e")]
    {
        let requires = format!("s3:GetObject arn:aws:s3:::bkt/{key}");
        check(&format!(r#""method":"GET","path":"/bkt/{path}""#), &[&requires], &[]);
    }
    check(
        &format!(r#""method":"PUT",{o},"headers":{{"X-Amz-Copy-Source":"/src/a/..%2Fb?versionId=v9"}}"#),
        &["s3:GetObjectVersion arn:aws:s3:::src/a/../b", "s3:PutObject arn:aws:s3:::bkt/k"],
        &[("s3:x-amz-copy-source", json!("/src/a/../b?versionId=v9")), ("s3:VersionId", json!("v9"))],
    );
    check(
        &format!(
            r#""method":"POST",{b},"query":{{"delete":""}},"headers":{{"x-amz-bypass-governance-retention":"true"}},"body":"<Delete><Object><Key>../x</Key><VersionId>v1</VersionId></Object><Object><Key>y</Key></Object></Delete>""#
        ),
        &[
            "s3:BypassGovernanceRetention arn:aws:s3:::bkt/../x",
            "s3:BypassGovernanceRetention arn:aws:s3:::bkt/y",
            "s3:DeleteObject arn:aws:s3:::bkt/y",
            "s3:DeleteObjectVersion arn:aws:s3:::bkt/../x",
        ],
        &[],
    );
    // A DeleteObjects whose body was not read needs the permission on every key.
    check(&format!(r#""method":"POST",{b},"query":{{"delete":""}}"#), &["s3:DeleteObject arn:aws:s3:::bkt/*"], &[]);
}

/// Whether a tag matches reveals something about the object's content, so comparing it needs the permission to read.
/// `*` compares nothing.
#[test]
fn comparing_an_entity_tag_needs_the_permission_to_read() {
    let conditional = |row: &str| {
        let answer = answer_of(&format!("{{\"id\":1,{row}}}"));
        assert!(answer.get("error").is_none(), "{row}: {answer}");
        pairs(&answer["conditional"]).contains(&("s3:GetObject".to_owned(), "arn:aws:s3:::bkt/k".to_owned()))
    };
    for (request, query, source) in [
        ("PUT", "{}", ""),
        ("DELETE", "{}", ""),
        ("POST", r#"{"uploadId":"u"}"#, ""),
        ("PUT", "{}", r#""x-amz-copy-source":"other/x","#),
    ] {
        for (etag, reads) in [(r#"\"e\""#, true), ("e", true), (r#"*, \"e\""#, true), ("*", false), (" * ", false)] {
            let row = format!(
                r#""method":"{request}","path":"/bkt/k","query":{query},"headers":{{{source}"If-Match":"{etag}"}}"#
            );
            assert_eq!(conditional(&row), reads, "{row}");
        }
    }
    let delete = |objects: &str| {
        format!(r#""method":"POST","path":"/bkt","query":{{"delete":""}},"body":"<Delete>{objects}</Delete>""#)
    };
    let of = |action: &str, key: &str| format!("s3:{action} arn:aws:s3:::bkt/{key}");
    let all = "<Object><Key>a</Key><ETag>e</ETag></Object><Object><Key>b</Key></Object>\
        <Object><Key>c</Key><ETag>*</ETag></Object><Object><Key>d</Key><VersionId>v</VersionId><ETag>e</ETag></Object>";
    let needs = [
        of("DeleteObject", "a"),
        of("GetObject", "a"),
        of("DeleteObject", "b"),
        of("DeleteObject", "c"),
        of("DeleteObjectVersion", "d"),
        of("GetObject", "d"),
    ];
    check(&delete(all), &needs.each_ref().map(String::as_str), &[]);
}

#[test]
fn the_kind_of_signature_is_a_condition_key() {
    use serde_json::json;
    let v4 = "AWS4-HMAC-SHA256";
    for (rest, auth_type, version) in [
        (r#""method":"GET","path":"/bkt/k""#, "REST-HEADER", v4),
        (
            r#""method":"GET","path":"/bkt/k","headers":{"Authorization":"AWS4-HMAC-SHA256 Credential=AK"}"#,
            "REST-HEADER",
            v4,
        ),
        (r#""method":"GET","path":"/bkt/k","headers":{"authorization":"AWS AK:c2ln"}"#, "REST-HEADER", "AWS"),
        (r#""method":"GET","path":"/bkt/k","query":{"X-Amz-Algorithm":"AWS4-HMAC-SHA256"}"#, "REST-QUERY-STRING", v4),
        (
            r#""method":"GET","path":"/bkt/k","query":{"AWSAccessKeyId":"AK","Expires":"1","Signature":"s"}"#,
            "REST-QUERY-STRING",
            "AWS",
        ),
    ] {
        let context = [("s3:authType", json!(auth_type)), ("s3:signatureversion", json!(version))];
        check(rest, &["s3:GetObject arn:aws:s3:::bkt/k"], &context);
    }
    let form = r#""method":"POST","path":"/bkt","headers":{"Content-Type":"multipart/form-data; boundary=x"}"#;
    check(form, &["s3:PutObject arn:aws:s3:::bkt/*"], &[("s3:authType", json!("POST"))]);
}

#[test]
fn rows_that_cannot_be_judged_give_an_error() {
    for row in [
        "not json",
        r#"{"id":"x"}"#,
        r#"{"id":"x","method":"GET","path":"/bkt/%zz"}"#,
        r#"{"id":"x","method":"GET","path":"/../k"}"#,
        r#"{"id":"x","method":"G ET","path":"/bkt"}"#,
    ] {
        let answer = answer_of(row);
        assert!(answer["error"].is_string(), "{row}: {answer}");
    }
}

#[test]
fn every_permission_is_one_that_aws_knows() {
    // Directory buckets belong to another service.
    let foreign = ["s3express:CreateSession"];
    for known in s3::KnownOperation::all() {
        for of_version in [false, true] {
            let Some(operation) = example(&known, of_version) else { continue };
            for need in operation.needs().iter().chain(&operation.first_needs()) {
                let action = need.action;
                let is_known = policy::Action::named(action).is_some_and(|known| known.as_str() == action);
                assert!(foreign.contains(&action) || is_known, "{}: {action}", known.name);
            }
            assert_eq!(operation.name(), known.name);
            assert!(!operation.first_needs().is_empty(), "{} needs no permission", known.name);
        }
    }
}

/// A routed request of the operation; `None` with a version if it takes none.
fn example(known: &s3::KnownOperation, of_version: bool) -> Option<s3::Operation> {
    let head = testkit::operations::example(known, of_version)?;
    match s3::route(&head, None).unwrap_or_else(|error| panic!("{known:?}: {error}")) {
        s3::Routing::S3(operation) => Some(operation),
        other => panic!("{known:?}: {other:?}"),
    }
}

/// A parameter of one operation sets no key of another: AWS lists each key for one of the required actions.
#[test]
fn every_condition_key_is_one_of_the_actions() {
    for line in CORPUS.lines().filter(|line| !line.trim().is_empty()) {
        let answer = answer_of(line);
        let listed: BTreeSet<String> = pairs(&answer["requires"])
            .iter()
            .filter_map(|(action, _)| policy::Action::named(action))
            .flat_map(|action| action.condition_keys().iter().map(|key| key.to_ascii_lowercase()))
            .collect();
        for key in answer["context"].as_object().into_iter().flatten().map(|(key, _)| key.to_ascii_lowercase()) {
            let family = key.split_once('/').map(|(family, _)| format!("{family}/"));
            // On AWS, object locks have no key for versions. Without the key here, a policy that names a version would
            // miss them.
            let of_lock = key == "s3:versionid" && line.contains("/examplebucket/");
            let known = listed.contains(&key) || family.is_some_and(|family| listed.contains(&family));
            // AWS lists no resource owner for ListAllMyBuckets.
            assert!(known || of_lock || key == "s3:resourceaccount", "{}: {key}", answer["id"]);
        }
    }
}
