//! What callers with `sts:DecodeAuthorizationMessage` learn of a refusal.

use iam::Role;
use policy::Decision;
use serde_json::{Value, json};

use crate::audit::{AuditedDecision, PolicyOwner};
use crate::decision_input::DecisionInput;
use s3::Requirement;

/// The most characters shown of a condition key's value.
const VALUE_CHARS_MAX: usize = 256;
/// The most condition keys shown.
const KEYS_MAX: usize = 64;
/// What only the caller and the owner of a role know.
const EXTERNAL_ID: &str = "sts:ExternalId";

/// JSON in the form of AWS's `DecodedMessage`. `role` is the one that was to be assumed. Keys that hold a secret are left out.
pub fn refusal_details(
    need: &Requirement,
    decision: Decision,
    role: Option<&Role>,
    input: DecisionInput<'_>,
) -> String {
    let owner = role.map_or(PolicyOwner::BucketOf(&need.resource), PolicyOwner::Role);
    let decided = AuditedDecision::of(need, decision, owner, input);
    let is_denied = matches!(decision, Decision::ExplicitDeny { .. });
    let statement = json!({"statementId": decided.sid, "effect": "DENY", "policy": decided.policy});
    let shown = |value: &String| json!({"value": value.chars().take(VALUE_CHARS_MAX).collect::<String>()});
    let condition = |(key, values): (&str, &[String])| json!({"key": key, "values": {"items": values.iter().map(shown).collect::<Vec<Value>>()}});
    let shown_keys = input.context.iter().filter(|(key, _)| !key.eq_ignore_ascii_case(EXTERNAL_ID));
    let conditions: Vec<Value> = shown_keys.take(KEYS_MAX).map(condition).collect();
    json!({
        "allowed": false,
        "explicitDeny": is_denied,
        "policyType": decided.policy_type(),
        "matchedStatements": {"items": if is_denied { vec![statement] } else { Vec::new() }},
        "failures": {"items": []},
        "context": {
            "principal": {"id": &*input.caller.user_id, "arn": &*input.caller.arn},
            "action": need.action,
            "resource": need.resource,
            "conditions": {"items": conditions},
        },
    })
    .to_string()
}
