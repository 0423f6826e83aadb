//! Revocations of sessions: what each one ends.

use super::*;

const NOW_MS: i64 = 1_700_000_000_000;

/// Sessions that are made between two revocations are dated behind the first, and still the second ends them.
#[test]
fn a_second_revocation_ends_what_was_made_after_the_first() {
    let until = |state: &Snapshot| state.revocations().map(|(_, one)| one.issued_until_ms).max().unwrap();
    let trust =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;
    let role = |name: &str| format!("CreateRole&RoleName={name}&AssumeRolePolicyDocument={trust}");
    let mut state = story(&[("CreateUser&UserName=al", "="), (&role("R"), "="), (&role("S"), "=")]);
    let mut last = NOW_MS;
    // All within one second.
    for number in 0..1000 {
        let target = ["UserName=al", "RoleName=R", "RoleName=S"][number % 3];
        state = run(&state, &format!("RevokeSessions&{target}")).unwrap().0;
        assert!(until(&state) > last, "a session that is dated {} stays", last + 1);
        last = until(&state);
    }
    assert!(last < NOW_MS + 12_000, "new sessions are not dated far ahead");
    let (state, _) = run(&state, "RevokeSessions&UserName=al&OlderThan=2020-01-01T00:00:00Z").unwrap();
    assert_eq!(until(&state), last, "a later call gives nothing back");
}

/// Sessions are not dated so far ahead that gateways refuse them.
#[test]
fn revocations_do_not_run_ahead_of_the_clock() {
    let state = story(&[("CreateUser&UserName=al", "=")]);
    let (state, _) = run(&state, "RevokeSessions&UserName=al").unwrap();
    let (stem, known) = state.revocations().next().unwrap();
    for (issued_until_ms, accepted) in [(NOW_MS + 239_999, true), (NOW_MS + 240_000, false)] {
        let far = iam::Revocation { issued_until_ms, ..(**known).clone() };
        let state = state.apply([iam::Change::Revocation(stem.clone(), Some(Ok(far)))]);
        let revoked = run(&state, "RevokeSessions&UserName=al").map(|_| ()).map_err(|error| error.code);
        assert_eq!(revoked, if accepted { Ok(()) } else { Err("Throttling") }, "{issued_until_ms}");
    }
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
        added.1.issued_until_ms - NOW_MS
    };
    for (first, second, wanted) in [
        (&*one, of_provider, 10_001),
        (of_provider, &*one, 10_001),
        (&*one, "RevokeSessions&RoleName=R", 10_001),
        ("RevokeSessions&UserName=al", "RevokeSessions&RoleName=R", 10_001),
        // No session is of both, so revoking many one after the other is no trouble.
        (&*one, &*other, 10_000),
        // Beyond every date that gateways accept, because the id is never used again.
        (&*one, &*session, 300_000),
        (&*session, of_provider, 10_000),
    ] {
        assert_eq!(until(first, second), wanted, "{first}, then {second}");
    }
}

/// Callers make up ids of sessions and of users, so an account has so many of each, and no account takes them from another one.
#[test]
fn revocations_are_limited_by_account_and_kind() {
    let provider = "CreateOpenIDConnectProvider&Url=https://idp.example.com/realm";
    let role = format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}");
    let world = story(&[("CreateUser&UserName=al", "="), (provider, "="), (&role, "=")]);
    let full = |account: &str, kind: &str, count: usize| {
        world.apply((0..count).map(|number| {
            let target = format!("{kind}:{account} {number:032x}");
            let (stem, account) = (iam::Revocation::file_stem(&target), account.to_owned());
            let issued_until_ms = NOW_MS - 1;
            let known = iam::Revocation { target, account, issued_until_ms, ..iam::Revocation::default() };
            iam::Change::Revocation(stem, Some(Ok(known)))
        }))
    };
    let of_provider = "RevokeSessions&Provider=https://idp.example.com/realm";
    let (subject, session) =
        (format!("{of_provider}&Subject=1"), format!("RevokeSessions&SessionId={}", "f".repeat(32)));
    let known = format!("RevokeSessions&SessionId={:032x}", 7);
    let (own, other) = ("000000000000", "111122223333");
    for (what, state, refused) in [
        ("another account's", full(other, "session", 10_001), None),
        ("one less", full(own, "session", 4_999), None),
        ("sessions", full(own, "session", 5_000), Some(&session)),
        ("users of a provider", full(own, "subject", 5_000), Some(&subject)),
    ] {
        let lines =
            [of_provider, "RevokeSessions&RoleName=R", "RevokeSessions&UserName=al", &subject, &session, &known];
        for line in lines {
            // What is revoked already may be revoked again.
            let is_refused = refused.is_some_and(|refused| *refused == line);
            let answer = run(&state, line).map(|_| ()).map_err(|error| error.code);
            assert_eq!(answer, if is_refused { Err("LimitExceeded") } else { Ok(()) }, "{what}: {line}");
        }
    }
}
