//! Explanations: which element failed, what it expected, what it saw, and what would help.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;

use policy::{
    Action, Context, CrossAccount, Explanation, Policy, PolicyKind, PolicySet, Principal, Request, explain,
    explain_trust,
};

fn told(identity: &str, bucket: Option<&str>, principal: &str, resource: &str, prefix: Option<&str>) -> Explanation {
    let parse = |kind, text: &str| Policy::parse_stored(kind, text).unwrap().compile();
    let identity = [Arc::new(parse(PolicyKind::Identity, identity))];
    let bucket = bucket.map(|text| parse(PolicyKind::Bucket, text));
    let principal: Principal = principal.parse().unwrap();
    let mut context = Context::new();
    prefix.into_iter().for_each(|prefix| context.set("s3:prefix", prefix));
    let policies = PolicySet {
        identity: &identity,
        resource: bucket.as_ref(),
        cross_account: CrossAccount::Both,
        ..PolicySet::default()
    };
    let request = Request {
        principal: &principal,
        principal_id: None,
        principal_canonical_id: None,
        action: Action::named("s3:ListBucket").unwrap().into(),
        resource,
        resource_account: "111122223333".parse().unwrap(),
        context: &context,
    };
    explain(&policies, &request)
}

const HOME: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"Home","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b","Condition":{"StringLike":{"s3:prefix":["home/*","pub?"]}}},
    {"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}]}"#;
const ALICE: &str = "arn:aws:iam::111122223333:user/alice";

#[test]
fn an_allow_names_its_statement() {
    let told = told(HOME, None, ALICE, "arn:aws:s3:::b", Some("home/x"));
    assert_eq!(told.summary, "allowed by statement 0 (`Home`) of the policy identity[0]");
    assert!(told.advice.is_empty() && told.statements[0].applies && !told.statements[1].applies);
}

#[test]
fn a_missing_allow_says_what_failed() {
    let told = told(HOME, None, ALICE, "arn:aws:s3:::b", Some("x"));
    assert_eq!(told.summary, "denied: no statement of the identity policies allows it");
    let failed: Vec<_> = told.statements[0].elements.iter().filter(|element| !element.matches).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].element, "StringLike s3:prefix");
    assert_eq!(failed[0].expected, ["home/*", "pub?"]);
    assert_eq!(failed[0].seen, Some(vec!["x".to_owned()]));
    assert_eq!(
        told.advice[0],
        "statement 0 (`Home`) of the policy identity[0] would allow it but for StringLike s3:prefix (expected `home/*`, `pub?`, the request has `x`)"
    );
    assert!(
        told.advice[1].contains(r#""Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"}"#),
        "{}",
        told.advice[1]
    );
}

#[test]
fn an_absent_key_is_shown_as_nothing() {
    let told = told(HOME, None, ALICE, "arn:aws:s3:::b", None);
    assert!(told.advice[0].contains("the request has nothing"), "{}", told.advice[0]);
}

#[test]
fn a_deny_is_not_lifted_by_an_allow() {
    let told = told(HOME, None, ALICE, "arn:aws:s3:::c", None);
    assert_eq!(told.summary, "denied by statement 1 of the policy identity[0]");
    assert_eq!(
        told.advice[0],
        "no allow can lift statement 1 of the policy identity[0]: remove it, or narrow one of Action, NotResource"
    );
    // Even without the denial, nothing would allow the request.
    assert!(told.advice[2].starts_with("add to the identity policies"), "{:?}", told.advice);
}

