//! Cross-origin requests: preflights, and the headers for every answer to another origin.

use bucket::metadata::BucketMetadata;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Response};
use iam::{Bucket, Snapshot};
use s3::cors::{CorsConfiguration, CorsHeaders, CorsRule};
use s3::op::CorsPreflight;

use super::Answer;
use super::answer;
use crate::body::ResponseBody;
use crate::gateway::Gateway;
use crate::request_facts::RequestFacts;

/// Answers a browser that asks before it sends. No one is authenticated, and only CORS rules are revealed.
pub(crate) fn preflight(gateway: &Gateway, snapshot: &Snapshot, request: &CorsPreflight) -> Answer {
    let bucket = request.bucket.as_ref().and_then(|name| snapshot.bucket(name.as_str()));
    let headers = rules(gateway, bucket.map(|bucket| &**bucket)).preflight(request)?;
    let mut response = Response::new(ResponseBody::Empty);
    write(response.headers_mut(), &headers);
    Ok(response)
}

/// Adds what the rules of the bucket, or of the gateway, say about the origin of an actual request. They are those of the state by
/// which it was decided, or of now if it was refused before.
pub(crate) fn add_headers(gateway: &Gateway, head: &Parts, facts: &RequestFacts, headers: &mut HeaderMap) {
    let Some(origin) = head.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else { return };
    if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    let snapshot = facts.snapshot.clone().or_else(|| gateway.snapshot.load_full());
    let bucket = facts.bucket.as_ref().zip(snapshot.as_ref());
    let bucket = bucket.and_then(|(name, snapshot)| snapshot.bucket(name.as_str()));
    if let Some(found) = rules(gateway, bucket.map(|bucket| &**bucket)).actual(origin, head.method.as_str()) {
        write(headers, &found);
    }
}

/// The rules for a bucket: its own, or else those of `-allowedOrigins`.
fn rules(gateway: &Gateway, bucket: Option<&Bucket>) -> CorsConfiguration {
    bucket
        .and_then(of_bucket)
        .unwrap_or_else(|| CorsConfiguration::of_gateway(gateway.settings.allowed_origins.iter().map(String::as_str)))
}

/// The stored rules of a bucket; `None` if there are none.
pub(crate) fn of_bucket(bucket: &Bucket) -> Option<CorsConfiguration> {
    let rule = |rule: &bucket::metadata::CorsRule| CorsRule {
        id: Some(rule.id.clone()).filter(|id| !id.is_empty()),
        allowed_origins: rule.allowed_origins.clone(),
        allowed_methods: rule.allowed_methods.clone(),
        allowed_headers: rule.allowed_headers.clone(),
        expose_headers: rule.expose_headers.clone(),
        max_age_seconds: u32::try_from(rule.max_age_seconds).ok().filter(|seconds| *seconds > 0),
    };
    let stored = BucketMetadata::read_or_none(&bucket.metadata);
    let rules: Vec<CorsRule> = stored.cors_rules().iter().map(rule).collect();
    (!rules.is_empty()).then_some(CorsConfiguration { rules })
}

fn write(headers: &mut HeaderMap, found: &CorsHeaders) {
    for (name, value) in found.to_headers() {
        answer::set(headers, HeaderName::from_static(name), &value);
    }
}
