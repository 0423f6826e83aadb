//! The library side of `kelpgate policy actions --cases`: one JSON line in, one JSON line out.

use std::collections::BTreeMap;

use ids::AccountId;
use policy::Context;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::actions::{ConditionalRequirement, conditional, requirements};
use crate::body_facts::BodyFacts;
use crate::condition_keys::set_condition_keys;
use crate::host::HostRules;
use crate::operation::Operation;
use crate::query::{QueryString, decode};
use crate::query_actions::{QueryCaller, query_requirements, set_query_condition_keys};
use crate::route::{object_key, route};

/// The account of bucket owner and caller in all cases.
const ACCOUNT: &str = "111122223333";

/// Stands for a key that S3 has and this gateway refuses (`a/../b`, `a//b`) while the row is judged by AWS's rules.
const STAND_IN: &str = "kelpgate-stand-in-for-the-key-of-the-row";

/// A row of `request-actions.jsonl`.
#[derive(Deserialize)]
struct Case {
    id: Value,
    #[serde(default)]
    service: Option<String>,
    method: String,
    path: String,
    #[serde(default)]
    query: BTreeMap<String, String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
}

/// Answers one row: `{"id","operation","requires","conditional","context"}`, or `{"id","error"}` for a row that is none.
pub fn actions_line(line: &str) -> String {
    let case: Case = match serde_json::from_str(line) {
        Ok(case) => case,
        Err(error) => {
            let id = serde_json::from_str::<Value>(line).ok().and_then(|row| row.get("id").cloned());
            return json!({ "id": id, "error": format!("the row is not a case: {error}") }).to_string();
        }
    };
    let answer = match case.service.as_deref() {
        Some("iam" | "sts") => case.query_api(),
        _ => case.s3(),
    };
    let mut answer = answer.unwrap_or_else(|error| json!({ "error": error }));
    if let Value::Object(fields) = &mut answer {
        fields.insert(String::from("id"), case.id);
    }
    answer.to_string()
}

impl Case {
    fn s3(&self) -> Result<Value, String> {
        let (path, refused) = self.path_and_refused_key();
        let head = self.head(&path)?;
        let op = route(&head, &HostRules::default()).map_err(|error| error.to_string())?;
        if matches!(op, Operation::Query(_)) {
            return self.query_api();
        }
        let body = self.facts(&op)?;
        let mut context = Context::new();
        let auth_type = if self.query.contains_key("X-Amz-Algorithm") { "REST-QUERY-STRING" } else { "REST-HEADER" };
        context.set("s3:authType", auth_type);
        context.set("s3:signatureversion", "AWS4-HMAC-SHA256");
        context.set("s3:ResourceAccount", ACCOUNT);
        set_condition_keys(&op, &head, &body, None, &mut context).map_err(|error| error.to_string())?;
        let requires: Vec<Value> = requirements(&op, &body)
            .into_iter()
            .map(|one| json!({ "action": one.action, "resource": one.resource }))
            .collect();
        let conditional: Vec<Value> = conditional(&op).iter().map(conditional_json).collect();
        let mut answer = json!({
            "operation": op.name(),
            "requires": requires,
            "conditional": conditional,
            "context": context_json(&context),
        });
        if let (Some((key, reason)), Value::Object(fields)) = (refused, &mut answer) {
            for list in ["requires", "conditional"] {
                fields
                    .get_mut(list)
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .flatten()
                    .for_each(|one| put_back(one, &key));
            }
            fields.insert(String::from("refusedByGateway"), Value::String(reason));
        }
        Ok(answer)
    }

    /// The path to judge, and the decoded key with the reason when this gateway would refuse it.
    fn path_and_refused_key(&self) -> (String, Option<(String, String)>) {
        let parts = self.path.strip_prefix('/').and_then(|path| path.split_once('/'));
        let Some((bucket, key)) = parts.filter(|(_, key)| !key.is_empty()) else { return (self.path.clone(), None) };
        match decode(key).map(|key| (object_key(&key), key)) {
            Ok((Err(error), key)) => (format!("/{bucket}/{STAND_IN}"), Some((key, error.to_string()))),
            Ok((Ok(_), _)) | Err(_) => (self.path.clone(), None),
        }
    }

    fn query_api(&self) -> Result<Value, String> {
        let mut params: Vec<(String, String)> =
            self.query.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let body = self.body.as_deref().filter(|body| !is_hint(body));
        params.extend(QueryString::parse(body).map_err(|error| error.to_string())?.into_pairs());
        let account: AccountId = ACCOUNT.parse().map_err(|_| String::from("the account of the cases is no account"))?;
        let user_arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
        let caller = QueryCaller { account, user_arn: Some(&user_arn), path_of: &|_, _| None, user_of_key: &|_| None };
        let requires: Vec<Value> = query_requirements(&params, &caller)
            .map_err(|error| error.to_string())?
            .into_iter()
            .map(|one| json!({ "action": one.action, "resource": one.resource }))
            .collect();
        let mut context = Context::new();
        set_query_condition_keys(&params, &mut context).map_err(|error| error.to_string())?;
        let action = params.iter().find(|(name, _)| name == "Action").map(|(_, value)| value.as_str());
        Ok(json!({
            "operation": action,
            "requires": requires,
            "conditional": [],
            "context": context_json(&context),
        }))
    }

    fn head(&self, path: &str) -> Result<http::request::Parts, String> {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode as encode};
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name, NON_ALPHANUMERIC), encode(value, NON_ALPHANUMERIC)))
            .collect();
        // The path stands as it is sent, but a row may spell characters that a request must encode.
        let path: String = path
            .chars()
            .map(|character| match character {
                '!'..='~' if !matches!(character, '?' | '#' | '"' | '<' | '>' | '`' | '{' | '}' | '\\' | '^' | '|') => {
                    character.to_string()
                }
                other => encode(other.encode_utf8(&mut [0; 4]), NON_ALPHANUMERIC).to_string(),
            })
            .collect();
        let uri = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
        let mut builder = http::Request::builder().method(self.method.as_str()).uri(uri);
        for (name, value) in &self.headers {
            builder = builder.header(name, value.as_bytes());
        }
        let request = builder.body(()).map_err(|error| format!("the row is no request: {error}"))?;
        Ok(request.into_parts().0)
    }

    fn facts(&self, op: &Operation) -> Result<BodyFacts, String> {
        match self.body.as_deref().filter(|body| !is_hint(body)) {
            Some(body) if BodyFacts::limit(op).is_some() => {
                BodyFacts::read(op, body.as_bytes()).map_err(|error| error.to_string())
            }
            _ => Ok(BodyFacts::None),
        }
    }
}

fn put_back(one: &mut Value, key: &str) {
    let resource = one.get("resource").and_then(Value::as_str).map(|resource| resource.replace(STAND_IN, key));
    if let (Some(resource), Value::Object(fields)) = (resource, one) {
        fields.insert(String::from("resource"), Value::String(resource));
    }
}

/// `(policy)`: words in parentheses stand for a body that does not matter.
fn is_hint(body: &str) -> bool {
    body.trim_start().starts_with('(')
}

fn conditional_json(one: &ConditionalRequirement) -> Value {
    json!({
        "action": one.requirement.action,
        "resource": one.requirement.resource,
        "effect": one.effect.as_str(),
    })
}

fn context_json(context: &Context) -> Value {
    let value = |key: &str, values: &[String]| {
        if context.is_multivalued(key) { json!(values) } else { json!(values.first()) }
    };
    context.iter().map(|(key, values)| (key.to_owned(), value(key, values))).collect::<serde_json::Map<_, _>>().into()
}