#[test]
fn a_stranger_is_told_what_to_add_to_the_bucket_policy() {
    let bucket = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":["444455556666","arn:aws:iam::444455556666:role/a/b"]},"Action":"s3:*","Resource":"arn:aws:s3:::b"}}"#;
    let told = told(HOME, Some(bucket), "anonymous", "arn:aws:s3:::b", None);
    let principal = &told.statements[2].elements[0];
    assert_eq!((principal.element.as_str(), principal.matches), ("Principal", false));
    assert_eq!(principal.expected, ["arn:aws:iam::444455556666:root", "arn:aws:iam::444455556666:role/a/b"]);
    assert_eq!(principal.seen, Some(vec!["anonymous".to_owned()]));
    assert!(told.advice[1].contains(r#""Principal": "*", "Action": "s3:ListBucket""#), "{}", told.advice[1]);
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["statements"][2]["policy"], "resource");
    assert_eq!(json["decision"]["ImplicitDeny"]["missing"], "resource");
}

/// Rows in the form of the corpus.
#[test]
fn a_row_is_explained_as_it_is_decided() {
    let row = |extra: &str| {
        format!(
            r#"{{"id":"x","request":{{"principal":"{ALICE}","action":"s3:ListBucket","resource":"arn:aws:s3:::b","resourceAccount":"111122223333","context":{{"s3:prefix":"x"}}}},"identityPolicies":[{HOME}]{extra}}}"#
        )
        .replace('\n', " ")
    };
    let trust =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:ListBucket"}}"#;
    for (extra, decision, statements, advice) in [
        (String::new(), "ImplicitDeny", 2, 2),
        (
            format!(r#","resourcePolicy":{}"#, trust.replace("\"Action\"", "\"Resource\":\"*\",\"Action\"")),
            "Allow",
            3,
            0,
        ),
        (format!(r#","resourcePolicy":{trust},"resourcePolicyType":"trust""#), "Allow", 3, 0),
    ] {
        let line = row(&extra);
        let told: serde_json::Value = serde_json::from_str(&policy::cases::explain_line(&line)).unwrap();
        let decided: serde_json::Value = serde_json::from_str(&policy::cases::simulate_line(&line)).unwrap();
        for member in ["id", "decision", "policy", "statement"] {
            assert_eq!(told[member], decided[member], "{member} of {line}");
        }
        assert_eq!(told["decision"], decision, "{line}");
        assert_eq!(told["statements"].as_array().unwrap().len(), statements, "{told}");
        assert_eq!(told["advice"].as_array().unwrap().len(), advice, "{told}");
        let failed = &told["statements"][0]["elements"][2];
        let want = serde_json::json!(
            {"element": "StringLike s3:prefix", "matches": false, "expected": ["home/*", "pub?"], "seen": ["x"]}
        );
        assert_eq!(*failed, want);
    }
    let bad: serde_json::Value = serde_json::from_str(&policy::cases::explain_line(r#"{"id":7}"#)).unwrap();
    for (row, want) in [
        (
            r#"{"request":{"principal":"x","action":"a","resource":"r"},"identityPolices":[]}"#,
            "did you mean `identityPolicies`?",
        ),
        (
            r#"{"request":{"principal":"x","action":"a","resource":"r","contxt":{}}}"#,
            "request: the row is not a valid case: `contxt` is unknown",
        ),
    ] {
        assert!(policy::cases::simulate_line(row).contains(want), "{}", policy::cases::simulate_line(row));
    }
    assert!(bad["id"] == 7 && bad["error"].as_str().unwrap().starts_with("the row is not a valid case"), "{bad}");
}

#[test]
fn an_explanation_reads_as_text() {
    let text = told(HOME, None, ALICE, "arn:aws:s3:::b", None).to_string();
    for line in [
        "denied: no statement of the identity policies allows it",
        "identity[0], statement 0 (`Home`), Allow: does not apply",
        "  + Action: `s3:ListBucket`; the request has `s3:ListBucket`",
        "  - StringLike s3:prefix: `home/*`, `pub?`; the request has nothing",
        "identity[0], statement 1, Deny: does not apply",
        "To allow it:",
    ] {
        assert!(text.lines().any(|found| found == line), "`{line}` is not in\n{text}");
    }
}

/// Decisions without a statement, decisions of a trust policy, and an empty list of values.
#[test]
fn decisions_without_a_statement_are_explained_too() {
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":"a"}}}}"#;
    let trust = Policy::parse_stored(PolicyKind::Trust, trust).unwrap().compile();
    let mut context = Context::new();
    context.set_many("aws:TagKeys", []);
    let policies = PolicySet { cross_account: CrossAccount::Both, ..PolicySet::default() };
    let ask = |principal: &str, action: &str| {
        let principal: Principal = principal.parse().unwrap();
        let request = Request {
            principal: &principal,
            principal_id: None,
            principal_canonical_id: None,
            action: Action::named(action).unwrap().into(),
            resource: "arn:aws:iam::111122223333:role/r",
            resource_account: "111122223333".parse().unwrap(),
            context: &context,
        };
        (explain(&policies, &request), explain_trust(&trust, &policies, &request))
    };
    let root = ask("arn:aws:iam::111122223333:root", "s3:ListBucket").0;
    assert_eq!(root.summary, "allowed: the root user of the account that owns the resource");
    let identity = ask(ALICE, "sts:GetCallerIdentity").0;
    assert_eq!(identity.summary, "allowed: the action needs no permission");
    let (nothing, trusted) = ask(ALICE, "sts:AssumeRole");
    assert!(nothing.statements.is_empty());
    assert_eq!(trusted.statements.len(), 1);
    assert_eq!(trusted.summary, "denied: no statement of the resource policy allows it");
    let text = trusted.to_string();
    let line = "  - ForAnyValue:StringEquals aws:tagkeys: `a`; the request has an empty list";
    assert!(text.lines().any(|found| found == line), "{text}");
    assert!(trusted.advice[0].ends_with("(expected `a`, the request has an empty list)"), "{}", trusted.advice[0]);
}

#[test]
fn keys_that_a_relevant_statement_tests_are_reported_missing() {
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"StringLike":{"s3:prefix":"${aws:username}/*"},"Bool":{"aws:SecureTransport":"true"}}},
        {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::${aws:PrincipalTag/b}"},
        {"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"Bool":{"aws:other":"true"}}},
        {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::c","Condition":{"Bool":{"aws:other":"true"}}}]}"#;
    let identity = [Arc::new(Policy::parse_stored(PolicyKind::Identity, policy).unwrap().compile())];
    let mut context = Context::new();
    context.set("aws:SecureTransport", "true");
    let principal: Principal = ALICE.parse().unwrap();
    let policies = PolicySet { identity: &identity, cross_account: CrossAccount::Both, ..PolicySet::default() };
    let request = Request {
        principal: &principal,
        principal_id: None,
        principal_canonical_id: None,
        action: Action::named("s3:ListBucket").unwrap().into(),
        resource: "arn:aws:s3:::b",
        resource_account: "111122223333".parse().unwrap(),
        context: &context,
    };
    assert_eq!(policy::missing_keys(&policies, &request), ["s3:prefix", "aws:username", "aws:principaltag/b"]);
}

/// Following all the advice makes the request allowed.
#[test]
fn advice_names_everything_that_is_missing() {
    let row = |principal: &str, policies: &str| {
        format!(
            r#"{{"request":{{"principal":"{principal}","action":"s3:GetObject","resource":"arn:aws:s3:::b/k","resourceAccount":"111122223333","context":{{}}}},{policies}}}"#
        )
    };
    let nothing = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]}"#;
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;
    let allow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let stranger = "arn:aws:iam::999988887777:user/x";
    for (principal, policies, want) in [
        (ALICE, format!(r#""identityPolicies":[{allow}]"#), vec![]),
        (ALICE, String::from(r#""identityPolicies":[]"#), vec!["add to the identity policies"]),
        (
            ALICE,
            format!(r#""identityPolicies":[],"permissionBoundary":{nothing}"#),
            vec!["add to the identity policies", "add to the permissions boundary"],
        ),
        (ALICE, format!(r#""identityPolicies":[{allow},{deny}]"#), vec!["no allow can lift"]),
        (
            ALICE,
            format!(r#""identityPolicies":[],"permissionBoundary":{deny}"#),
            vec!["no allow can lift", "add to the identity policies", "add to the permissions boundary"],
        ),
        (
            stranger,
            format!(r#""identityPolicies":[],"permissionBoundary":{nothing}"#),
            vec!["add to the resource policy", "add to the identity policies", "add to the permissions boundary"],
        ),
        ("anonymous", String::from(r#""identityPolicies":[]"#), vec!["add to the resource policy"]),
    ] {
        let told: serde_json::Value =
            serde_json::from_str(&policy::cases::explain_line(&row(principal, &policies))).unwrap();
        let advice: Vec<&str> = told["advice"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        let advice: Vec<&str> = advice.into_iter().filter(|text| !text.contains("would allow it but for")).collect();
        assert_eq!(advice.len(), want.len(), "{policies}: {advice:?}");
        assert!(advice.iter().zip(&want).all(|(text, want)| text.starts_with(want)), "{policies}: {advice:?}");
    }
}

/// `RestrictPublicBuckets` is nothing that a statement could lift.
#[test]
fn a_restricted_bucket_is_explained() {
    let principal: Principal = "arn:aws:iam::999988887777:user/x".parse().unwrap();
    let open = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:s3:::b/*"}}"#;
    let open = Policy::parse_stored(PolicyKind::Bucket, open).unwrap().compile();
    let policies = PolicySet {
        resource: Some(&open),
        restricted_to: Some("111122223333".parse().unwrap()),
        ..PolicySet::default()
    };
    let request = Request {
        principal: &principal,
        principal_id: None,
        principal_canonical_id: None,
        action: Action::named("s3:GetObject").unwrap().into(),
        resource: "arn:aws:s3:::b/k",
        resource_account: "111122223333".parse().unwrap(),
        context: &Context::new(),
    };
    let told = policy::explain(&policies, &request);
    assert!(told.summary.contains("RestrictPublicBuckets"), "{}", told.summary);
    assert!(told.advice.iter().all(|advice| advice.contains("RestrictPublicBuckets")), "{:?}", told.advice);
    assert_eq!(told.advice.len(), 1);
}
