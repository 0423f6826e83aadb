//! What DecodeAuthorizationMessage tells of a refusal.

use std::sync::Arc;

use access::{DecisionInput, NoObserver, decide, refusal_details};
use iam::{Caller, Change, RolePlace, RoleRecord};
use policy::{Context, Decision, Origin, PolicyType};
use s3::Requirement;
use serde_json::Value;

use crate::world::{World, policy};

const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
    {"Sid":"Closed","Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"Mine","Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}"#;
const ROLE: &str = "arn:aws:iam::111122223333:role/app";

fn need(action: &'static str) -> Requirement {
    let resource = if action == "sts:AssumeRole" { ROLE } else { "arn:aws:s3:::bkt/k" };
    Requirement::on_resource(action, resource.to_owned())
}

/// The details of a refusal of Alice's, who has the policy `closed`.
fn details(action: &'static str, decision: Option<Decision>, context: &Context) -> Value {
    let mut world = World::new();
    let record = RoleRecord { name: "app".to_owned(), trust_policy: TRUST.to_owned(), ..RoleRecord::default() };
    let role = Change::Role("app".into(), RolePlace::Base, Some(Ok(record)));
    world.snapshot = world.snapshot.apply([policy("closed", DENY), role]);
    let policies = Arc::from([Arc::clone(&world.snapshot.policy("closed").unwrap().compiled)]);
    let sources = Arc::from([iam::PolicySource::Attached("closed".into())]);
    let alice = Caller { policies, sources, ..Caller::of(world.snapshot.user("alice").unwrap()) };
    let input = DecisionInput { caller: &alice, snapshot: &world.snapshot, context, observer: &NoObserver };
    let need = need(action);
    let role = world.snapshot.role("app").filter(|_| action == "sts:AssumeRole");
    let decision = decision.unwrap_or_else(|| decide(&need, input));
    serde_json::from_str(&refusal_details(&need, decision, role.map(|role| &**role), input)).unwrap()
}

#[test]
fn who_asked_for_what_and_which_statement_denied() {
    let deny = |policy| Some(Decision::ExplicitDeny { by: Origin { policy, statement: 0 } });
    let missing = |missing| Some(Decision::ImplicitDeny { missing });
    for (action, decision, explicit, kind, statement) in [
        ("s3:GetObject", None, true, "identity", Some(("attached policy `closed`", "Closed"))),
        ("s3:GetObject", missing(PolicyType::Boundary), false, "boundary", None),
        ("sts:AssumeRole", deny(PolicyType::Resource), true, "resource", Some(("trust policy of role `app`", "Mine"))),
        ("sts:AssumeRole", missing(PolicyType::Resource), false, "resource", None),
    ] {
        let details = details(action, decision, &Context::new());
        assert_eq!(details["allowed"], false, "{action} {decision:?}");
        assert_eq!((details["explicitDeny"].as_bool(), details["policyType"].as_str()), (Some(explicit), Some(kind)));
        let statements = details["matchedStatements"]["items"].as_array().unwrap();
        let told = statements.first().map(|first| (first["policy"].as_str().unwrap(), first["statementId"].as_str()));
        assert_eq!(told, statement.map(|(policy, sid)| (policy, Some(sid))), "{action} {decision:?}");
        assert!(statements.len() <= 1 && statements.iter().all(|statement| statement["effect"] == "DENY"));
        let context = &details["context"];
        assert_eq!(context["principal"]["arn"], "arn:aws:iam::111122223333:user/alice");
        assert!(context["principal"]["id"].as_str().is_some_and(|id| id.starts_with("AIDA")));
        assert_eq!(context["action"], action);
        assert_eq!(context["resource"], need(action).resource);
    }
}

#[test]
fn condition_keys_are_told_but_for_secrets_and_the_excess() {
    let mut context = Context::new();
    context.set("sts:ExternalId", "secret");
    context.set("aws:UserAgent", "é".repeat(300));
    for number in 0..100 {
        context.add("aws:TagKeys", format!("t{number}"));
        context.set(format!("aws:RequestTag/t{number}"), "v");
    }
    let details = details("s3:GetObject", None, &context);
    let items = details["context"]["conditions"]["items"].as_array().unwrap();
    assert_eq!(items.len(), 64);
    assert!(!details.to_string().contains("secret"), "only the caller and the owner of the role know it");
    let agent = items.iter().find(|item| item["key"] == "aws:UserAgent").unwrap();
    assert_eq!(agent["values"]["items"][0]["value"], "é".repeat(256));
}
