//! Events of CloudTrail's form, byte for byte.

use std::time::Duration;

use access::{
    AuditRecord, AuditedCaller, AuditedDecision, AuditedError, AuditedFederation, AuditedMaker, AuditedObject,
    AuditedRequest, AuditedSession, AuditedSignIn, AuditedSignature, AuditedTarget,
};
use audit::Auditing;
use iam_formats::{AuditSettings, FileSettings};
use policy::{Decision, Origin, PolicyType};

use crate::{give, record};

const EXPECTED: &str = include_str!("events.jsonl");

/// Ends a line, ends a string, controls a terminal, turns the direction of reading, is no ASCII.
const NASTY: &str = "q\"b\\n\nr\rt\t\u{1}\u{7f}\u{85}\u{2028}\u{202e}é😀{\"eventName\":\"Forged\"}";

fn decision(action: &'static str, resource: &str, decision: Decision, policy: Option<&str>) -> AuditedDecision {
    let sid = policy.map(|_| "Read".to_owned());
    let policy = policy.map(Into::into);
    AuditedDecision { action, resource: resource.into(), resource_account: None, decision, policy, sid }
}

pub(crate) fn allowed(action: &'static str, resource: &str) -> AuditedDecision {
    let by = Origin { policy: PolicyType::Identity(0), statement: 2 };
    decision(action, resource, Decision::Allow { by }, Some("attached policy `Readers`"))
}

pub(crate) fn refused(action: &'static str, resource: &str) -> AuditedDecision {
    decision(action, resource, Decision::ImplicitDeny { missing: PolicyType::Resource }, None)
}

fn alice() -> AuditedCaller {
    AuditedCaller {
        arn: "arn:aws:iam::000000000000:user/alice".into(),
        user_id: "AIDAALICE".into(),
        name: "alice".into(),
        account: Some("000000000000".parse().unwrap()),
        access_key_id: Some("AKIAALICE".parse().unwrap()),
        ..AuditedCaller::default()
    }
}

fn in_session(role_arn: &str, federation: Option<AuditedFederation>) -> AuditedCaller {
    let session = AuditedSession {
        id: "sid-1".into(),
        role_arn: role_arn.into(),
        maker: None,
        issued_s: 1_790_000_000,
        source_identity: Some(NASTY.into()),
        has_mfa: federation.is_none(),
        federation,
    };
    AuditedCaller { user_id: "AROA1:s".into(), session: Some(session), ..alice() }
}

/// Somebody for whom this user made a session.
fn bob(maker: AuditedMaker) -> AuditedCaller {
    let mut caller = in_session("", None);
    let session = caller.session.take().map(|session| AuditedSession { maker: Some(maker), ..session });
    let (arn, user_id) = ("arn:aws:sts::000000000000:federated-user/bob".into(), "000000000000:bob".into());
    AuditedCaller { arn, user_id, name: "bob".into(), session, ..caller }
}

fn maker(arn: &str, user_id: &str, name: &str) -> AuditedMaker {
    AuditedMaker { arn: arn.to_owned(), user_id: user_id.into(), name: name.into() }
}

fn plain_get() -> AuditRecord<'static> {
    let mut get = record("k/é");
    get.caller = alice();
    get.parameters.clear();
    get.decisions = vec![allowed("s3:GetObject", "arn:aws:s3:::reef/k/é"), refused("s3:GetObjectTagging", "*")];
    get.request.signature = Some(AuditedSignature { version: "SigV4", place: "AuthHeader" });
    get.request.bytes_received = Some(0);
    get.request.user_agent = "aws-sdk-go/1.2".into();
    get
}

fn everything_nasty() -> AuditRecord<'static> {
    let get = plain_get();
    AuditRecord {
        request_id: "00C0FFEE99B7E359".into(),
        time: jiff::Timestamp::from_microsecond(1_790_000_000_007_654).unwrap(),
        took: Duration::from_secs(3),
        caller: AuditedCaller { claimed_key: Some(NASTY.into()), ..AuditedCaller::default() },
        target: AuditedTarget {
            bucket: Some("reef".into()),
            key: Some(NASTY.into()),
            version_id: Some(NASTY.into()),
            copy_source: Some(NASTY.into()),
        },
        parameters: vec![("key".into(), "not ours".into()), (NASTY.into(), NASTY.into()), ("Z".into(), String::new())],
        request: AuditedRequest {
            method: "BREW".into(),
            path: NASTY.into(),
            protocol: "HTTP/2.0",
            host: NASTY.into(),
            client: "2001:db8::7".parse().unwrap(),
            peer: "10.0.0.7".parse().unwrap(),
            tls: Some("1.3"),
            signature: Some(AuditedSignature { version: "", place: "Form" }),
            user_agent: NASTY.into(),
            referer: NASTY.into(),
            ..get.request.clone()
        },
        status: 403,
        error: Some(AuditedError { code: "AccessDenied".into(), message: NASTY.into() }),
        bytes_sent: None,
        ..get
    }
}

