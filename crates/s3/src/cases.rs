//! The library side of `kelpgate policy actions --cases`: one JSON line in, one JSON line out.

use std::collections::BTreeMap;

use policy::Context;
use policy::cases::refuse_unknown_keys;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::condition_keys::set_condition_keys;
use crate::operation::Operation;
use crate::query::{QueryString, decode};
use crate::requirement::{ConditionalRequirement, Requirement};
use crate::route::{Routing, route};
use crate::s3_operation::Needs;
use crate::target::object_key;

/// The account of the bucket owner and the caller in all cases.
const ACCOUNT: &str = "111122223333";

/// Placeholders for keys that S3 allows and this gateway refuses (`a/../b`, `a//b`), so that such a row is judged by
/// AWS's rules: one for the key in the path or a body, and one for the source of a copy.
const STAND_IN: &str = "kelpgate-stand-in-for-the-key-of-the-row";
const SOURCE_STAND_IN: &str = "kelpgate-stand-in-for-the-source-of-the-row";

/// A key that this gateway would refuse, its placeholder, and the reason.
struct Refused {
    stand_in: &'static str,
    key: String,
    reason: String,
}

impl Refused {
    /// `None` if the gateway allows the key.
    fn new(stand_in: &'static str, key: &str) -> Option<Self> {
        let reason = object_key(key).err()?.to_string();
        Some(Self { stand_in, key: key.to_owned(), reason })
    }
}

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

/// The keys of a row, with those that say what is expected.
const KEYS: [&str; 10] =
    ["service", "method", "path", "query", "headers", "body", "op", "context", "conditional", "requires"];

/// The permissions of a call of the IAM or STS query API with these parameters; its condition keys are set in the context. The
/// text of an error says why it cannot be judged.
pub type QueryJudge = fn(&[(String, String)], &mut Context) -> Result<Vec<Requirement>, String>;

/// Answers one row: `{"id","operation","requires","conditional","context"}`, or `{"id","error"}` for an invalid row.
/// Calls of the query APIs are not S3: `iam_api` judges them.
pub fn actions_line(line: &str, judge_query: QueryJudge) -> String {
    let case: Case = match serde_json::from_str(line) {
        Ok(case) => case,
        Err(error) => {
            let id = serde_json::from_str::<Value>(line).ok().and_then(|row| row.get("id").cloned());
            return json!({ "id": id, "error": format!("the row is not a case: {error}") }).to_string();
        }
    };
    let answer = refuse_unknown_keys(line, &KEYS).and_then(|()| match case.service.as_deref() {
        Some("iam" | "sts") => case.query_api(judge_query),
        None | Some("s3") => case.s3(judge_query),
        Some(other) => Err(format!("service: `{other}` is unknown; write s3, iam or sts")),
    });
    let mut answer = answer.unwrap_or_else(|error| json!({ "error": error }));
    if let Value::Object(fields) = &mut answer {
        fields.insert(String::from("id"), case.id);
    }
    answer.to_string()
}

impl Case {
    fn s3(&self, judge_query: QueryJudge) -> Result<Value, String> {
        let (path, refused_key) = self.path_and_refused_key();
        let (headers, refused_source) = self.headers_and_refused_source();
        let mut op = match route(&self.head(&path, &headers)?, None).map_err(|error| error.to_string())? {
            Routing::S3(op) => op,
            Routing::Query(_) => return self.query_api(judge_query),
            Routing::Preflight(_) => {
                return Ok(json!({ "operation": "CorsPreflight", "requires": [], "conditional": [], "context": {} }));
            }
        };
        self.read_body(&mut op)?;
        let mut context = Context::new();
        let (auth_type, signature_version) = self.authentication(&op);
        context.set("s3:authType", auth_type);
        context.set("s3:signatureversion", signature_version);
        context.set("s3:ResourceAccount", ACCOUNT);
        let head = self.head(&path, &headers)?;
        set_condition_keys(&op, &head, None, &mut context).map_err(|error| error.to_string())?;
        let mut refused: Vec<Refused> = refused_key.into_iter().chain(refused_source).collect();
        let mut requires: Vec<Value> = all_needs(&op).iter().map(|one| requirement_json(one, &refused)).collect();
        let conditional: Vec<Value> = op.conditional().iter().map(|one| conditional_json(one, &refused)).collect();
        for (key, needs) in deletions_of_refused_keys(&op)? {
            requires.extend(needs.iter().map(|one| requirement_json(one, std::slice::from_ref(&key))));
            refused.push(key);
        }
        let mut answer = json!({
            "operation": op.name(),
            "requires": requires,
            "conditional": conditional,
            "context": context_json(&context, &refused),
        });
        if let (Some(first), Value::Object(fields)) = (refused.into_iter().next(), &mut answer) {
            fields.insert(String::from("refusedByGateway"), Value::String(first.reason));
        }
        Ok(answer)
    }

    /// The values of `s3:authType` and `s3:signatureversion`. A row without a signature is treated as signed in a
    /// header.
    fn authentication(&self, op: &Operation) -> (&'static str, &'static str) {
        let has = |name| self.query.contains_key(name);
        let mut authorizations = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let signature_version = if has("AWSAccessKeyId") || authorizations.any(|(_, value)| value.starts_with("AWS ")) {
            "AWS"
        } else {
            "AWS4-HMAC-SHA256"
        };
        let auth_type = match op {
            Operation::PostObject(_) => "POST",
            _ if has("X-Amz-Algorithm") || has("AWSAccessKeyId") => "REST-QUERY-STRING",
            _ => "REST-HEADER",
        };
        (auth_type, signature_version)
    }

