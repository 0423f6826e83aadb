//! Spans of a request that is sampled.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::context::Context;

tokio::task_local! {
    /// The trace of the request that this task answers. Requests that are not sampled have none.
    static CURRENT: Arc<Active>;
}

/// How many calls a request keeps. One that makes more, such as DeleteObjects, shows the first.
const CALLS_MAX: usize = 128;

/// The span of a request while it is answered.
#[derive(Debug)]
pub struct Active {
    context: Context,
    parent: Option<[u8; 8]>,
    began: SystemTime,
    calls: Mutex<Vec<Call>>,
    ended: Mutex<Option<Ended>>,
}

#[derive(Debug)]
struct Call {
    name: &'static str,
    ended: SystemTime,
    took: Duration,
    failed: bool,
}

/// What is known of a request at its end.
#[derive(Debug)]
pub struct Ended {
    /// The name of the span, such as `S3/GetObject`.
    pub name: String,
    /// The attributes, by OpenTelemetry's conventions.
    pub attributes: Vec<Attribute>,
    /// Whether the fault lies with the server.
    pub failed: bool,
}

/// An attribute of a span.
pub type Attribute = (&'static str, Value);

impl Active {
    /// The span of a request that begins now, in the trace of its caller or in a new one.
    pub(crate) fn begin(parent: Option<Context>) -> Self {
        let trace_id = parent.map_or_else(|| not_zero(rand::random), |parent| parent.trace_id);
        let context = Context { trace_id, span_id: not_zero(rand::random), sampled: true };
        let parent = parent.map(|parent| parent.span_id);
        Self { context, parent, began: SystemTime::now(), calls: Mutex::default(), ended: Mutex::default() }
    }

    /// Runs the answering of the request. Within, [`current`], [`called`] and [`end`] find the span.
    pub async fn answering<F: Future>(self: Arc<Self>, answer: F) -> F::Output {
        CURRENT.scope(self, answer).await
    }

    /// Its spans as OTLP has them in JSON; none if nobody said how it ended.
    pub(crate) fn spans(&self) -> Vec<Value> {
        let Some(ended) = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Vec::new() };
        let attributes = ended.attributes.iter().map(|(key, value)| attribute(key, value));
        let whole = Span {
            id: self.context.span_id,
            parent: self.parent,
            name: &ended.name,
            kind: SERVER,
            began: self.began,
            ended: SystemTime::now(),
            failed: ended.failed,
            attributes: attributes.collect(),
        };
        let calls = std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner));
        let calls = calls.iter().map(|call| self.span_of(call).to_json(self.context.trace_id));
        calls.chain([whole.to_json(self.context.trace_id)]).collect()
    }

    fn span_of<'a>(&self, call: &'a Call) -> Span<'a> {
        Span {
            id: not_zero(rand::random),
            parent: Some(self.context.span_id),
            name: call.name,
            kind: CLIENT,
            began: call.ended.checked_sub(call.took).unwrap_or(call.ended),
            ended: call.ended,
            failed: call.failed,
            attributes: Vec::new(),
        }
    }
}

/// A span that is over.
struct Span<'a> {
    id: [u8; 8],
    parent: Option<[u8; 8]>,
    name: &'a str,
    kind: u32,
    began: SystemTime,
    ended: SystemTime,
    failed: bool,
    attributes: Vec<Value>,
}

impl Span<'_> {
    fn to_json(&self, trace_id: [u8; 16]) -> Value {
        json!({
            "traceId": hex::encode(trace_id),
            "spanId": hex::encode(self.id),
            "parentSpanId": self.parent.map(hex::encode).unwrap_or_default(),
            "name": self.name,
            "kind": self.kind,
            "startTimeUnixNano": nanos(self.began),
            "endTimeUnixNano": nanos(self.ended),
            "attributes": self.attributes,
            "status": if self.failed { json!({"code": ERROR}) } else { json!({}) },
        })
    }
}

/// `SPAN_KIND_SERVER`, `SPAN_KIND_CLIENT` and `STATUS_CODE_ERROR` of OTLP.
const SERVER: u32 = 2;
const CLIENT: u32 = 3;
const ERROR: u32 = 2;

/// The context to pass on with a call; `None` if the request is not sampled.
pub fn current() -> Option<Context> {
    CURRENT.try_with(|active| active.context).ok()
}

/// Notes a call to a filer or volume server that ended just now.
pub fn called(name: &'static str, took: Duration, failed: bool) {
    let _ = CURRENT.try_with(|active| {
        let mut calls = active.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < CALLS_MAX {
            calls.push(Call { name, ended: SystemTime::now(), took, failed });
        }
    });
}

/// Notes what is known at the end. Called only if the request is sampled.
pub fn end(ended: impl FnOnce() -> Ended) {
    let _ = CURRENT.try_with(|active| {
        *active.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended());
    });
}

/// A random id that is not zero: OpenTelemetry reads zero as "no id".
fn not_zero<const N: usize>(random: impl Fn() -> [u8; N]) -> [u8; N] {
    std::iter::repeat_with(random).find(|id| *id != [0; N]).unwrap_or([1; N])
}

/// Numbers of 64 bits are strings in OTLP's JSON.
fn nanos(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

pub(crate) fn attribute(key: &str, value: &Value) -> Value {
    match value {
        Value::Number(number) => json!({"key": key, "value": {"intValue": number.to_string()}}),
        Value::String(text) => json!({"key": key, "value": {"stringValue": text}}),
        other => json!({"key": key, "value": {"stringValue": other.to_string()}}),
    }
}