fn delete_objects() -> AuditRecord<'static> {
    let object = |key: &str, error: Option<&str>| AuditedObject {
        key: key.into(),
        version_id: None,
        error: error.map(Into::into),
    };
    AuditRecord {
        operation: "DeleteObjects",
        target: AuditedTarget { bucket: Some("reef".into()), ..AuditedTarget::default() },
        decisions: vec![
            allowed("s3:DeleteObject", "arn:aws:s3:::reef/x"),
            refused("s3:DeleteObject", &format!("arn:aws:s3:::reef/{NASTY}")),
            allowed("s3:ListBucket", "arn:aws:s3:::reef"),
        ],
        objects: vec![object("x", None), object(NASTY, Some("AccessDenied"))],
        ..plain_get()
    }
}

fn call(operation: &'static str, caller: AuditedCaller, resource: &str) -> AuditRecord<'static> {
    AuditRecord {
        operation,
        caller,
        target: AuditedTarget::default(),
        parameters: vec![("Action".into(), "X".into())],
        decisions: vec![allowed("iam:GetRole", resource)],
        ..plain_get()
    }
}

fn records() -> Vec<AuditRecord<'static>> {
    let provider_arn = "arn:aws:iam::000000000000:oidc-provider/idp".to_owned();
    let federation =
        AuditedFederation { provider_arn: provider_arn.clone(), issuer: "https://idp".into(), subject: NASTY.into() };
    let sign_in = |subject: Option<&str>| {
        let (provider_arn, issuer) = (provider_arn.clone(), "https://idp".to_owned());
        let sign_in = AuditedSignIn { provider_arn, issuer, subject: subject.map(Into::into) };
        AuditedCaller { sign_in: Some(sign_in), ..AuditedCaller::default() }
    };
    let role = "arn:aws:iam::000000000000:role/path/Reader";
    vec![
        plain_get(),
        everything_nasty(),
        delete_objects(),
        call("iam:GetRole", in_session(role, Some(federation)), role),
        call("sts:GetSessionToken", in_session("", None), "arn:aws:iam::000000000000:user/alice"),
        call("iam:ListUsers", AuditedCaller { is_root: true, ..alice() }, "*"),
        call("sts:AssumeRoleWithWebIdentity", sign_in(Some("sub")), role),
        call("sts:AssumeRoleWithWebIdentity", sign_in(None), role),
        AuditRecord { caller: AuditedCaller::default(), status: 404, ..plain_get() },
        call("iam:GetRole", bob(maker("arn:aws:iam::000000000000:user/x/alice", "AIDAALICE", "alice")), role),
        call("iam:GetRole", bob(maker("arn:aws:iam::000000000000:root", "000000000000", "root")), role),
        call("sts:GetSessionToken", AuditedCaller { is_root: true, ..in_session("", None) }, "*"),
        AuditRecord { caller: AuditedCaller { claimed_key: Some("AKIAALICE".into()), ..alice() }, ..plain_get() },
    ]
}

#[test]
fn events_are_written_as_ever() {
    let mut out = Vec::new();
    let number: usize = records().iter().map(|record| audit::cloudtrail(record, "us-east-1", &mut out)).sum();
    let written = String::from_utf8(out).unwrap();
    assert_eq!(number, written.lines().count());
    for (written, expected) in written.lines().zip(EXPECTED.lines()) {
        assert_eq!(written, expected);
    }
    assert_eq!(number, EXPECTED.lines().count());
}

