//! Nanoseconds per decision, by number of statements: the minimum of seven windows of CPU time.
//!
//! `cargo bench -p policy`. The workloads are those that other evaluators were measured with: `prefix`, where the request matches
//! the last of N statements, `cond`, the same with conditions, and two that are meant to hurt.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use policy::{
    Action, CompiledPolicy, Context, CrossAccount, Policy, PolicyKind, PolicySet, Principal, Request, decide,
};

const WINDOWS: usize = 7;

/// Nanoseconds that this thread has run; the kernel counts them in `schedstat`.
fn cpu_ns() -> Option<u64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// Nanoseconds per call.
fn measure(mut call: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    let mut calls = 1_u64;
    for _ in 0..WINDOWS {
        loop {
            let (wall, cpu) = (Instant::now(), cpu_ns());
            (0..calls).for_each(|_| call());
            let ns = match (cpu, cpu_ns()) {
                (Some(before), Some(after)) if after > before => after - before,
                _ => u64::try_from(wall.elapsed().as_nanos()).unwrap_or(u64::MAX),
            };
            if ns > 120_000_000 {
                best = best.min(ns as f64 / calls as f64);
                break;
            }
            calls *= 2;
        }
    }
    best
}

fn parse(statements: &[String]) -> Policy {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    Policy::parse_stored(PolicyKind::Identity, &text).unwrap_or_else(|error| panic!("{error}"))
}

fn decision_ns(statements: &[String], resource: &str) -> (f64, bool) {
    let identity = [Arc::new(parse(statements).compile())];
    let principal: Principal = "arn:aws:iam::111122223333:user/alice".parse().expect("an ARN");
    let mut context = Context::new();
    for (key, value) in [
        ("aws:SourceIp", "10.1.2.3"),
        ("aws:SecureTransport", "true"),
        ("aws:CurrentTime", "2026-11-21T10:00:00Z"),
        ("aws:EpochTime", "1795255200"),
        ("aws:UserAgent", "aws-cli/2.1"),
        ("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"),
        ("aws:PrincipalAccount", "111122223333"),
        ("aws:username", "alice"),
        ("aws:userid", "AIDAALICE"),
        ("s3:authType", "REST-HEADER"),
        ("s3:signatureversion", "AWS4-HMAC-SHA256"),
        ("s3:TlsVersion", "1.3"),
    ] {
        context.set(key, value);
    }
    let request = Request {
        principal: &principal,
        principal_canonical_id: None,
        action: Action::named("s3:GetObject").expect("an action").into(),
        resource,
        resource_account: "111122223333".parse().expect("an account"),
        context: &context,
    };
    let policies = PolicySet {
        identity: &identity,
        resource: None,
        session: None,
        boundary: None,
        cross_account: CrossAccount::Both,
    };
    let allowed = decide(&policies, &request).is_allow();
    (measure(|| _ = black_box(decide(black_box(&policies), black_box(&request)))), allowed)
}

fn prefix(count: usize) -> Vec<String> {
    let one = |i| {
        format!(
            r#"{{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::bucket/team-{i}/*"}}"#
        )
    };
    (0..count).map(one).collect()
}

fn cond(count: usize) -> Vec<String> {
    let condition = r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:username":"alice"}}"#;
    prefix(count)
        .into_iter()
        .map(|statement| format!("{},\"Condition\":{condition}}}", statement.trim_end_matches('}')))
        .collect()
}

fn main() {
    println!("workload            statements   ns per decision");
    for (name, workload) in [("prefix", prefix as fn(usize) -> Vec<String>), ("cond", cond)] {
        for count in [1, 10, 100, 1_000, 10_000] {
            let (ns, allowed) =
                decision_ns(&workload(count), &format!("arn:aws:s3:::bucket/team-{}/a/key.txt", count - 1));
            assert!(allowed);
            println!("{name:<20}{count:>10}{ns:>18.0}");
        }
    }
    let key = "a".repeat(1000);
    let stars =
        vec![format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/{}b"}}"#, "*a".repeat(100))];
    println!("{:<20}{:>10}{:>18.0}", "100 stars", 1, decision_ns(&stars, &format!("arn:aws:s3:::b/{key}")).0);
    let marks: Vec<String> = (0..5000)
        .map(|i| {
            format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/*a?{}*"}}"#, "a?".repeat(i % 40))
        })
        .collect();
    println!("{:<20}{:>10}{:>18.0}", "a?a?a?", 40, decision_ns(&marks[..40], &format!("arn:aws:s3:::b/{key}")).0);
    let contains: Vec<String> = (0..1000)
        .map(|i| format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/*w{i}*"}}"#))
        .collect();
    for (name, key) in [("*w{i}*, no hit", key), ("*w{i}*, hits", "w12".repeat(330))] {
        println!("{name:<20}{:>10}{:>18.0}", 1000, decision_ns(&contains, &format!("arn:aws:s3:::b/{key}")).0);
    }
    for count in [10, 1_000, 10_000] {
        let policy = parse(&cond(count));
        let ns = measure(|| _ = black_box::<CompiledPolicy>(policy.compile()));
        println!("{:<20}{count:>10}{:>18.0}", "compile, each", ns / count as f64);
    }
}
