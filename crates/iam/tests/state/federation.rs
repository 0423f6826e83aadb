//! Identity providers, the sessions of their users, and what revokes them.

use std::sync::Arc;

use iam::unique_id::{alphanumeric, new_id};
use iam::*;
use ids::AccountId;
use policy::Principal;

const ONE: &str = "111122223333";
const TWO: &str = "444455556666";

fn account(number: &str) -> AccountId {
    number.parse().unwrap()
}

fn configured(name: &str, issuer: &str, account: AccountId) -> Arc<IdentityProvider> {
    let record = OidcProvider { url: issuer.to_owned(), arn: format!("arn:{name}"), ..OidcProvider::default() };
    Arc::new(IdentityProvider { name: name.to_owned(), ..IdentityProvider::of_record(&record, account) })
}

fn stored(account: &str, url: &str, created_s: i64) -> Change {
    let host = url.trim_start_matches("https://");
    let record = OidcProvider {
        account: account.to_owned(),
        arn: format!("arn:aws:iam::{account}:oidc-provider/{host}"),
        url: url.to_owned(),
        created_s,
        ..OidcProvider::default()
    };
    Change::OidcProvider(OidcProvider::file_stem(&record.arn), Some(Ok(record)))
}

fn state(configured: Vec<Arc<IdentityProvider>>, changes: Vec<Change>) -> Snapshot {
    let settings = Settings { identity_providers: configured, ..Settings::default() };
    Snapshot::new(settings, &Identities::default()).apply(changes)
}

#[test]
fn a_provider_is_found_by_account_and_issuer() {
    let file = vec![configured("corp", "https://idp.example/r/", account(ONE))];
    let state = state(file, vec![stored(ONE, "https://idp.example/r", 9), stored(TWO, "https://idp.example/r", 8)]);
    for (of, issuer, found) in [
        (ONE, "https://idp.example/r/", Some(("corp", 0))),
        (ONE, "https://idp.example/r", Some(("corp", 0))),
        (TWO, "https://idp.example/r/", Some(("", 8))),
        (TWO, "https://idp.example/r//", None),
        (ONE, "https://IDP.example/r", None),
        (ONE, "http://idp.example/r", None),
        (ONE, "https://idp.example", None),
        ("000000000000", "https://idp.example/r", None),
    ] {
        let provider = state.identity_provider(account(of), issuer);
        assert_eq!(provider.map(|provider| (provider.name.as_str(), provider.created_s)), found, "{of} {issuer}");
    }
    let arns: Vec<&str> = state.identity_providers().iter().map(|provider| provider.arn.as_str()).collect();
    assert_eq!(arns.len(), 3);
    assert_eq!(arns.first(), Some(&"arn:corp"), "the configuration comes first");
}

#[test]
fn a_provider_that_is_removed_or_broken_is_not_found() {
    let url = "https://idp.example";
    let with = state(vec![], vec![stored(ONE, url, 5)]);
    let stem = OidcProvider::file_stem(&format!("arn:aws:iam::{ONE}:oidc-provider/idp.example"));
    for (what, change) in [
        ("removed", Change::OidcProvider(stem.clone(), None)),
        ("broken", Change::OidcProvider(stem, Some(Err(Unreadable("broken".into()))))),
    ] {
        let after = with.apply([change]);
        assert!(with.identity_provider(account(ONE), url).is_some(), "{what}: the old state stays");
        assert!(
            after.identity_provider(account(ONE), url).is_none() && after.identity_providers().is_empty(),
            "{what}"
        );
    }
}

#[test]
fn keys_belong_to_the_issuer_whatever_its_last_slash() {
    let keys = |issuer: &str| OidcKeys { issuer: issuer.to_owned(), fetched_s: 1000, ..OidcKeys::default() };
    let provider = configured("corp", "https://idp.example/r/", account(ONE));
    let other = configured("other", "https://idp.example/r2", account(ONE));
    let stem = provider.keys_stem();
    assert_eq!(stem, configured("x", "https://idp.example/r", account(TWO)).keys_stem());
    let state = state(vec![], vec![Change::OidcKeys(stem, Some(Ok(keys("https://idp.example/r/"))))]);
    assert!(state.oidc_keys(&provider).is_some() && state.oidc_keys(&other).is_none());
    let week = 7 * 24 * 3600;
    for (now_s, stale) in [(0, false), (1000, false), (1000 + week, false), (1001 + week, true), (i64::MAX, true)] {
        assert_eq!(keys("x").is_stale(now_s), stale, "{now_s}");
    }
    assert!(!OidcKeys { fetched_s: i64::MAX, ..keys("x") }.is_stale(i64::MIN), "no overflow");
}

