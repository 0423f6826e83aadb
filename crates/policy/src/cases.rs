//! Batch mode: one JSON line in, one JSON line out. The rows have the form of the corpus; a bad row gives a line with
//! `error`. A key that is unknown is an error: a policy under a misspelt key would not count.

use std::collections::BTreeMap;
use std::sync::Arc;

use ids::AccountId;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::action::RequestAction;
use crate::compiled::CompiledPolicy;
use crate::context::Context;
use crate::decide::{CrossAccount, Decision, Origin, PolicySet, PolicyType, decide, decide_trust};
use crate::error::PolicyError;
use crate::explain::{Explanation, explain, explain_trust};
use crate::grammar::nearest;
use crate::policy::Policy;
use crate::policy_kind::PolicyKind;
use crate::principal::Principal;
use crate::request::Request;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow)]
    request: &'a RawValue,
    #[serde(borrow, default)]
    identity_policies: Vec<&'a RawValue>,
    #[serde(borrow)]
    resource_policy: Option<&'a RawValue>,
    resource_policy_type: Option<String>,
    #[serde(borrow)]
    session_policy: Option<&'a RawValue>,
    #[serde(borrow)]
    permission_boundary: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestRow<'a> {
    principal: String,
    principal_canonical_id: Option<String>,
    action: String,
    resource: String,
    resource_account: Option<String>,
    #[serde(borrow, default)]
    context: Option<&'a RawValue>,
}

/// The keys of a row with a request.
const ROW: [&str; 6] =
    ["request", "identityPolicies", "resourcePolicy", "resourcePolicyType", "sessionPolicy", "permissionBoundary"];
/// The keys of its request.
const REQUEST: [&str; 6] = ["principal", "principalCanonicalId", "action", "resource", "resourceAccount", "context"];
/// Keys that say where a row is from and what is expected of it. They decide nothing.
const NOTES: [&str; 14] = [
    "id",
    "source",
    "ref",
    "why",
    "note",
    "tags",
    "expected",
    "oracles",
    "judgement",
    "ruling",
    "confidence",
    "error",
    "reason",
    "message",
];

