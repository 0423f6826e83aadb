//! A document: if it is accepted for storing, it can be read back, compiled and evaluated. Nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{Policy, PolicyKind, statement_spans, validate};

const KINDS: [PolicyKind; 5] =
    [PolicyKind::Identity, PolicyKind::Bucket, PolicyKind::Trust, PolicyKind::Session, PolicyKind::Boundary];

fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else { return };
    let Some(kind) = KINDS.get(usize::from(*kind) % KINDS.len()).copied() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let spans = statement_spans(text);
    let findings = validate(kind, None, text);
    let accepted = Policy::parse(kind, text).is_ok();
    let stored = Policy::parse_stored(kind, text);
    assert!(!accepted || stored.is_ok(), "accepted, but cannot be read back");
    assert!(accepted || !findings.is_empty(), "refused without a finding");
    if let Ok(policy) = stored {
        let compiled = policy.compile();
        assert_eq!(compiled.len(), spans.len(), "each statement has a position");
        let _ = (policy.context_keys(), policy.unknown_keys(), policy.is_public());
    }
});
