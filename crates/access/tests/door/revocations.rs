//! Sessions that were revoked: each by what it is, and by what it was made from.

use iam::{Change, OidcProvider, Revocation, RevocationTarget, Unreadable};
use sigv4::PayloadHash;
use sts::{FederatedUser, NewSession};

use crate::world::{ACCOUNT, ROLE_ARN, World, head, new_session, said, seconds, session, session_keys};

const ISSUER: &str = "https://idp.example/realm/";

/// A session of a user of a provider, made five minutes ago from a session of alice's.
fn said_to(world: &World) -> String {
    let user = FederatedUser { provider: "corp", issuer: ISSUER, subject: "user-1", audience: "app" };
    let origins = [RevocationTarget::User("AIDAALICE".to_owned()).to_text(), "session:111122223333 00ff".to_owned()];
    let new = NewSession { federated: Some(user), origins: &origins, ..new_session() };
    let client = session(&session_keys(0, &[]), &new);
    said(&world.authenticate(&client.sign(head("GET", "/bkt/k"), PayloadHash::EMPTY)))
}

/// A session of a role that was made from a session of the provider's user.
fn said_to_chained(world: &World) -> String {
    let origins = [RevocationTarget::Provider(ACCOUNT.to_owned(), ISSUER.to_owned()).to_text()];
    let client = session(&session_keys(0, &[]), &NewSession { origins: &origins, ..new_session() });
    said(&world.authenticate(&client.sign(head("GET", "/bkt/k"), PayloadHash::EMPTY)))
}

fn revoked(target: &RevocationTarget, issued_until_s: i64) -> Change {
    let target = target.to_text();
    let stem = Revocation::file_stem(&target);
    let issued_until_ms = issued_until_s * 1000;
    Change::Revocation(stem, Some(Ok(Revocation { target, issued_until_ms, ..Revocation::default() })))
}

fn with(change: Change) -> World {
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example/realm");
    let url = ISSUER.trim_end_matches('/').to_owned();
    let provider = OidcProvider { arn: arn.clone(), url, ..OidcProvider::default() };
    let provider = Change::OidcProvider(OidcProvider::file_stem(&arn), Some(Ok(provider)));
    let world = World::new();
    let snapshot = world.snapshot.apply([provider, change]);
    World { snapshot, ..world }
}

#[test]
fn a_session_ends_by_what_it_is_and_by_what_it_was_made_from() {
    let text = |text: &str| text.to_owned();
    let own_id = "07".repeat(16);
    for (target, ends) in [
        (RevocationTarget::Role(text(ROLE_ARN)), true),
        (RevocationTarget::Role(text("arn:aws:iam::111122223333:role/app")), false),
        (RevocationTarget::User(text("AIDAALICE")), true),
        (RevocationTarget::User(text("AIDABOB")), false),
        (RevocationTarget::Session(text(ACCOUNT), own_id.clone()), true),
        (RevocationTarget::Session(text(ACCOUNT), text("00ff")), true),
        (RevocationTarget::Session(text("444455556666"), own_id), false),
        (RevocationTarget::Provider(text(ACCOUNT), text(ISSUER)), true),
        (RevocationTarget::Provider(text(ACCOUNT), text("https://idp.example/realm")), true),
        (RevocationTarget::Provider(text(ACCOUNT), text("https://idp.example")), false),
        (RevocationTarget::Provider(text("444455556666"), text(ISSUER)), false),
        (RevocationTarget::Subject(text(ACCOUNT), text(ISSUER), text("user-1")), true),
        (RevocationTarget::Subject(text(ACCOUNT), text(ISSUER), text("user-10")), false),
    ] {
        let now = with(revoked(&target, seconds(0).as_second()));
        assert_eq!(said_to(&now), if ends { "ExpiredToken 400" } else { "work HeaderV4" }, "{target:?}");
    }
}

#[test]
fn sessions_that_were_issued_later_go_on() {
    let role = RevocationTarget::Role(ROLE_ARN.to_owned());
    for (until, want) in
        [(-301, "work HeaderV4"), (-300, "ExpiredToken 400"), (-299, "ExpiredToken 400"), (10, "ExpiredToken 400")]
    {
        assert_eq!(said_to(&with(revoked(&role, seconds(until).as_second()))), want, "{until}");
    }
}

/// Between two revocations within one second there may be sessions.
#[test]
fn of_the_sessions_of_one_second_the_earlier_ones_end() {
    let role = RevocationTarget::Role(ROLE_ARN.to_owned()).to_text();
    let said_at = |issued_ms: i64, until_ms: i64| {
        let issued_at = jiff::Timestamp::from_millisecond(issued_ms).unwrap();
        let client = session(&session_keys(0, &[]), &NewSession { issued_at, ..new_session() });
        let revocation = Revocation { target: role.clone(), issued_until_ms: until_ms, ..Revocation::default() };
        let world = with(Change::Revocation(Revocation::file_stem(&role), Some(Ok(revocation))));
        said(&world.authenticate(&client.sign(head("GET", "/bkt/k"), PayloadHash::EMPTY)))
    };
    let second = seconds(-300).as_second() * 1000;
    for (issued, until, want) in [
        (0, 0, "ExpiredToken 400"),
        (1, 0, "work HeaderV4"),
        (500, 499, "work HeaderV4"),
        (500, 500, "ExpiredToken 400"),
        (999, 1000, "ExpiredToken 400"),
        (1000, 999, "work HeaderV4"),
    ] {
        assert_eq!(said_at(second + issued, second + until), want, "issued at {issued}, revoked until {until}");
    }
}

#[test]
fn a_revocation_that_cannot_be_read_counts() {
    let stem = Revocation::file_stem(&RevocationTarget::Role(ROLE_ARN.to_owned()).to_text());
    let broken = || Some(Err(Unreadable("broken".into())));
    assert_eq!(said_to(&with(Change::Revocation(stem, broken()))), "ExpiredToken 400");
    assert_eq!(said_to(&with(Change::Revocation("another".into(), broken()))), "work HeaderV4");
}

#[test]
fn what_was_made_from_a_session_ends_with_the_provider_too() {
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example/realm");
    let stem = OidcProvider::file_stem(&arn);
    let provider = |created_s: i64| {
        let url = ISSUER.trim_end_matches('/').to_owned();
        let provider = OidcProvider { arn: arn.clone(), url, created_s, ..OidcProvider::default() };
        Change::OidcProvider(stem.clone(), Some(Ok(provider)))
    };
    let issued_s = seconds(-300).as_second();
    for (what, change, wanted) in [
        ("it is there", provider(issued_s), "work HeaderV4"),
        ("it is another one", provider(issued_s + 1), "InvalidToken 400"),
        ("it is gone", Change::OidcProvider(stem.clone(), None), "InvalidToken 400"),
    ] {
        assert_eq!(said_to_chained(&with(change)), wanted, "{what}");
    }
}