/// Refuses a row with a key that is neither one of these nor a note.
pub fn refuse_unknown_keys(row: &str, known: &[&'static str]) -> Result<(), String> {
    let row: BTreeMap<String, IgnoredAny> = serde_json::from_str(row).map_err(|error| not_a_case(&error))?;
    let all = || known.iter().chain(&NOTES).copied();
    let Some(unknown) = row.keys().find(|key| all().all(|known| known != key.as_str())) else { return Ok(()) };
    let meant = nearest(unknown, all()).map(|known| format!("; did you mean `{known}`?"));
    let meant = meant.unwrap_or_else(|| format!("; write {}", known.join(", ")));
    Err(format!("the row is not a valid case: `{unknown}` is unknown{meant}"))
}

fn not_a_case(error: &serde_json::Error) -> String {
    format!("the row is not a valid case: {error}")
}

/// Answers one line of a file with one of the functions below. A line that is not UTF-8 is refused: with replacement
/// characters, the decision would be about a different text.
pub fn answer_line(line: &[u8], answer: fn(&str) -> String) -> String {
    match std::str::from_utf8(line) {
        Ok(text) => answer(text.trim()),
        Err(error) => {
            let id = id_of(&String::from_utf8_lossy(line));
            let place = error.valid_up_to() + 1;
            json!({"id": id, "error": format!("the row is not UTF-8: its byte {place} is not part of any character")})
                .to_string()
        }
    }
}

/// Decides one row of `decisions-*.jsonl`, with AWS's cross-account rule.
pub fn simulate_line(line: &str) -> String {
    let id = id_of(line);
    match simulate(line) {
        Ok((decision, policy, statement)) => {
            json!({"id": id, "decision": decision, "policy": policy, "statement": statement}).to_string()
        }
        Err(error) => json!({"id": id, "error": error}).to_string(),
    }
}

/// Validates one row of `validation.jsonl`.
pub fn validate_line(line: &str) -> String {
    let id = id_of(line);
    match validate(line) {
        Ok((result, error, message)) => {
            json!({"id": id, "result": result, "error": error, "message": message}).to_string()
        }
        Err(error) => json!({"id": id, "error": error}).to_string(),
    }
}

fn id_of(line: &str) -> Value {
    let row: Option<Value> = serde_json::from_str(line).ok();
    row.and_then(|row| row.get("id").cloned()).unwrap_or(Value::Null)
}

/// A row, parsed: the policies compiled, the request ready.
struct Case {
    identity: Vec<Arc<CompiledPolicy>>,
    resource: Option<Arc<CompiledPolicy>>,
    is_trust: bool,
    session: Option<Arc<CompiledPolicy>>,
    boundary: Option<Arc<CompiledPolicy>>,
    principal: Principal,
    account: AccountId,
    context: Context,
}

impl Case {
    fn new(row: &Row<'_>, request: &RequestRow<'_>) -> Result<Self, String> {
        let compile = |name: String, kind, document: &RawValue| {
            let policy = Policy::parse_stored(kind, document.get()).map_err(|error| format!("{name}: {error}"))?;
            Ok::<_, String>(Arc::new(policy.compile()))
        };
        let numbered = row.identity_policies.iter().enumerate();
        let identity: Result<Vec<_>, _> = numbered
            .map(|(i, document)| compile(format!("identityPolicies[{i}]"), PolicyKind::Identity, document))
            .collect();
        let is_trust = match row.resource_policy_type.as_deref() {
            None | Some("bucket") => false,
            Some("trust") => true,
            Some(other) => return Err(format!("resourcePolicyType: `{other}` is neither `trust` nor `bucket`")),
        };
        let resource_kind = if is_trust { PolicyKind::Trust } else { PolicyKind::Bucket };
        let one = |name: &str, kind, document: Option<&RawValue>| {
            document.map(|document| compile(name.to_owned(), kind, document)).transpose()
        };
        let principal: Principal = request.principal.parse().map_err(|error| format!("request.principal: {error}"))?;
        let account = match request.resource_account.as_deref() {
            Some(account) => account.parse().map_err(|error| format!("request.resourceAccount: {error}"))?,
            None => principal.account().ok_or("request.resourceAccount is missing")?,
        };
        Ok(Self {
            identity: identity?,
            resource: one("resourcePolicy", resource_kind, row.resource_policy)?,
            is_trust,
            session: one("sessionPolicy", PolicyKind::Session, row.session_policy)?,
            boundary: one("permissionBoundary", PolicyKind::Boundary, row.permission_boundary)?,
            principal,
            account,
            context: context_of(request.context)?,
        })
    }

    fn policies(&self) -> PolicySet<'_> {
        PolicySet {
            identity: &self.identity,
            resource: self.resource.as_deref(),
            session: self.session.as_deref(),
            boundary: self.boundary.as_deref(),
            cross_account: CrossAccount::Both,
            ..PolicySet::default()
        }
    }

    fn request<'a>(&'a self, row: &'a RequestRow<'_>) -> Request<'a> {
        Request {
            principal: &self.principal,
            principal_id: None,
            principal_canonical_id: row.principal_canonical_id.as_deref(),
            action: RequestAction::named(&row.action),
            resource: &row.resource,
            resource_account: self.account,
            context: &self.context,
        }
    }

    /// The trust policy of a role takes the place of a resource policy.
    fn trust(&self) -> Option<&CompiledPolicy> {
        self.resource.as_deref().filter(|_| self.is_trust)
    }
}

fn row_of(line: &str) -> Result<(Row<'_>, RequestRow<'_>), String> {
    let row: Row<'_> = serde_json::from_str(line).map_err(|error| not_a_case(&error))?;
    refuse_unknown_keys(line, &ROW)?;
    let request = row.request.get();
    let read = serde_json::from_str(request).map_err(|error| format!("request: {error}"))?;
    refuse_unknown_keys(request, &REQUEST).map_err(|error| format!("request: {error}"))?;
    Ok((row, read))
}

fn simulate(line: &str) -> Result<(&'static str, Value, Value), String> {
    let (row, request) = row_of(line)?;
    let case = Case::new(&row, &request)?;
    let (policies, request) = (case.policies(), case.request(&request));
    let decision = match case.trust() {
        Some(trust) => decide_trust(trust, &policies, &request),
        None => decide(&policies, &request),
    };
    Ok(shown(&decision, &policies))
}

/// Explains one row of `decisions-*.jsonl`. The result is what [`simulate_line`] answers, every statement considered
/// with what its elements expect and what the request has, and the smallest changes that would allow the request.
pub fn explain_line(line: &str) -> String {
    let id = id_of(line);
    let explained = with_explanation(line, |explanation, (decision, policy, statement)| {
        json!({
            "id": id, "decision": decision, "policy": policy, "statement": statement, "summary": explanation.summary,
            "statements": explanation.statements, "advice": explanation.advice,
        })
        .to_string()
    });
    explained.unwrap_or_else(|error| json!({"id": id, "error": error}).to_string())
}