#[test]
fn refusals_are_remembered_even_without_a_sink() {
    let no_key = |_: &FileSettings| Err("no sink is a file".to_owned());
    let auditing = Auditing::start(&AuditSettings::default(), "us-east-1", no_key).unwrap();
    let of = |number: u64, decisions| AuditRecord { request_id: format!("{number:016X}"), decisions, ..plain_get() };
    give(&auditing, of(1, vec![allowed("s3:GetObject", "arn:aws:s3:::reef/k")]));
    give(&auditing, of(2, vec![allowed("s3:GetObject", "arn:aws:s3:::reef/k"), refused("s3:GetObjectTagging", "*")]));
    give(&auditing, AuditRecord { request_id: format!("{:016X}", 3), ..delete_objects() });
    assert_eq!(auditing.recall("0000000000000001", None), None);
    let mut lines = Vec::new();
    for number in [2, 3] {
        let id = format!("{number:016X}");
        let remembered = auditing.recall(&id, None).unwrap();
        assert!(remembered.lines().all(|line| line.contains(&format!("\"requestID\":\"{id}\""))), "{remembered}");
        lines.push(remembered.lines().count());
    }
    assert_eq!(lines, [1, 1 + delete_objects().objects.len()]);
}

/// Accounts learn of the refusals of their own callers, and of anonymous ones at what is theirs. What decided belongs to the account
/// of the policy.
#[test]
fn who_is_told_of_a_refusal() {
    let no_key = |_: &FileSettings| Err("no sink is a file".to_owned());
    let auditing = Auditing::start(&AuditSettings::default(), "us-east-1", no_key).unwrap();
    let account = |digits: &str| Some(digits.parse().unwrap());
    let (own, other, third) = (account("000000000000"), account("111122223333"), account("222222222222"));
    let by = |policy| Origin { policy, statement: 7 };
    let denied = |policy, resource: &str, resource_account| {
        let decided =
            decision("s3:GetObject", resource, Decision::ExplicitDeny { by: by(policy) }, Some("the policy `P`"));
        AuditedDecision { resource_account, ..decided }
    };
    let (identity, of_bucket) = (PolicyType::Identity(0), PolicyType::Resource);
    let (key, role) = ("arn:aws:s3:::reef/k", "arn:aws:iam::111122223333:role/hidden/R");
    let anonymous = AuditedCaller::default;
    let (everything, no_policy) = (Some((true, key)), Some((false, key)));
    let rows = [
        // By whom, what decided, and what accounts read: whether the policy is named, and the resource.
        ("own bucket", alice(), vec![denied(of_bucket, key, own)], [everything, everything, None, None]),
        ("another's bucket", alice(), vec![denied(of_bucket, key, other)], [everything, no_policy, None, None]),
        ("own policy", alice(), vec![denied(identity, key, other)], [everything, everything, None, None]),
        ("anonymous", anonymous(), vec![denied(of_bucket, key, other)], [everything, None, everything, None]),
        (
            "the anonymous identity",
            anonymous(),
            vec![denied(identity, key, other)],
            [everything, None, no_policy, None],
        ),
        (
            "anonymous at two accounts",
            anonymous(),
            vec![denied(of_bucket, key, other), denied(of_bucket, key, third)],
            [everything, None, None, None],
        ),
        ("anonymous at nothing", anonymous(), vec![denied(of_bucket, key, None)], [everything, None, None, None]),
        (
            "another's role",
            alice(),
            vec![denied(of_bucket, role, other)],
            [Some((true, role)), Some((false, "arn:aws:iam:::role/R")), None, None],
        ),
    ];
    for (at, (what, caller, decisions, told)) in rows.into_iter().enumerate() {
        let request_id = format!("{at:016X}");
        let parameters = vec![("RoleArn".to_owned(), "arn:aws:iam:::role/R".to_owned())];
        let target = AuditedTarget::default();
        give(
            &auditing,
            AuditRecord { request_id: request_id.clone(), caller, decisions, parameters, target, ..plain_get() },
        );
        for (reader, told) in [None, own, other, third].into_iter().zip(told) {
            let found = auditing.recall(&request_id, reader);
            let row = format!("{what} to {reader:?}: {found:?}");
            assert_eq!(found.is_some(), told.is_some(), "{row}");
            let (Some(found), Some((has_policy, resource))) = (found, told) else { continue };
            assert!(found.contains(&format!("\"resource\":\"{resource}\"")), "{row}");
            for part in ["\"policy\":", "\"statement\":7", "\"sid\":"] {
                assert_eq!(found.contains(part), has_policy, "{row}");
            }
            assert!(resource == role || !found.contains("hidden"), "{row}");
        }
    }
}
