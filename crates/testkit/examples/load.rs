//! A closed-loop HTTP load generator for the benchmarks: each of N keep-alive connections sends its next request when
//! the last answer is complete. All requests are made beforehand, including their signatures.
//!
//! ```text
//! load PLAN.json
//! {"address": "127.0.0.1:8333", "connections": 8, "warmup_s": 0.3, "seconds": 2.0, "expect": 200,
//!  "requests": [{"method": "GET", "target": "/bucket/key?X-Amz-...", "headers": {"host": "127.0.0.1:8333"}, "body_bytes": 0}]}
//! ```
//!
//! `seconds` is how long new requests are begun; the generator then waits for those in progress. `body` (text) or
//! `body_bytes` (that many bytes of a pattern) is the body. Prints one JSON object: requests, seconds, requests per
//! second, latency percentiles in microseconds, bytes received, and the number of answers with a status other than
//! `expect`. Requests of the warm-up do not count.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Deserialize)]
struct Plan {
    address: String,
    connections: usize,
    warmup_s: f64,
    seconds: f64,
    expect: u16,
    requests: Vec<Planned>,
}

#[derive(Deserialize)]
struct Planned {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    body_bytes: usize,
}

#[derive(Serialize)]
struct Report {
    requests: usize,
    seconds: f64,
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
    bytes: u64,
    unexpected: usize,
    first_unexpected: Option<String>,
}

/// The measurements of one connection.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    bytes: u64,
    unexpected: usize,
    first_unexpected: Option<String>,
}

/// A request. It is cloned each time it is sent; the body is shared.
struct Prepared {
    method: http::Method,
    target: http::Uri,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Prepared {
    fn new(planned: &Planned) -> Result<Self, Failure> {
        let mut headers = http::HeaderMap::new();
        for (name, value) in &planned.headers {
            headers.insert(http::HeaderName::try_from(name)?, http::HeaderValue::try_from(value)?);
        }
        let body = if planned.body_bytes > 0 {
            (0..planned.body_bytes).map(|at| (at * 31 % 251) as u8).collect()
        } else {
            Bytes::from(planned.body.clone())
        };
        Ok(Self { method: planned.method.parse()?, target: planned.target.parse()?, headers, body })
    }

    fn request(&self) -> http::Request<Full<Bytes>> {
        let mut request = http::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

async fn connect(address: &str) -> Result<http1::SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends from `requests`, beginning at `first`, until `until`. Requests that begin before `counted_from` do not count.
async fn drive(
    plan: &Plan,
    requests: &[Prepared],
    first: usize,
    counted_from: Instant,
    until: Instant,
) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    let mut sender = connect(&plan.address).await?;
    for prepared in requests.iter().cycle().skip(first) {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        if sender.ready().await.is_err() {
            sender = connect(&plan.address).await?;
        }
        let answer = sender.send_request(prepared.request()).await?;
        let status = answer.status();
        let mut body = answer.into_body();
        let (mut bytes, mut text) = (0, Vec::new());
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                bytes += data.len() as u64;
                if status.as_u16() != plan.expect && text.len() < 400 {
                    text.extend_from_slice(&data);
                }
            }
        }
        if begun < counted_from {
            continue;
        }
        seen.latencies.push(begun.elapsed());
        seen.bytes += bytes;
        if status.as_u16() != plan.expect {
            seen.unexpected += 1;
            seen.first_unexpected.get_or_insert_with(|| format!("{status}: {}", String::from_utf8_lossy(&text)));
        }
    }
    Ok(seen)
}

async fn run(plan: Plan) -> Result<Report, Failure> {
    let requests: Arc<[Prepared]> = plan.requests.iter().map(Prepared::new).collect::<Result<Vec<_>, _>>()?.into();
    if requests.is_empty() {
        return Err("the plan has no requests".into());
    }
    let plan = Arc::new(plan);
    let counted_from = Instant::now() + Duration::from_secs_f64(plan.warmup_s);
    let until = counted_from + Duration::from_secs_f64(plan.seconds);
    let mut tasks = Vec::new();
    for connection in 0..plan.connections {
        let (plan, requests) = (plan.clone(), requests.clone());
        let first = connection * requests.len() / plan.connections;
        tasks.push(tokio::spawn(async move { drive(&plan, &requests, first, counted_from, until).await }));
    }
    let mut all = Seen::default();
    for task in tasks {
        let seen = task.await??;
        all.latencies.extend(seen.latencies);
        all.bytes += seen.bytes;
        all.unexpected += seen.unexpected;
        all.first_unexpected = all.first_unexpected.or(seen.first_unexpected);
    }
    let seconds = counted_from.elapsed().as_secs_f64();
    Ok(report(all, seconds))
}

fn report(mut seen: Seen, seconds: f64) -> Report {
    seen.latencies.sort_unstable();
    let percentile = |share: f64| {
        let at = ((seen.latencies.len() as f64) * share) as usize;
        let latency = seen.latencies.get(at.min(seen.latencies.len().saturating_sub(1)));
        latency.map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    };
    Report {
        requests: seen.latencies.len(),
        seconds,
        requests_per_second: seen.latencies.len() as f64 / seconds,
        p50_us: percentile(0.5),
        p99_us: percentile(0.99),
        max_us: percentile(1.0),
        bytes: seen.bytes,
        unexpected: seen.unexpected,
        first_unexpected: seen.first_unexpected,
    }
}

fn main() -> Result<(), Failure> {
    let path = std::env::args().nth(1).ok_or("usage: load PLAN.json")?;
    let plan: Plan = serde_json::from_slice(&std::fs::read(path)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}", serde_json::to_string(&runtime.block_on(run(plan))?)?);
    Ok(())
}
