//! The condition keys with which each permission of each operation is decided.

use std::sync::Arc;

use access::{Authenticated, AuthenticationType, DecisionInput, NoObserver, context_of, request_context};
use http::request::Parts;
use iam::{Bucket, Caller, Change, ConnectionFacts, Snapshot, TlsVersion};
use iam_formats::identities;
use jiff::{SignedDuration, Timestamp};
use policy::{Action, Context};
use s3::{Needs, Operation, Requirement, Routing};
use sigv4::PayloadHash;

/// Operation, permission and resource, and the condition keys that the permission gets from the request. All other keys
/// are absent.
const TABLE: &str = include_str!("condition_keys.txt");

const ACCOUNT: &str = "111122223333";
const NOW: &str = "2026-11-28T20:00:00Z";

/// Sent with every request, whether the operation reads them or not.
const HEADERS: [(&str, &str); 15] = [
    ("user-agent", "one"),
    ("user-agent", "two"),
    ("referer", "http://a"),
    ("x-amz-acl", "private"),
    ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ("x-amz-metadata-directive", "REPLACE"),
    ("x-amz-object-lock-legal-hold", "ON"),
    ("x-amz-object-lock-mode", "GOVERNANCE"),
    ("x-amz-object-lock-retain-until-date", "2026-11-30T08:00:00Z"),
    ("x-amz-object-ownership", "ObjectWriter"),
    ("x-amz-server-side-encryption", "AES256"),
    ("x-amz-storage-class", "STANDARD_IA"),
    ("x-amz-tagging", "Team=blue&team=red"),
    ("x-amz-website-redirect-location", "/x"),
    ("if-match", "\"e\""),
];
const PARAMETERS: &str = "prefix=p&delimiter=/&max-keys=7";
const TAGS: &str = "<Tagging><TagSet><Tag><Key>Team</Key><Value>blue</Value></Tag>\
                    <Tag><Key>team</Key><Value>red</Value></Tag></TagSet></Tagging>";
const CONFIGURATION: &str = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint><Tags>\
    <Tag><Key>Team</Key><Value>blue</Value></Tag><Tag><Key>team</Key><Value>red</Value></Tag></Tags></CreateBucketConfiguration>";
const CONTROL: &str = "/v20180820/tags/arn:aws:s3:::bkt";
const CONTROL_ACCOUNT: (&str, &str) = ("x-amz-account-id", "111122223333");
const CONTROL_TAGS: &str = "<TagResourceRequest><Tags><Tag><Key>Team</Key><Value>blue</Value></Tag>\
    <Tag><Key>team</Key><Value>red</Value></Tag></Tags></TagResourceRequest>";
const DELETE: &str =
    "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>v1</VersionId></Object></Delete>";
const RETENTION: &str =
    "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2026-11-29T19:00:00Z</RetainUntilDate></Retention>";
const VERSIONING: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const OBJECT_LOCK: &str =
    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
const BYPASS: (&str, &str) = ("x-amz-bypass-governance-retention", "true");
const ATTRIBUTES: (&str, &str) = ("x-amz-object-attributes", "ETag");

/// Method, path, parameters, additional headers, body.
pub type Row = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