    /// The path to judge, and the decoded key if this gateway would refuse it.
    fn path_and_refused_key(&self) -> (String, Option<Refused>) {
        let parts = self.path.strip_prefix('/').and_then(|path| path.split_once('/'));
        let key = parts.filter(|(_, key)| !key.is_empty()).and_then(|(bucket, key)| Some((bucket, decode(key).ok()?)));
        match key.and_then(|(bucket, key)| Some((bucket, Refused::new(STAND_IN, &key)?))) {
            Some((bucket, refused)) => (format!("/{bucket}/{STAND_IN}"), Some(refused)),
            None => (self.path.clone(), None),
        }
    }

    /// The headers to judge, and the decoded key of the copy source if this gateway would refuse it.
    fn headers_and_refused_source(&self) -> (BTreeMap<String, String>, Option<Refused>) {
        let mut headers = self.headers.clone();
        let source = headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("x-amz-copy-source"));
        let refused = source.and_then(|(_, source)| {
            let (path, version) = source.rsplit_once("?versionId=").map_or((&**source, None), |(p, v)| (p, Some(v)));
            let path = decode(path).ok()?;
            let (bucket, key) = path.strip_prefix('/').unwrap_or(&path).split_once('/')?;
            let refused = Refused::new(SOURCE_STAND_IN, key)?;
            let version = version.map(|version| format!("?versionId={version}")).unwrap_or_default();
            *source = format!("/{bucket}/{SOURCE_STAND_IN}{version}");
            Some(refused)
        });
        (headers, refused)
    }

    fn query_api(&self, judge_query: QueryJudge) -> Result<Value, String> {
        let mut params: Vec<(String, String)> =
            self.query.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let body = self.body.as_deref().filter(|body| !is_hint(body));
        params.extend(QueryString::parse(body).map_err(|error| error.to_string())?.to_pairs());
        let mut context = Context::new();
        let needs = judge_query(&params, &mut context)?;
        let requires: Vec<Value> = needs.iter().map(|one| requirement_json(one, &[])).collect();
        let action = params.iter().find(|(name, _)| name == "Action").map(|(_, value)| value.as_str());
        Ok(json!({
            "operation": action,
            "requires": requires,
            "conditional": [],
            "context": context_json(&context, &[]),
        }))
    }

    fn head(&self, path: &str, headers: &BTreeMap<String, String>) -> Result<http::request::Parts, String> {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode as encode};
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name, NON_ALPHANUMERIC), encode(value, NON_ALPHANUMERIC)))
            .collect();
        // The path is written as it is sent, but a row may contain characters that a request must encode.
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
        for (name, value) in headers {
            builder = builder.header(name, value.as_bytes());
        }
        let request = builder.body(()).map_err(|error| format!("the row is not a valid request: {error}"))?;
        Ok(request.into_parts().0)
    }

    fn read_body(&self, op: &mut Operation) -> Result<(), String> {
        match self.body.as_deref().filter(|body| !is_hint(body)) {
            Some(body) if op.body_limit().is_some() => op.read_body(body.as_bytes()).map_err(|error| error.to_string()),
            _ => Ok(()),
        }
    }
}

/// The permissions that the request needs. DeleteObjects needs those of each of its keys; before its body is read, the
/// permission on all keys.
fn all_needs(op: &Operation) -> Vec<Requirement> {
    let Operation::DeleteObjects(deletes) = op else { return op.needs() };
    if deletes.request.objects.is_empty() {
        return op.first_needs().into_iter().take(1).collect();
    }
    let objects = deletes.request.objects.iter();
    objects
        .filter_map(|object| Some(deletes.delete_at(object.key.clone().ok()?, object).permissions()))
        .flatten()
        .collect()
}

/// The permissions to delete the keys of a DeleteObjects that this gateway refuses one by one.
fn deletions_of_refused_keys(op: &Operation) -> Result<Vec<(Refused, Vec<Requirement>)>, String> {
    let Operation::DeleteObjects(op) = op else { return Ok(Vec::new()) };
    let stand_in = object_key(STAND_IN).map_err(|error| error.to_string())?;
    let refused = op.request.objects.iter().filter_map(|object| {
        let needs = op.delete_at(stand_in.clone(), object).permissions();
        Some((Refused::new(STAND_IN, &object.key_text)?, needs))
    });
    Ok(refused.collect())
}

fn requirement_json(one: &Requirement, refused: &[Refused]) -> Value {
    // AWS's table writes `*` for an action that has no type of resource.
    let resource =
        if *one == Requirement::list_all_my_buckets() { "*".into() } else { put_back(&one.resource, refused) };
    json!({ "action": one.action, "resource": resource })
}

/// The text with the placeholders replaced by their keys.
fn put_back(text: &str, refused: &[Refused]) -> String {
    refused.iter().fold(text.to_owned(), |text, refused| text.replace(refused.stand_in, &refused.key))
}

/// Words in parentheses, such as `(policy)`, are placeholders for a body that does not matter.
fn is_hint(body: &str) -> bool {
    body.trim_start().starts_with('(')
}

fn conditional_json(one: &ConditionalRequirement, refused: &[Refused]) -> Value {
    let mut shown = requirement_json(&one.requirement, refused);
    if let Value::Object(fields) = &mut shown {
        fields.insert(String::from("effect"), Value::String(one.effect.as_str().to_owned()));
    }
    shown
}

fn context_json(context: &Context, refused: &[Refused]) -> Value {
    let value = |key: &str, values: &[String]| {
        let values: Vec<String> = values.iter().map(|value| put_back(value, refused)).collect();
        if context.is_multivalued(key) { json!(values) } else { json!(values.first()) }
    };
    context.iter().map(|(key, values)| (key.to_owned(), value(key, values))).collect::<serde_json::Map<_, _>>().into()
}
