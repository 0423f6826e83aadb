//! The decision at the head of a request, and the way of its spans to the exporter.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::HeaderMap;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::context::{Context, TRACEPARENT};
use crate::exporter::Exporter;
use crate::settings::{TraceMetrics, TraceSettings};
use crate::span::Active;

/// How many spans may wait for the exporter, about a kilobyte each. Beyond that they are lost, and counted.
const WAITING_MAX: usize = 16_384;

/// Decides which requests are traced.
#[derive(Debug, Default)]
pub struct Tracer(Option<On>);

#[derive(Debug)]
struct On {
    /// A random number below this samples a request.
    below: u64,
    bound: Bound,
    with_paths: bool,
    sender: mpsc::Sender<Value>,
    metrics: TraceMetrics,
}

impl Tracer {
    /// A tracer, and the exporter that sends its spans.
    ///
    /// Error: the settings cannot be used.
    pub fn new(settings: &TraceSettings, version: &str, metrics: &TraceMetrics) -> Result<(Self, Exporter), String> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let exporter = Exporter::new(settings, version, receiver, metrics.clone())?;
        let bound =
            Bound { per_second_max: settings.per_second_max.into(), began: Instant::now(), used: Mutex::default() };
        let below = below(settings.sampled_per_million);
        let on = On { below, bound, with_paths: settings.with_paths, sender, metrics: metrics.clone() };
        Ok((Self(Some(on)), exporter))
    }

    /// The span of a request, if it is sampled. A caller that is traced itself says whether it is.
    pub fn begin(&self, headers: &HeaderMap) -> Option<Arc<Active>> {
        let on = self.0.as_ref()?;
        let parent = headers.get(TRACEPARENT).and_then(|header| Context::parse(header.to_str().ok()?));
        let sampled = parent.map_or_else(|| on.samples(), |parent| parent.sampled);
        (sampled && on.bound.admits()).then(|| Arc::new(Active::begin(parent)))
    }

    /// Whether spans tell paths.
    pub fn with_paths(&self) -> bool {
        self.0.as_ref().is_some_and(|on| on.with_paths)
    }

    /// Hands the spans of a request that was answered to the exporter.
    pub fn finish(&self, active: &Active) {
        let Some(on) = &self.0 else { return };
        let spans = active.spans();
        let count = spans.len() as u64;
        match on.sender.try_reserve_many(spans.len()) {
            Ok(places) => places.zip(spans).for_each(|(place, span)| place.send(span)),
            Err(_) => drop(on.metrics.dropped.inc_by(count)),
        }
    }
}

impl On {
    fn samples(&self) -> bool {
        self.below == u64::MAX || rand::random::<u64>() < self.below
    }
}

/// A share of all numbers.
fn below(per_million: u32) -> u64 {
    if per_million >= 1_000_000 { u64::MAX } else { u64::MAX / 1_000_000 * u64::from(per_million) }
}

/// How many are sampled in a second: any client can say that its request is to be traced.
#[derive(Debug)]
struct Bound {
    per_second_max: u64,
    began: Instant,
    /// The second, and how many it has had.
    used: Mutex<(u64, u64)>,
}

impl Bound {
    fn admits(&self) -> bool {
        self.admits_at(self.began.elapsed().as_secs())
    }

    fn admits_at(&self, second: u64) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.0 != second {
            *used = (second, 0);
        }
        used.1 += 1;
        used.1 <= self.per_second_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{Ended, end};

    fn settings(sampled_per_million: u32, per_second_max: u32) -> TraceSettings {
        TraceSettings {
            endpoint: "http://127.0.0.1:1/v1/traces".into(),
            sampled_per_million,
            per_second_max,
            service_name: "kelpgate".into(),
            token_file: None,
            with_paths: false,
        }
    }

    fn tracer(sampled_per_million: u32, per_second_max: u32) -> Tracer {
        Tracer::new(&settings(sampled_per_million, per_second_max), "1", &TraceMetrics::default()).unwrap().0
    }

    fn headers(traceparent: &str) -> HeaderMap {
        HeaderMap::from_iter([(TRACEPARENT.parse().unwrap(), traceparent.parse().unwrap())])
    }

    #[test]
    fn the_caller_decides_and_else_the_ratio() {
        let said = |flags: &str| headers(&format!("00-{}-{}-{flags}", "1".repeat(32), "2".repeat(16)));
        for (ratio, headers, sampled) in [
            (0, said("01"), true),
            (1_000_000, said("00"), false),
            (0, HeaderMap::new(), false),
            (1_000_000, HeaderMap::new(), true),
            (1_000_000, headers("garbage"), true),
            (0, headers("garbage"), false),
        ] {
            assert_eq!(tracer(ratio, 10).begin(&headers).is_some(), sampled, "{ratio} {headers:?}");
        }
        assert!(Tracer::default().begin(&said("01")).is_none(), "it is off");
    }

    /// While the collector hangs, what waits for it has a bound, however many calls a request makes.
    #[tokio::test]
    async fn what_waits_has_a_bound() {
        let metrics = TraceMetrics::default();
        let (tracer, _exporter) = Tracer::new(&settings(1_000_000, 1), "1", &metrics).unwrap();
        let request = tracer.begin(&HeaderMap::new()).unwrap();
        let ended = || Ended { name: "S3/GetObject".to_owned(), attributes: Vec::new(), failed: false };
        for _ in 0..WAITING_MAX + 3 {
            Arc::clone(&request).answering(async { end(ended) }).await;
            tracer.finish(&request);
        }
        assert_eq!(metrics.dropped.get(), 3);
    }

    /// A client that asks for traces gets no more than the bound, and a new trace has an id of its own.
    #[test]
    fn a_second_has_a_bound() {
        let bound = Bound { per_second_max: 3, began: Instant::now(), used: Mutex::default() };
        let admitted = |second| (0..10).filter(|_| bound.admits_at(second)).count();
        assert_eq!([admitted(7), admitted(7), admitted(8)], [3, 0, 3]);
        assert!(tracer(1_000_000, 0).begin(&HeaderMap::new()).is_none());
        assert_eq!([below(0), below(500_000) >> 62, below(1_000_000)], [0, 1, u64::MAX]);
    }
}