/// Each operation that is supported, with the headers and bodies that add permissions.
pub const OPERATIONS: [Row; 62] = [
    ("GET", "/", "", &[], ""),
    ("PUT", "/bkt", "", &[("x-amz-bucket-object-lock-enabled", "true")], CONFIGURATION),
    ("HEAD", "/bkt", "", &[], ""),
    ("DELETE", "/bkt", "", &[], ""),
    ("GET", "/bkt", "", &[], ""),
    ("GET", "/bkt", "list-type=2", &[], ""),
    ("GET", "/bkt", "versions", &[], ""),
    ("GET", "/bkt", "uploads", &[], ""),
    ("GET", "/bkt", "location", &[], ""),
    ("GET", "/bkt", "tagging", &[], ""),
    ("PUT", "/bkt", "tagging", &[], TAGS),
    ("DELETE", "/bkt", "tagging", &[], ""),
    ("GET", "/bkt", "policy", &[], ""),
    ("PUT", "/bkt", "policy", &[], ""),
    ("DELETE", "/bkt", "policy", &[], ""),
    ("GET", "/bkt", "policyStatus", &[], ""),
    ("GET", "/bkt", "acl", &[], ""),
    ("PUT", "/bkt", "acl", &[], ""),
    ("GET", "/bkt", "object-lock", &[], ""),
    ("PUT", "/bkt", "object-lock", &[], OBJECT_LOCK),
    ("GET", "/bkt", "versioning", &[], ""),
    ("PUT", "/bkt", "versioning", &[], VERSIONING),
    ("PUT", "/bkt", "cors", &[], "<CORSConfiguration/>"),
    ("PUT", "/bkt", "abac", &[], "<AbacStatus/>"),
    ("PUT", "/bkt", "accelerate", &[], "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>"),
    ("PUT", "/bkt", "metrics&id=a", &[], "<MetricsConfiguration><Id>a</Id></MetricsConfiguration>"),
    ("PUT", "/bkt", "website", &[], ""),
    ("PUT", "/bkt", "encryption", &[], "<ServerSideEncryptionConfiguration/>"),
    ("PUT", "/bkt", "lifecycle", &[], "<LifecycleConfiguration/>"),
    ("PUT", "/bkt", "logging", &[], "<BucketLoggingStatus/>"),
    ("PUT", "/bkt", "notification", &[], "<NotificationConfiguration/>"),
    ("PUT", "/bkt", "requestPayment", &[], "<RequestPaymentConfiguration/>"),
    ("GET", CONTROL, "", &[CONTROL_ACCOUNT], ""),
    ("POST", CONTROL, "", &[CONTROL_ACCOUNT], CONTROL_TAGS),
    ("DELETE", CONTROL, "tagKeys=Team&tagKeys=team", &[CONTROL_ACCOUNT], ""),
    ("POST", "/bkt", "delete", &[BYPASS], DELETE),
    ("GET", "/bkt/k", "", &[], ""),
    ("GET", "/bkt/k", "versionId=v1", &[], ""),
    ("HEAD", "/bkt/k", "", &[], ""),
    ("GET", "/bkt/k", "attributes", &[ATTRIBUTES], ""),
    ("GET", "/bkt/k", "attributes&versionId=v1", &[ATTRIBUTES], ""),
    ("PUT", "/bkt/k", "", &[], ""),
    ("PUT", "/bkt/k", "", &[("x-amz-copy-source", "src/a")], ""),
    (
        "PUT",
        "/bkt/k",
        "",
        &[("x-amz-copy-source", "%2Fsrc%2Fa?versionId=v1"), ("x-amz-tagging-directive", "REPLACE")],
        "",
    ),
    ("DELETE", "/bkt/k", "", &[], ""),
    ("DELETE", "/bkt/k", "versionId=v1", &[BYPASS], ""),
    ("GET", "/bkt/k", "tagging", &[], ""),
    ("GET", "/bkt/k", "tagging&versionId=v1", &[], ""),
    ("PUT", "/bkt/k", "tagging", &[], TAGS),
    ("PUT", "/bkt/k", "tagging&versionId=v1", &[], TAGS),
    ("DELETE", "/bkt/k", "tagging", &[], ""),
    ("GET", "/bkt/k", "acl", &[], ""),
    ("PUT", "/bkt/k", "acl", &[], ""),
    ("PUT", "/bkt/k", "retention", &[BYPASS], RETENTION),
    ("PUT", "/bkt/k", "legal-hold", &[], "<LegalHold><Status>OFF</Status></LegalHold>"),
    ("POST", "/bkt/k", "uploads", &[], ""),
    ("PUT", "/bkt/k", "partNumber=1&uploadId=u", &[], ""),
    ("PUT", "/bkt/k", "partNumber=1&uploadId=u", &[("x-amz-copy-source", "/src/a")], ""),
    ("POST", "/bkt/k", "uploadId=u", &[], ""),
    ("DELETE", "/bkt/k", "uploadId=u", &[], ""),
    ("GET", "/bkt/k", "uploadId=u", &[], ""),
    ("POST", "/bkt", "", &[("content-type", "multipart/form-data; boundary=x")], ""),
];

