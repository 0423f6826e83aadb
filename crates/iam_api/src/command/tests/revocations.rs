//! Revocations of sessions: what each one ends.

use super::*;

/// Sessions that are made between two revocations are dated behind the first, and still the second ends them.
#[test]
fn a_second_revocation_ends_what_was_made_after_the_first() {
    let until = |state: &Snapshot| state.revocations().map(|(_, one)| one.issued_until_s).max().unwrap();
    let mut state = story(&[("CreateUser&UserName=al", "=")]);
    let mut last = 1_700_000_000;
    let mut calls = 0;
    let error = loop {
        match run(&state, "RevokeSessions&UserName=al") {
            Ok((next, _)) => state = next,
            Err(error) => break error,
        }
        assert!(until(&state) > last, "a session that is dated {} stays", last + 1);
        last = until(&state);
        calls += 1;
    };
    // Sessions are not dated so far ahead that gateways refuse them.
    assert_eq!((error.code, calls > 100, last <= 1_700_000_240), ("Throttling", true, true));
    let (state, _) = run(&state, "RevokeSessions&UserName=al&OlderThan=2020-01-01T00:00:00Z").unwrap();
    assert_eq!(until(&state), last, "a later call gives nothing back");
}
