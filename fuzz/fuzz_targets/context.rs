//! A pattern, a condition operator and a request: the decision terminates, and the explanation agrees with it.
//!
//! The lines of the input are: the resource pattern, operator, key, value in the policy, resource, value in the
//! request.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use policy::{
    Context, CrossAccount, Policy, PolicyKind, PolicySet, Principal, Request, RequestAction, decide, explain,
};
use serde_json::json;

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(6, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (pattern, operator, key, expected, resource, seen) = (next(), next(), next(), next(), next(), next());
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": format!("arn:aws:s3:::{pattern}"), "Condition": {operator: {key: expected}}},
        {"Effect": "Deny", "Action": "s3:*", "NotResource": format!("arn:aws:s3:::{pattern}")},
    ]});
    let Ok(policy) = Policy::parse_stored(PolicyKind::Identity, &document.to_string()) else { return };
    let identity = [Arc::new(policy.compile())];
    let Ok(principal) = "arn:aws:iam::111122223333:user/al".parse::<Principal>() else { return };
    let Some(account) = principal.account() else { return };
    let mut context = Context::new();
    if seen.contains(',') {
        context.set_many(key, seen.split(',').map(str::to_owned));
    } else {
        context.set(key, seen);
    }
    let resource = format!("arn:aws:s3:::{resource}");
    let request = Request {
        principal: &principal,
        principal_id: None,
        principal_canonical_id: None,
        action: RequestAction::named("s3:GetObject"),
        resource: &resource,
        resource_account: account,
        context: &context,
    };
    let policies = PolicySet {
        identity: &identity,
        resource: None,
        session: None,
        boundary: None,
        cross_account: CrossAccount::Both,
        acl: None,
        is_foreign: false,
        restricted_to: None,
    };
    let decision = decide(&policies, &request);
    let told = explain(&policies, &request);
    assert_eq!(told.decision, decision);
    let applies = |effect: &str| told.statements.iter().any(|said| said.applies && said.effect == effect);
    assert_eq!(decision.is_allow(), applies("Allow") && !applies("Deny"), "the index and the statements disagree");
});