fn snapshot() -> Snapshot {
    let identities = identities::parse(r#"{"identities":[]}"#, &|_| None).unwrap();
    let settings = iam::Settings { account: ACCOUNT.parse().unwrap(), ..iam::Settings::default() };
    let bucket = |name: &str| {
        let bucket = Bucket::new(name, "", 0);
        Change::Bucket(name.into(), Some(Arc::new(bucket)))
    };
    Snapshot::new(settings, &identities).apply([bucket("bkt"), bucket("src")])
}

fn caller() -> Caller {
    Caller {
        name: "alice".into(),
        principal: "arn:aws:iam::111122223333:user/alice".parse().unwrap(),
        arn: "arn:aws:iam::111122223333:user/alice".into(),
        user_id: "AIDAALICE".into(),
        account: ACCOUNT.parse().unwrap(),
        is_root: false,
        access_key_id: None,
        session: None,
        policies: Arc::new([]),
        sources: Arc::new([]),
        boundary: None,
        connection: ConnectionFacts {
            source_ip: Some("192.0.2.1".parse().unwrap()),
            secure_transport: true,
            tls_version: Some(TlsVersion::V1_3),
        },
    }
}

fn authenticated(authentication: AuthenticationType, signed_at: Option<Timestamp>) -> Authenticated {
    let payload = PayloadHash::Unsigned;
    Authenticated { caller: caller(), authentication, payload, seed: None, signed_at, service: "s3".to_owned() }
}

pub fn head((method, path, parameters, headers, _): &Row, hash: Option<&str>) -> Parts {
    let uri = format!("{path}?{PARAMETERS}&{parameters}");
    let mut request = http::Request::builder().method(*method).uri(uri.trim_end_matches('&'));
    for (name, value) in HEADERS.iter().chain(*headers) {
        request = request.header(*name, *value);
    }
    let mut head = request.body(()).unwrap().into_parts().0;
    head.headers.remove("x-amz-content-sha256");
    if let Some(hash) = hash {
        head.headers.insert("x-amz-content-sha256", hash.parse().unwrap());
    }
    head
}

/// The operation, and each of its permissions with the keys that it is decided with.
fn decided(row: &Row, head: &Parts, who: &Authenticated) -> (Operation, Vec<(Requirement, Context)>) {
    let snapshot = snapshot();
    let now: Timestamp = NOW.parse().unwrap();
    let routing = s3::route(head, None).unwrap_or_else(|error| panic!("{row:?}: {error}"));
    let Routing::S3(mut op) = routing else { panic!("{row:?}") };
    if op.body_limit().is_some() {
        op.read_body(row.4.as_bytes()).unwrap_or_else(|error| panic!("{row:?}: {error}"));
    }
    let mut context = request_context(head, who, &snapshot, "eu-west-1", now).unwrap();
    s3::set_condition_keys(&op, head, Some(now.as_second()), &mut context).unwrap();
    let conditional = op.conditional().into_iter().map(|also| also.requirement);
    let own = match &op {
        Operation::DeleteObjects(deletes) if deletes.request.objects.is_empty() => {
            op.first_needs().into_iter().take(1).collect()
        }
        Operation::DeleteObjects(deletes) => {
            let objects = deletes.request.objects.iter();
            objects.flat_map(|object| deletes.delete_at(object.key.clone().unwrap(), object).permissions()).collect()
        }
        op => op.needs(),
    };
    let mut needs: Vec<Requirement> = own.into_iter().chain(conditional).collect();
    for need in &mut needs {
        // As if a policy tested them: each object has its own tags.
        let bucket = need.bucket.as_ref().map_or("", |bucket| bucket.as_str());
        need.existing_tags = vec![("of".to_owned(), bucket.to_owned())];
    }
    let world = DecisionInput { caller: &who.caller, snapshot: &snapshot, context: &context, observer: &NoObserver };
    let decided = needs.into_iter().map(|need| {
        let context = context_of(&need, world).into_owned();
        (need, context)
    });
    let decided = decided.collect();
    (op, decided)
}

/// The condition keys that a permission gets from the request, as one line.
fn line(op: &Operation, need: &Requirement, context: &Context) -> String {
    const OF_EVERY_REQUEST: [&str; 6] = [
        "s3:authType",
        "s3:signatureversion",
        "s3:signatureAge",
        "s3:ResourceAccount",
        "s3:TlsVersion",
        "s3:x-amz-content-sha256",
    ];
    let of_request = |key: &str| {
        (key.starts_with("s3:") || key.starts_with("aws:RequestTag/") || key == "aws:TagKeys")
            && !OF_EVERY_REQUEST.contains(&key)
    };
    let mut keys: Vec<String> = context
        .iter()
        .filter(|(key, _)| of_request(key))
        .map(|(key, values)| format!("{key}={}", values.join("|")))
        .collect();
    keys.sort_by_key(|key| key.to_ascii_lowercase());
    let resource = need.resource.trim_start_matches("arn:aws:s3:::");
    format!("{} {} {resource}: {}", op.name(), need.action, keys.join(" ")).trim_end().to_owned()
}

#[test]
fn every_key_of_every_operation() {
    let who = authenticated(AuthenticationType::HeaderV4, NOW.parse().ok());
    let mut lines = Vec::new();
    for row in &OPERATIONS {
        let (op, decided) = decided(row, &head(row, Some("UNSIGNED-PAYLOAD")), &who);
        lines.extend(decided.iter().map(|(need, context)| line(&op, need, context)));
    }
    let wanted: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let first = lines.iter().zip(wanted.iter().chain(std::iter::repeat(&"nothing"))).find(|(one, other)| one != other);
    assert_eq!(first, None, "the whole table:\n{}\n", lines.join("\n"));
    assert_eq!(lines.len(), wanted.len());
}

#[test]
fn no_permission_knows_a_key_that_its_action_lacks() {
    let who = authenticated(AuthenticationType::HeaderV4, NOW.parse().ok());
    for row in &OPERATIONS {
        for (need, context) in decided(row, &head(row, Some("UNSIGNED-PAYLOAD")), &who).1 {
            let listed = Action::named(need.action).unwrap().condition_keys();
            for (key, _) in context.iter().filter(|(key, _)| key.starts_with("s3:")) {
                let is_listed = listed.iter().any(|known| match known.strip_suffix('/') {
                    Some(family) => key.split('/').next().unwrap().eq_ignore_ascii_case(family),
                    None => key.eq_ignore_ascii_case(known),
                });
                assert!(is_listed, "{} knows {key}", need.action);
            }
        }
    }
}

/// Each way of signing, with the header and without: S3 API Reference, "Signature Version 4 Authentication Specific Policy Keys".
#[test]
fn keys_of_each_way_of_signing() {
    use AuthenticationType::{Anonymous, HeaderV2, HeaderV4, PostV2, PostV4, PresignedV2, PresignedV4};
    const V4: &str = "AWS4-HMAC-SHA256";
    const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
    const CHUNKED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    let signed: Timestamp = NOW.parse::<Timestamp>().unwrap() - SignedDuration::from_millis(1_500);
    let ahead = signed + SignedDuration::from_secs(60);
    for (kind, signed_at, sent, want) in [
        (HeaderV4, Some(signed), Some(UNSIGNED), ["REST-HEADER", V4, "1500", UNSIGNED]),
        (HeaderV4, Some(signed), Some(CHUNKED), ["REST-HEADER", V4, "1500", CHUNKED]),
        (HeaderV4, Some(ahead), None, ["REST-HEADER", V4, "0", ""]),
        (PresignedV4, Some(signed), None, ["REST-QUERY-STRING", V4, "1500", ""]),
        // The header is not signed: anyone with the URL may add it.
        (PresignedV4, Some(signed), Some(UNSIGNED), ["REST-QUERY-STRING", V4, "1500", ""]),
        (HeaderV2, None, None, ["REST-HEADER", "AWS", "0", ""]),
        (PresignedV2, None, None, ["REST-QUERY-STRING", "AWS", "0", ""]),
        (PostV4, Some(signed), Some(UNSIGNED), ["POST", V4, "1500", ""]),
        (PostV2, None, Some(UNSIGNED), ["POST", "AWS", "0", ""]),
        (Anonymous, None, None, ["", "", "", ""]),
    ] {
        let who = authenticated(kind, signed_at);
        let is_form = matches!(kind, PostV2 | PostV4);
        for row in OPERATIONS.iter().filter(|row| is_form == row.3.iter().any(|(name, _)| *name == "content-type")) {
            let mut head = head(row, sent);
            // The parameter of a presigned URL is not the header.
            let parameters = "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&X-Amz-Signature=x&X-Amz-SignedHeaders=host";
            head.uri = format!("{}&{parameters}", head.uri).parse().unwrap();
            if kind == HeaderV4 {
                // Nor do such parameters hide the header of a request that is signed in its headers.
                head.headers.insert("authorization", "AWS4-HMAC-SHA256 x".parse().unwrap());
            }
            for (need, context) in decided(row, &head, &who).1 {
                let listed = Action::named(need.action).unwrap().condition_keys();
                let keys = ["s3:authType", "s3:signatureversion", "s3:signatureAge", "s3:x-amz-content-sha256"];
                for (key, want) in keys.iter().zip(want) {
                    let want = if listed.contains(key) { want } else { "" };
                    let got = context.get(key).map(|values| values.join("|")).unwrap_or_default();
                    assert_eq!(got, want, "{kind:?} {} {key} of {row:?}", need.action);
                }
            }
        }
    }
}

#[test]
fn the_tls_version_is_present_if_it_is_known() {
    for row in &OPERATIONS {
        for (version, want) in
            [(None, None), (Some(TlsVersion::V1_2), Some("1.2")), (Some(TlsVersion::V1_3), Some("1.3"))]
        {
            let mut who = authenticated(AuthenticationType::HeaderV4, None);
            who.caller.connection.tls_version = version;
            for (need, context) in decided(row, &head(row, None), &who).1 {
                let listed = Action::named(need.action).unwrap().condition_keys().contains(&"s3:TlsVersion");
                assert!(listed, "{}", need.action);
                let got = context.get("s3:TlsVersion").map(|values| values.join("|"));
                assert_eq!(got.as_deref(), want, "{} of {row:?}", need.action);
            }
        }
    }
}

#[test]
fn keys_that_aws_always_sets_are_always_present() {
    for row in &OPERATIONS {
        for kind in [AuthenticationType::Anonymous, AuthenticationType::HeaderV4, AuthenticationType::PresignedV2] {
            for (need, context) in decided(row, &head(row, None), &authenticated(kind, None)).1 {
                for (key, want) in [
                    ("aws:RequestedRegion", "eu-west-1"),
                    ("aws:SourceIp", "192.0.2.1"),
                    ("aws:SecureTransport", "true"),
                    ("aws:CurrentTime", NOW),
                    ("aws:EpochTime", "1795896000"),
                    ("aws:ViaAWSService", "false"),
                    ("aws:PrincipalIsAWSService", "false"),
                    ("aws:PrincipalType", "User"),
                    ("aws:ResourceAccount", ACCOUNT),
                    // A header that occurs twice has all its values.
                    ("aws:UserAgent", "one, two"),
                    ("aws:Referer", "http://a"),
                ] {
                    assert_eq!(context.get(key), Some(&[want.to_owned()][..]), "{} {key} of {row:?}", need.action);
                }
            }
        }
    }
}

#[test]
fn a_presigned_url_covers_the_hash_that_it_names() {
    let who = authenticated(AuthenticationType::PresignedV4, NOW.parse().ok());
    for (signed_headers, want) in
        [("host", None), ("host%3Bx-amz-content-sha256", Some("UNSIGNED-PAYLOAD")), ("host%3Bx-amz-content", None)]
    {
        for row in OPERATIONS.iter().filter(|row| !row.3.iter().any(|(name, _)| *name == "content-type")) {
            let mut head = head(row, Some("UNSIGNED-PAYLOAD"));
            let parameters = format!("X-Amz-Signature=x&X-Amz-SignedHeaders={signed_headers}");
            head.uri = format!("{}&{parameters}", head.uri).parse().unwrap();
            for (need, context) in decided(row, &head, &who).1 {
                let is_listed =
                    Action::named(need.action).unwrap().condition_keys().contains(&"s3:x-amz-content-sha256");
                let got = context.get("s3:x-amz-content-sha256").map(|values| values.join("|"));
                assert_eq!(got.as_deref(), want.filter(|_| is_listed), "{signed_headers}: {} of {row:?}", need.action);
            }
        }
    }
}
