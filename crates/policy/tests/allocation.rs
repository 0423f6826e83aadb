//! A decision allocates nothing: policies are compiled beforehand, and the caller builds the context.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_macros, reason = "the test reports what it measured")]

use std::alloc::System;
use std::sync::Arc;

use policy::{
    Action, CompiledPolicy, Context, CrossAccount, Policy, PolicyKind, PolicySet, Principal, Request, decide,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn compile(kind: PolicyKind, statements: &[String]) -> CompiledPolicy {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    Policy::parse_stored(kind, &text).unwrap_or_else(|error| panic!("{error}: {text}")).compile()
}

fn a_decision_allocates_nothing() {
    const CONDITIONS: [&str; 14] = [
        r#"{"StringLike":{"s3:prefix":["${aws:username}/*","a*b?c*"]}}"#,
        r#"{"StringEqualsIgnoreCase":{"aws:username":["ÄLICE","${aws:userid}"]}}"#,
        r#"{"NumericLessThanEquals":{"s3:max-keys":"010.0"}}"#,
        r#"{"DateLessThan":{"aws:CurrentTime":"2030-01-01T00:00:00+02:00"}}"#,
        r#"{"DateGreaterThan":{"aws:CurrentTime":"1700000000"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}"#,
        r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}}"#,
        r#"{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/${aws:username}"}}"#,
        r#"{"Bool":{"aws:SecureTransport":"true"}}"#,
        r#"{"BinaryEquals":{"test:blob":"QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}"#,
        r#"{"Null":{"aws:TokenIssueTime":"true"}}"#,
        r#"{"ForAllValues:StringLike":{"aws:TagKeys":["a*","b?"]}}"#,
        r#"{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["a","b"]}}"#,
        r#"{"StringNotEqualsIfExists":{"s3:x-amz-acl":"private"}}"#,
    ];
    let mut identity = Vec::new();
    let mut bucket = Vec::new();
    for (i, condition) in CONDITIONS.iter().enumerate() {
        for resource in
            ["arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}/*x?", "arn:aws:s3:*:*:b/*", "arn:aws:s3:::b/*l?ce*"]
        {
            let tail =
                format!(r#""Action":["s3:Get*","s3:PutObject"],"Resource":"{resource}","Condition":{condition}}}"#);
            identity.push(format!(r#"{{"Effect":"Deny","Sid":"S{i}",{}"#, tail.replace("s3:Get*", "s3:Delete*")));
            identity.push(format!(r#"{{"Effect":"Allow",{tail}"#));
            bucket.push(format!(r#"{{"Effect":"Allow","Principal":{{"AWS":["444455556666","arn:aws:iam::111122223333:user/bob"]}},{tail}"#));
        }
    }
    identity.push(r#"{"Effect":"Deny","NotAction":"s3:*","NotResource":"arn:aws:s3:::b/${aws:none}*"}"#.to_owned());
    let identity = [
        Arc::new(compile(PolicyKind::Identity, &identity)),
        Arc::new(CompiledPolicy::compile_legacy(&["Read:b/a*".into()]).0),
    ];
    let bucket = compile(PolicyKind::Bucket, &bucket);
    let boundary = compile(PolicyKind::Boundary, &[r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#.to_owned()]);
    let mut context = Context::new();
    for (key, value) in [
        ("aws:username", "alice"),
        ("aws:userid", "AIDA"),
        ("s3:prefix", "alice/x"),
        ("s3:max-keys", "10"),
        ("aws:CurrentTime", "2026-11-21T10:00:00.5Z"),
        ("aws:SourceIp", "10.1.2.3"),
        ("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"),
        ("aws:SecureTransport", "true"),
        ("test:blob", "QmluYXJ5VmFsdWVJbkJhc2U2NA=="),
    ] {
        context.set(key, value);
    }
    context.set_many("aws:TagKeys", ["a".to_owned(), "bc".to_owned()]);
    let principal: Principal = "arn:aws:iam::111122223333:user/alice".parse().unwrap();
    let policies = PolicySet {
        identity: &identity,
        resource: Some(&bucket),
        boundary: Some(&boundary),
        cross_account: CrossAccount::Both,
        ..PolicySet::default()
    };
    let long = format!("arn:aws:s3:::b/alice/{}", "x/".repeat(480));
    for (action, resource, allowed) in [
        ("s3:GetObject", "arn:aws:s3:::b/alice/1xx", true),
        ("s3:GetObject", &long, true),
        ("s3:DeleteObject", "arn:aws:s3:::b/k", false),
        ("iam:GetUser", "*", false),
    ] {
        let request = Request {
            principal: &principal,
            principal_id: None,
            principal_canonical_id: None,
            action: Action::named(action).unwrap().into(),
            resource,
            resource_account: "111122223333".parse().unwrap(),
            context: &context,
        };
        let region = Region::new(ALLOCATOR);
        let decision = decide(&policies, &request);
        let change = region.change();
        assert_eq!(decision.is_allow(), allowed, "{action} {resource}: {decision:?}");
        assert_eq!((change.allocations, change.reallocations), (0, 0), "{action} {resource}");
    }
}

fn a_statement_takes_less_than_a_kibibyte() {
    let statements: Vec<String> = (0..1000)
        .map(|i| format!(r#"{{"Sid":"S{i}","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::bucket-{i}/prefix/{i}/*","Condition":{{"StringEquals":{{"aws:PrincipalTag/team":"red"}}}}}}"#))
        .collect();
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    let policy = Policy::parse_stored(PolicyKind::Identity, &text).unwrap();
    let region = Region::new(ALLOCATOR);
    let compiled = policy.compile();
    let change = region.change();
    let bytes = (change.bytes_allocated - change.bytes_deallocated) / compiled.len();
    println!("{bytes} bytes per statement");
    assert!(bytes < 1024, "{bytes} bytes per statement");
}

/// This is a single test because the counters belong to the whole process.
#[test]
fn memory() {
    a_decision_allocates_nothing();
    a_statement_takes_less_than_a_kibibyte();
}
