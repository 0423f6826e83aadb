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

/// Sessions that are dated behind a revocation end by the next one of something else that they are of.
#[test]
fn revocations_of_different_targets_do_not_overlook_sessions() {
    let provider = "CreateOpenIDConnectProvider&Url=https://idp.example.com/realm";
    let trust =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;
    let role = format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={trust}");
    let state = story(&[("CreateUser&UserName=al", "="), (provider, "="), (&role, "=")]);
    let of_provider = "RevokeSessions&Provider=https://idp.example.com/realm";
    let (one, other) = (format!("{of_provider}&Subject=1"), format!("{of_provider}&Subject=2"));
    let session = format!("RevokeSessions&SessionId={}", "0f".repeat(16));
    let until = |first: &str, second: &str| {
        let state = run(&state, first).unwrap().0;
        let before: Vec<String> = state.revocations().map(|(_, known)| known.target.clone()).collect();
        let after = run(&state, second).unwrap().0;
        let added = after.revocations().find(|(_, known)| !before.contains(&known.target)).unwrap();
        added.1.issued_until_s - 1_700_000_000
    };
    for (first, second, wanted) in [
        (&*one, of_provider, 11),
        (of_provider, &*one, 11),
        (&*one, "RevokeSessions&RoleName=R", 11),
        ("RevokeSessions&UserName=al", "RevokeSessions&RoleName=R", 11),
        // No session is of both, so revoking many one after the other is no trouble.
        (&*one, &*other, 10),
        // Beyond every date that gateways accept, because the id is never used again.
        (&*one, &*session, 300),
        (&*session, of_provider, 10),
    ] {
        assert_eq!(until(first, second), wanted, "{first}, then {second}");
    }
}