#[test]
fn keys_of_another_place_are_other_keys() {
    let provider = |keys: KeySource| IdentityProvider {
        keys,
        ..(*configured("corp", "https://idp.example/r", account(ONE))).clone()
    };
    let text = || Some("x".to_owned());
    let plain = provider(KeySource::default());
    let sources = [
        KeySource { jwks_uri: text(), ..KeySource::default() },
        KeySource { jwks_file: text(), ..KeySource::default() },
        KeySource { ca_file: text(), ..KeySource::default() },
        KeySource { bearer_file: text(), ..KeySource::default() },
        KeySource { allows_private_addresses: true, ..KeySource::default() },
    ];
    let stems: std::collections::BTreeSet<_> = sources.into_iter().map(|keys| provider(keys).keys_stem()).collect();
    assert_eq!(stems.len(), 5);
    // A provider of the IAM API, in whichever account, asks where the issuer says.
    let stored = state(vec![], vec![stored(TWO, "https://idp.example/r", 1)]);
    let stem = stored.identity_providers()[0].keys_stem();
    assert_eq!(stem, plain.keys_stem());
    assert!(!stems.contains(&stem));
}

#[test]
fn names_of_a_provider_in_trust_policies_and_condition_keys() {
    for (name, issuer, prefix, aliases) in [
        ("corp", "https://idp.example/r/", "idp.example/r", &["corp", "https://idp.example/r/"][..]),
        ("", "https://idp.example", "idp.example", &[]),
        ("lab", "http://10.0.0.1:8080/r", "10.0.0.1:8080/r", &["lab", "http://10.0.0.1:8080/r"]),
    ] {
        let provider = configured(name, issuer, account(ONE));
        assert_eq!(
            (provider.key_prefix(), provider.aliases().as_slice()),
            (prefix, &aliases.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
            "{issuer}"
        );
    }
}

#[test]
fn rules_fit_values_with_a_star_at_either_end() {
    for (pattern, value, fits) in [
        ("admin", "admin", true),
        ("admin", "Admin", false),
        ("admin", "admins", false),
        ("admin*", "admins", true),
        ("admin*", "admin", true),
        ("*admin", "sysadmin", true),
        ("*admin", "sysadmins", false),
        ("*admin*", "sysadmins", true),
        ("*", "", true),
        ("*", "anything", true),
        ("**", "anything", true),
        ("a*c", "abc", false),
        ("a*c", "a*c", true),
        ("?dmin", "admin", false),
        ("admin", "", false),
    ] {
        let rule = RoleRule { claim: "roles".into(), value: pattern.into(), role: "R".into() };
        let mapping = RoleMapping { rules: vec![rule], default_role: None };
        let claims = sts::Claims::parse(serde_json::json!({ "roles": [value] }).to_string().as_bytes()).unwrap();
        assert_eq!(mapping.role_of(&claims), fits.then_some("R"), "`{value}` against `{pattern}`");
    }
}

#[test]
fn no_two_things_are_revoked_by_one_text() {
    let issuer = "https://idp.example";
    let text = |value: &str| value.to_owned();
    let subject = |account: &str, issuer: &str, subject: &str| {
        RevocationTarget::Subject(text(account), text(issuer), text(subject))
    };
    let targets = [
        RevocationTarget::Session(text(ONE), text("s1")),
        RevocationTarget::Session(text(TWO), text("s1")),
        RevocationTarget::Session(text(ONE), text("s2")),
        RevocationTarget::Role(format!("arn:aws:iam::{ONE}:role/R")),
        RevocationTarget::Role(format!("arn:aws:iam::{TWO}:role/R")),
        RevocationTarget::User(text("AIDAONE")),
        RevocationTarget::User(text(ONE)),
        RevocationTarget::Provider(text(ONE), text(issuer)),
        RevocationTarget::Provider(text(TWO), text(issuer)),
        RevocationTarget::Provider(text(ONE), format!("{issuer}/r")),
        subject(ONE, issuer, "al"),
        subject(ONE, issuer, ""),
        subject(TWO, issuer, "al"),
        subject(ONE, issuer, "al bo"),
        subject(ONE, &format!("{issuer}/r"), "al"),
    ];
    let texts: std::collections::BTreeSet<String> = targets.iter().map(RevocationTarget::to_text).collect();
    assert_eq!(texts.len(), targets.len(), "{texts:?}");
    for (one, other) in [
        (
            RevocationTarget::Provider(text(ONE), text(issuer)),
            RevocationTarget::Provider(text(ONE), format!("{issuer}/")),
        ),
        (subject(ONE, issuer, "al"), subject(ONE, &format!("{issuer}/"), "al")),
    ] {
        assert_eq!(one.to_text(), other.to_text(), "the slash at the end of an issuer does not count");
    }
}

#[test]
fn a_revocation_lasts_as_long_as_the_sessions_could() {
    let revocation = |issued_until_ms| Revocation { issued_until_ms, ..Revocation::default() };
    for (issued_until_ms, lasts_s) in [(0, 0), (7_000, 7), (7_999, 7), (i64::MAX, i64::MAX / 1000)] {
        assert_eq!(revocation(issued_until_ms).expires_s(), lasts_s + LONGEST_SESSION_S, "{issued_until_ms}");
    }
    let target = RevocationTarget::User("AIDAONE".to_owned()).to_text();
    let stem = Revocation::file_stem(&target);
    let good = Revocation { target: target.clone(), issued_until_ms: 50, ..Revocation::default() };
    let empty = state(vec![], vec![]);
    for (what, read, until) in [
        ("written", Some(Ok(good)), Some(50)),
        ("broken", Some(Err(Unreadable("broken".into()))), Some(i64::MAX)),
        ("removed", None, None),
    ] {
        let after = empty.apply([Change::Revocation(stem.clone(), read)]);
        assert_eq!(after.revocation(&target).map(|revocation| revocation.issued_until_ms), until, "{what}");
        assert_eq!(after.has_revocations(), until.is_some(), "{what}");
        assert!(after.revocation("user:AIDATWO").is_none(), "{what}: no one else's");
    }
}

#[test]
fn sessions_end_with_what_they_were_made_from() {
    let session = |role_arn: &str, origins: &[&str]| CallerSession {
        id: "s1".into(),
        role_arn: role_arn.into(),
        name: "n".into(),
        origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        ..CallerSession::default()
    };
    let user = UserRecord { name: "al".into(), id: "AIDAONE".into(), ..UserRecord::default() };
    let state = state(vec![], vec![Change::User("al".into(), Some(Ok(user)))]);
    let al = Caller::of(state.user("al").unwrap());
    let root = Caller { principal: Principal::Root(account(ONE)), user_id: ONE.into(), is_root: true, ..al.clone() };
    let of = |session| Caller { session: Some(session), ..al.clone() };
    for (what, caller, origins) in [
        ("a user", al.clone(), vec!["user:AIDAONE"]),
        ("a root", root, vec!["user:111122223333"]),
        ("a role", of(session("arn:R", &["session:1 s1"])), vec!["session:1 s1", "role:arn:R"]),
        (
            "a chain",
            of(session("arn:S", &["session:1 s2", "session:1 s1", "role:arn:R"])),
            vec!["session:1 s2", "session:1 s1", "role:arn:R", "role:arn:S"],
        ),
    ] {
        assert_eq!(caller.origins(), origins, "{what}");
        assert_eq!(caller.session.is_some_and(|session| session.is_of_role()), origins.len() > 1, "{what}");
    }
    assert!(!session("", &[]).is_of_role(), "a session that a user made of himself");
}

#[test]
fn generated_ids_use_each_byte_once() {
    for (random, id) in [
        (vec![0; 17], "AROAAAAAAAAAAAAAAAAAA"),
        (vec![31; 17], "AROA77777777777777777"),
        (vec![32; 40], "AROAAAAAAAAAAAAAAAAAA"),
        ((0..17).collect(), "AROAABCDEFGHIJKLMNOPQ"),
    ] {
        assert_eq!(new_id("AROA", &random), id, "{random:?}");
    }
    assert_eq!(alphanumeric(&[0, 25, 26, 51, 52, 61, 62, 255], 8), "AZaz09AH");
    assert_eq!((alphanumeric(&[1, 2, 3], 2).as_str(), alphanumeric(&[], 2).as_str()), ("BC", ""));
}
