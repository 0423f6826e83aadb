//! Stored policies and rows have no size limit, so the time they take must grow linearly. Comparing every pair of parts
//! would take many minutes here; the time limit only makes such a failure quick.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the tests have time limits")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use policy::cases::simulate_line;
use policy::{
    Action, Context, CrossAccount, Policy, PolicyKind, PolicySet, Request, missing_keys, statement_spans, validate,
};
use serde_json::Value;

fn parts(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect::<Vec<_>>().join(",")
}

fn row(statement: &str, context: &str) -> String {
    format!(
        r#"{{"request":{{"principal":"arn:aws:iam::111122223333:user/u","action":"s3:GetObject","resource":"arn:aws:s3:::b/k","resourceAccount":"111122223333","context":{{{context}}}}},"identityPolicies":[{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"s3:GetObject"{statement}}}}}]}}"#
    )
}

#[test]
fn large_rows_are_answered_quickly() {
    let key = |i| format!(r#""aws:k{i}":"v""#);
    let elements = parts(100_000, |i| format!(r#""X{i}":1"#));
    let keys = parts(100_000, key);
    let no_variables = "${a".repeat(100_000);
    for (what, row, want) in [
        ("keys of the request", row(r#","Resource":"*""#, &parts(20_000, key)), "Allow"),
        (
            "keys of a condition",
            row(&format!(r#","Resource":"*","Condition":{{"StringEquals":{{{keys}}}}}"#), ""),
            "ImplicitDeny",
        ),
        ("unknown elements", row(&format!(r#","Resource":"*",{elements}"#), ""), "error"),
        (
            "texts that only look like variables",
            row(&format!(r#","Resource":"arn:aws:s3:::b/{no_variables}""#), ""),
            "ImplicitDeny",
        ),
    ] {
        let started = Instant::now();
        let answer: Value = serde_json::from_str(&simulate_line(&row)).unwrap();
        let took = started.elapsed();
        assert_eq!(answer["decision"].as_str().unwrap_or("error"), want, "{what}");
        assert!(took < Duration::from_secs(120), "{what}: {took:?}");
    }
}

#[test]
fn many_keys_are_named_quickly() {
    let keys = parts(100_000, |i| format!(r#""aws:RequestTag/k{i}":"v""#));
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{{"StringEquals":{{{keys}}}}}}}}}"#
    );
    let started = Instant::now();
    let policy = Policy::parse_stored(PolicyKind::Identity, &text).unwrap();
    assert_eq!(policy.context_keys().len(), 100_000);
    let identity = [Arc::new(policy.compile())];
    let policies = PolicySet { identity: &identity, cross_account: CrossAccount::Both, ..PolicySet::default() };
    let request = Request {
        principal: &"arn:aws:iam::111122223333:user/u".parse().unwrap(),
        principal_id: None,
        principal_canonical_id: None,
        action: Action::named("s3:GetObject").unwrap().into(),
        resource: "arn:aws:s3:::b/k",
        resource_account: "111122223333".parse().unwrap(),
        context: &Context::new(),
    };
    assert_eq!(missing_keys(&policies, &request).len(), 100_000);
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
}

#[test]
fn many_statements_are_found_quickly() {
    let statements = parts(100_000, |_| r#"{"Effect":"Allow"}"#.to_owned());
    let started = Instant::now();
    let spans = statement_spans(&format!(r#"{{"Statement":[{statements}]}}"#));
    assert_eq!(spans.last().map(|span| span.end.column), Some(14 + 100_000 * 19));
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
}

#[test]
fn many_faults_are_named_quickly() {
    let unknown = parts(5_000, |i| format!(r#""s3:Gut{i}""#));
    let covered = parts(30_000, |i| format!(r#""s3:{}*""#, ["", "G", "Ge", "P", "D", "L"][i % 6]));
    for actions in [unknown, covered] {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":[{actions}],"Resource":"*"}}]}}"#
        );
        let started = Instant::now();
        assert!(validate(PolicyKind::Identity, None, &text).len() >= 5_000);
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    }
}

#[test]
fn many_actions_are_checked_quickly() {
    let actions = parts(10_000, |i| format!(r#""ec2:Run{i}""#));
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["s3:GetObject","s3:Get*",{actions}],"Resource":"*"}}]}}"#
    );
    let started = Instant::now();
    let findings = validate(PolicyKind::Identity, None, &text);
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
    let covered = findings.iter().find(|finding| finding.path == "Statement[0].Action[0]").unwrap();
    assert!(covered.message.contains("is covered by another action"), "{covered:?}");
}
