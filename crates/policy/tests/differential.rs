//! Compares the engine with the naive evaluator of `reference`, on random policies and requests.
//!
//! `KELPGATE_DIFFERENTIAL_CASES` sets the number of cases (default 60,000; continuous integration runs 200,000),
//! `KELPGATE_DIFFERENTIAL_SEED` the first seed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the environment sets how much is run, on all cores"
)]

mod reference;

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::{
    CompiledPolicy, Context, CrossAccount, Decision, Policy, PolicyKind, PolicySet, Principal, Request, RequestAction,
    decide, decide_trust, explain, explain_trust,
};
use reference::world::{self, Random};
use reference::{Key, Policies};
use serde_json::Value;

const REQUESTS_PER_WORLD: u64 = 40;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: expected a number, not `{text}`")))
}

struct Compiled {
    identity: Vec<Arc<CompiledPolicy>>,
    resource: Option<CompiledPolicy>,
    session: Option<CompiledPolicy>,
    boundary: Option<CompiledPolicy>,
}

fn compile(policies: &Policies) -> Compiled {
    let one = |kind, document: &Value| {
        Policy::parse_stored(kind, &document.to_string())
            .unwrap_or_else(|error| panic!("{error}: {document}"))
            .compile()
    };
    let resource_kind = if policies.is_trust { PolicyKind::Trust } else { PolicyKind::Bucket };
    Compiled {
        identity: policies.identity.iter().map(|document| Arc::new(one(PolicyKind::Identity, document))).collect(),
        resource: policies.resource.as_ref().map(|document| one(resource_kind, document)),
        session: policies.session.as_ref().map(|document| one(PolicyKind::Session, document)),
        boundary: policies.boundary.as_ref().map(|document| one(PolicyKind::Boundary, document)),
    }
}

fn engine(compiled: &Compiled, policies: &Policies, request: &reference::Request, explained: bool) -> &'static str {
    let principal: Principal = request.principal.parse().unwrap();
    let mut context = Context::new();
    for (name, key) in &request.context {
        match key {
            Key::One(value) => context.set(name.clone(), value.clone()),
            Key::Many(values) => context.set_many(name.clone(), values.clone()),
        }
    }
    let asked = Request {
        principal: &principal,
        principal_id: None,
        principal_canonical_id: request.canonical.as_deref(),
        action: RequestAction::named(&request.action),
        resource: &request.resource,
        resource_account: request.account.parse().unwrap(),
        context: &context,
    };
    let set = PolicySet {
        identity: &compiled.identity,
        resource: compiled.resource.as_ref(),
        session: compiled.session.as_ref(),
        boundary: compiled.boundary.as_ref(),
        cross_account: if policies.both_sides { CrossAccount::Both } else { CrossAccount::ResourcePolicy },
        ..PolicySet::default()
    };
    let trust = compiled.resource.as_ref().filter(|_| policies.is_trust);
    let decision = match (trust, explained) {
        (Some(trust), false) => decide_trust(trust, &set, &asked),
        (Some(trust), true) => explain_trust(trust, &set, &asked).decision,
        (None, false) => decide(&set, &asked),
        (None, true) => explain(&set, &asked).decision,
    };
    match decision {
        Decision::Allow { .. } => "Allow",
        Decision::ExplicitDeny { .. } => "ExplicitDeny",
        Decision::ImplicitDeny { .. } => "ImplicitDeny",
    }
}

fn show(policies: &Policies) -> String {
    let named = [("resource", &policies.resource), ("session", &policies.session), ("boundary", &policies.boundary)];
    let named =
        named.iter().filter_map(|(name, document)| document.as_ref().map(|document| format!("{name}: {document}")));
    let identity = policies.identity.iter().map(|document| format!("identity: {document}"));
    let rules = format!("trust: {}, both sides: {}", policies.is_trust, policies.both_sides);
    identity.chain(named).chain([rules]).collect::<Vec<_>>().join("\n")
}

/// Runs one world and its requests, and counts the outcomes.
fn run(seed: u64) -> BTreeMap<&'static str, u64> {
    let mut outcomes = BTreeMap::new();
    let mut random = Random::new(seed);
    let policies = world::policies(&mut random);
    let compiled = compile(&policies);
    for nth in 0..REQUESTS_PER_WORLD {
        let request = world::request(&mut random);
        let wanted = reference::decide(&policies, &request);
        let got = engine(&compiled, &policies, &request, false);
        assert_eq!(got, wanted, "seed {seed}: {request:?}\n{}", show(&policies));
        // An explanation always shows the same decision, and never fails.
        if nth == 0 {
            assert_eq!(
                engine(&compiled, &policies, &request, true),
                wanted,
                "explained, seed {seed}: {request:?}\n{}",
                show(&policies)
            );
        }
        *outcomes.entry(wanted).or_default() += 1;
    }
    outcomes
}

#[test]
fn the_engine_agrees_with_the_naive_evaluator() {
    let cases = setting("KELPGATE_DIFFERENTIAL_CASES", 60_000);
    let seed = setting("KELPGATE_DIFFERENTIAL_SEED", 1);
    let worlds = cases.div_ceil(REQUESTS_PER_WORLD);
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let parts: Vec<BTreeMap<&str, u64>> = std::thread::scope(|scope| {
        let part = |first: u64| (first..worlds).step_by(threads as usize).map(|nth| run(seed.wrapping_add(nth)));
        let running: Vec<_> =
            (0..threads).map(|first| scope.spawn(move || part(first).flatten().collect::<Vec<_>>())).collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .map(|(outcome, count)| BTreeMap::from([(outcome, count)]))
            .collect()
    });
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    parts.into_iter().flatten().for_each(|(outcome, count)| *outcomes.entry(outcome).or_default() += count);
    println!("{outcomes:?}");
    for outcome in ["Allow", "ExplicitDeny", "ImplicitDeny"] {
        let share = outcomes.get(outcome).copied().unwrap_or_default() * 100 / cases;
        assert!(share >= 10, "only {share} % of the cases end in {outcome}: the world is too narrow");
    }
}