/// Explains one row as readable text.
///
/// The error says why the row is not a valid case.
pub fn explain_text(row: &str) -> Result<String, String> {
    with_explanation(row, |explanation, _| explanation.to_string())
}

fn with_explanation<T>(
    line: &str,
    tell: impl FnOnce(&Explanation, (&'static str, Value, Value)) -> T,
) -> Result<T, String> {
    let (row, request) = row_of(line)?;
    let case = Case::new(&row, &request)?;
    let (policies, request) = (case.policies(), case.request(&request));
    let explanation = match case.trust() {
        Some(trust) => explain_trust(trust, &policies, &request),
        None => explain(&policies, &request),
    };
    let shown = shown(&explanation.decision, &policies);
    Ok(tell(&explanation, shown))
}

fn context_of(raw: Option<&RawValue>) -> Result<Context, String> {
    let mut context = Context::new();
    let Some(raw) = raw else { return Ok(context) };
    let Value::Object(keys) = serde_json::from_str(raw.get()).map_err(|error| format!("request.context: {error}"))?
    else {
        return Err("request.context: expected an object".to_owned());
    };
    let text = |key: &str, value: Value| match value {
        Value::String(text) => Ok(text),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(format!("request.context.{key}: expected a string or an array of strings")),
    };
    for (key, value) in keys {
        match value {
            Value::Array(values) => {
                let values: Result<Vec<String>, String> = values.into_iter().map(|value| text(&key, value)).collect();
                context.set_many(key, values?);
            }
            value => {
                let value = text(&key, value)?;
                context.set(key, value);
            }
        }
    }
    Ok(context)
}

fn shown(decision: &Decision, policies: &PolicySet<'_>) -> (&'static str, Value, Value) {
    let (outcome, by) = match decision {
        Decision::Allow { by } => ("Allow", by),
        Decision::ExplicitDeny { by } => ("ExplicitDeny", by),
        Decision::ImplicitDeny { .. } => return ("ImplicitDeny", Value::Null, Value::Null),
    };
    let statement =
        |policy: Option<&CompiledPolicy>, by: &Origin| match policy.and_then(|policy| policy.sid(by.statement)) {
            Some(sid) => json!(sid),
            None => json!(by.statement),
        };
    match by.policy {
        PolicyType::Identity(place) => (
            outcome,
            json!(format!("identity[{place}]")),
            statement(policies.identity.get(place).map(|policy| &**policy), by),
        ),
        PolicyType::Resource => (outcome, json!("resource"), statement(policies.resource, by)),
        PolicyType::Session => (outcome, json!("session"), statement(policies.session, by)),
        PolicyType::Boundary => (outcome, json!("boundary"), statement(policies.boundary, by)),
        PolicyType::Root => (outcome, json!("root"), Value::Null),
        PolicyType::Acl | PolicyType::PublicAccessBlock | PolicyType::NotNeeded => (outcome, Value::Null, Value::Null),
    }
}

#[derive(Deserialize)]
struct ValidationRow {
    kind: String,
    document: String,
    bucket: Option<String>,
}

fn message_of(error: &PolicyError) -> String {
    match error.path() {
        "" => error.message().to_owned(),
        path => format!("{} (at {path})", error.message()),
    }
}

fn validate(line: &str) -> Result<(&'static str, Value, Value), String> {
    let row: ValidationRow = serde_json::from_str(line).map_err(|error| not_a_case(&error))?;
    refuse_unknown_keys(line, &["kind", "document", "bucket"])?;
    let parsed = match (row.kind.as_str(), &row.bucket) {
        ("bucket-policy" | "policy-status", Some(bucket)) => Policy::parse_bucket(bucket, &row.document),
        ("bucket-policy" | "policy-status", None) => Policy::parse(PolicyKind::Bucket, &row.document),
        ("identity-policy", _) => Policy::parse(PolicyKind::Identity, &row.document),
        ("trust-policy", _) => Policy::parse(PolicyKind::Trust, &row.document),
        ("session-policy", _) => Policy::parse(PolicyKind::Session, &row.document),
        (other, _) => return Err(format!("kind: `{other}` is not a kind of policy")),
    };
    Ok(match parsed {
        Err(error) => ("reject", json!(error.code()), json!(message_of(&error))),
        Ok(policy) if row.kind == "policy-status" => {
            (if policy.is_public() { "public" } else { "not-public" }, Value::Null, Value::Null)
        }
        Ok(_) => ("accept", Value::Null, Value::Null),
    })
}
