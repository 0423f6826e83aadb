//! Requests of sessions: what a token is worth, and who its session is at this moment.

use std::sync::Arc;

use access::{Authenticated, Authenticator, DecisionInput, NoObserver, SignatureV2};
use http::request::Parts;
use iam::{Change, PolicyPlace, PolicyRecord, RolePlace, RoleRecord};
use jiff::Timestamp;
use policy::Principal;
use s3::{Requirement, S3Error};
use sigv4::PayloadHash;
use sts::{NewSession, SessionKeys};
use testkit::signing::Client;

use crate::world::{
    ACCOUNT, IP, NOW, REVISION, ROLE_ARN, ROLE_MADE, World, client, head, new_session, now, policy, role, said,
    seconds, session, session_keys, with,
};

pub const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

pub fn get() -> Parts {
    head("GET", "/bkt/k")
}

pub fn signed(client: &Client) -> Parts {
    client.sign(get(), PayloadHash::EMPTY)
}

/// The answer to a request of a session that the gateway's own keys made.
pub fn answer(world: &World, new: &NewSession<'_>) -> Result<Authenticated, S3Error> {
    world.authenticate(&signed(&session(&session_keys(0, &[]), new)))
}

/// A gateway with these keys for sessions.
fn with_keys(keys: Option<SessionKeys>) -> World {
    World { door: Authenticator::new("us-east-1".to_owned(), SignatureV2::On, keys.map(Arc::new)), ..World::new() }
}

/// The code with its status, and a part of the message.
pub fn check(what: &str, answer: &Result<Authenticated, S3Error>, want: &str, message: &str) {
    assert_eq!(said(answer), want, "{what}");
    let told = answer.as_ref().err().map_or("", S3Error::message);
    assert!(told.contains(message), "{what}: {told}");
}

#[test]
fn a_session_in_each_way_of_signing() {
    let keys = session_keys(0, &[]);
    let work = session(&keys, &new_session());
    let form = r#"{"expiration": "2026-12-01T00:00:00Z", "conditions": []}"#;
    let world = World::new();
    for (answer, want) in [
        (world.authenticate(&signed(&work)), "work HeaderV4"),
        (world.authenticate(&work.presign(get(), 60)), "work PresignedV4"),
        (world.authenticate(&work.sign_v2(get())), "work HeaderV2"),
        (world.authenticate(&work.presign_v2(get(), 60)), "work PresignedV2"),
        (world.authenticate_form(&work.form(form)), "work PostV4"),
        (world.authenticate_form(&work.form_v2(form)), "work PostV2"),
    ] {
        assert_eq!(said(&answer), want);
        assert_eq!(&*answer.unwrap().caller.user_id, "AROAAPP:work");
    }
    // A session's key lives for hours only, so the use is noted under the id of its role, and with what it is under its own.
    let used = world.door.uses().peek();
    assert_eq!(used.iter().map(|(id, _)| &**id).collect::<Vec<_>>(), ["07".repeat(16).as_str(), "AROAAPP"]);
    let known = used.of(&"07".repeat(16)).and_then(|used| used.session.clone()).unwrap();
    assert_eq!((&*known.role_arn, &*known.account, &*known.subject), (ROLE_ARN, ACCOUNT, ""));
    assert!(known.arn.ends_with(":assumed-role/app/work") && known.issued_s < known.expires_s, "{known:?}");
    assert!(used.of("AROAAPP").is_some_and(|used| used.session.is_none()));
}

#[test]
fn a_token_and_its_key_belong_together() {
    let keys = session_keys(0, &[]);
    let one = session(&keys, &new_session());
    let other = session(&keys, &NewSession { session_id: [8; 16], ..new_session() });
    let token = |of: &Client| of.session_token.clone();
    let cut = token(&one).map(|token| token[..token.len() - 3].to_owned());
    let apart = "do not belong together";
    let unsigned = "all gateways need the same sts.signingKey";
    for (what, client, want, message) in [
        ("a session", one.clone(), "work HeaderV4", ""),
        ("the key of another", Client { session_token: token(&one), ..other.clone() }, "InvalidToken 400", apart),
        ("the key of a user", Client { session_token: token(&one), ..client("AKALICE") }, "InvalidToken 400", apart),
        (
            "the secret of another",
            Client { secret: other.secret.clone(), ..one.clone() },
            "SignatureDoesNotMatch 403",
            "",
        ),
        ("no token", Client { session_token: None, ..one.clone() }, "InvalidAccessKeyId 403", ""),
        ("an empty token", Client { session_token: Some(String::new()), ..one.clone() }, "InvalidToken 400", "JWT"),
        ("half a signature", Client { session_token: cut, ..one.clone() }, "InvalidToken 400", unsigned),
    ] {
        // The same twice: a session that is remembered is no other.
        let world = World::new();
        world.authenticate(&signed(&one)).unwrap();
        for world in [&world, &World::new()] {
            check(what, &world.authenticate(&signed(&client)), want, message);
        }
    }
}

#[test]
fn the_keys_that_sessions_are_signed_with() {
    const UNKNOWN: &str = "all gateways need the same sts.signingKey";
    let issuer = |issuer: &str| Some(SessionKeys { issuer: issuer.to_owned(), ..session_keys(0, &[]) });
    for (what, gateways, signed_with, want, message) in [
        ("the key", Some(session_keys(0, &[])), 0, "work HeaderV4", ""),
        ("one of before", Some(session_keys(1, &[2, 0])), 0, "work HeaderV4", ""),
        ("one that is gone", Some(session_keys(1, &[2])), 0, "InvalidToken 400", UNKNOWN),
        ("another's", Some(session_keys(0, &[])), 3, "InvalidToken 400", UNKNOWN),
        ("no key", None, 0, "InvalidToken 400", "no sts.signingKey"),
        ("another issuer", issuer("other"), 0, "InvalidToken 400", "same sts.issuer"),
    ] {
        let work = session(&session_keys(signed_with, &[]), &new_session());
        check(what, &with_keys(gateways).authenticate(&signed(&work)), want, message);
    }
}

#[test]
fn the_time_of_a_session() {
    for (what, issued_at, want) in [
        ("in its last second", -899, "work HeaderV4"),
        ("at its end", -900, "ExpiredToken 400"),
        ("made by a clock that is ahead", 300, "work HeaderV4"),
        ("too far ahead", 301, "InvalidToken 400"),
    ] {
        let new = NewSession { issued_at: seconds(issued_at), ..new_session() };
        assert_eq!(said(&answer(&World::new(), &new)), want, "{what}");
    }
    // What is remembered ends all the same.
    let work = session(&session_keys(0, &[]), &new_session());
    let mut world = World::new();
    for (later, want) in
        [(0, "work HeaderV4"), (599, "work HeaderV4"), (600, "ExpiredToken 400"), (601, "ExpiredToken 400")]
    {
        world.now = seconds(later);
        let client = Client { time: world.now, ..work.clone() };
        assert_eq!(said(&world.authenticate(&signed(&client))), want, "{later} s later");
    }
}

#[test]
fn a_session_lives_as_long_as_its_role() {
    const GONE: &str = "the role of the session";
    let deleted = || Change::Role("app".into(), RolePlace::Base, None);
    let elsewhere = |arn: &'static str| NewSession { role_arn: arn, ..new_session() };
    let weeds = NewSession { role_id: None, ..new_session() };
    for (what, new, changes, want) in [
        ("as it was", new_session(), vec![], "work HeaderV4"),
        ("deleted", new_session(), vec![deleted()], GONE),
        ("made again", new_session(), vec![deleted(), role("AROANEXT", NOW)], GONE),
        ("made again in the same second", new_session(), vec![role("AROANEXT", ROLE_MADE)], GONE),
        ("weed's", weeds.clone(), vec![], "work HeaderV4"),
        ("weed's, the role made again", weeds, vec![role("AROANEXT", NOW)], GONE),
        ("as weed names roles", elsewhere("arn:aws:iam::role/app"), vec![], "work HeaderV4"),
        ("another path", elsewhere("arn:aws:iam::111122223333:role/app"), vec![], GONE),
        ("another account", elsewhere("arn:aws:iam::444455556666:role/team/app"), vec![], GONE),
        ("another role", elsewhere("arn:aws:iam::111122223333:role/team/other"), vec![], GONE),
    ] {
        let mut world = World::new();
        world.snapshot = world.snapshot.apply(changes);
        let answer = answer(&world, &new);
        match want {
            GONE => check(what, &answer, "InvalidToken 400", GONE),
            want => assert_eq!(said(&answer), want, "{what}"),
        }
    }
    // Nor does a session that is remembered outlive it.
    let mut world = World::new();
    assert_eq!(said(&answer(&world, &new_session())), "work HeaderV4");
    world.snapshot = world.snapshot.apply([deleted()]);
    check("deleted meanwhile", &answer(&world, &new_session()), "InvalidToken 400", GONE);
}

#[test]
fn sessions_are_those_of_roles() {
    const NO_ROLE: &str = "it is not a role session";
    for (principal_arn, message) in [
        ("arn:aws:iam::111122223333:user/alice", NO_ROLE),
        ("arn:aws:iam::111122223333:root", NO_ROLE),
        ("arn:aws:sts::111122223333:federated-user/alice", NO_ROLE),
        ("work", "ARN"),
        ("", "principal is missing"),
    ] {
        let new = NewSession { principal_arn, ..new_session() };
        check(principal_arn, &answer(&World::new(), &new), "InvalidToken 400", message);
    }
}

#[test]
fn the_policy_of_a_session() {
    let of = |session_policy| {
        let new = NewSession { session_policy, ..new_session() };
        answer(&World::new(), &new).unwrap().caller.session.unwrap().policy
    };
    assert!(of(None).is_none());
    assert!(of(Some("")).is_none());
    assert_eq!(of(Some(ALLOW)).unwrap().unreadable_reason(), None);
    for broken in ["{", "[]", r#"{"Version":"2012-10-17","Statement":[{"Effect":"Maybe"}]}"#] {
        // Wider without it, so it stays, and denies.
        let policy = of(Some(broken)).unwrap();
        let reason = policy.unreadable_reason().unwrap();
        assert!(reason.contains("session policy"), "{broken}: {reason}");
    }
}

#[test]
fn who_a_session_is() {
    let tags = [("Team".to_owned(), "blue".to_owned()), ("Cost".to_owned(), "7".to_owned())];
    let mut request_context = serde_json::Map::new();
    // Neither a key of another kind nor a value that is no text becomes a tag.
    request_context.insert("aws:SourceIp".to_owned(), "10.0.0.1".into());
    request_context.insert("aws:PrincipalTag/Number".to_owned(), 7.into());
    let transitive = ["Team".to_owned()];
    let new = NewSession {
        tags: &tags,
        transitive_tag_keys: &transitive,
        source_identity: Some("carol"),
        request_context,
        ..new_session()
    };
    let attached_policies = vec!["of-app".to_owned()];
    let document = RoleRecord { attached_policies, boundary: Some("limit".to_owned()), ..made_role() };
    let bound = Change::Role("app".into(), RolePlace::Base, Some(Ok(document)));
    let mut world = World::new();
    world.snapshot = world.snapshot.apply([policy("of-app", ALLOW), policy("limit", ALLOW), bound]);
    let head = signed(&session(&session_keys(0, &[]), &new));
    let caller = world.authenticate(&head).unwrap().caller;
    let (role, role_path) = ("app".to_owned(), "/team/".to_owned());
    let session = "work".parse().unwrap();
    let principal = Principal::AssumedRole { account: ACCOUNT.parse().unwrap(), role, role_path, session };
    assert_eq!(caller.principal, principal);
    assert_eq!(&*caller.arn, "arn:aws:sts::111122223333:assumed-role/app/work");
    assert_eq!((&*caller.name, caller.account.as_str(), caller.is_root), ("work", ACCOUNT, false));
    assert_eq!((caller.policies.len(), caller.boundary.is_some()), (1, true));
    assert!(Arc::ptr_eq(&caller.policies, &world.snapshot.role("app").unwrap().policies));
    assert_eq!(caller.connection.source_ip, Some(IP.parse().unwrap()));
    let key = caller.access_key_id.unwrap();
    assert!(key.as_str().starts_with("ASIA"), "{key}");
    let session = caller.session.unwrap();
    assert_eq!((&*session.role_arn, &*session.name, &*session.id), (ROLE_ARN, "work", &*"07".repeat(16)));
    let (issued_s, expires_s) = (seconds(-300).as_second(), seconds(600).as_second());
    assert_eq!((session.issued_s, session.expires_s), (issued_s, expires_s));
    let mut known = session.tags.to_vec();
    known.sort();
    assert_eq!(known, [("Cost".to_owned(), "7".to_owned()), ("Team".to_owned(), "blue".to_owned())]);
    assert_eq!(session.transitive_tag_keys.to_vec(), transitive);
    assert_eq!(session.source_identity.as_deref(), Some("carol"));
}

pub fn made_role() -> RoleRecord {
    let created_s = ROLE_MADE.parse::<Timestamp>().unwrap().as_second();
    let (name, id, path) = ("app".to_owned(), "AROAAPP".to_owned(), "/team/".to_owned());
    RoleRecord { name, id, path, created_s, ..RoleRecord::default() }
}

/// A gateway that is behind waits for the revision that the maker of a session had seen; nobody else makes it wait.
#[test]
fn the_revision_of_a_session() {
    let keys = session_keys(0, &[]);
    let work = session(&keys, &new_session());
    let weeds = session(&keys, &NewSession { revision: None, ..new_session() });
    let ended = session(&keys, &NewSession { issued_at: seconds(-900), ..new_session() });
    let foreign = session(&session_keys(3, &[]), &new_session());
    let stolen = Client { session_token: work.session_token.clone(), ..client("AKALICE") };
    for (what, head, want) in [
        ("V4 in the header", signed(&work), Some(REVISION)),
        ("V4 in the URL", work.presign(get(), 60), Some(REVISION)),
        ("V2", work.sign_v2(get()), None),
        ("V2 in the URL", work.presign_v2(get(), 60), None),
        ("weed's", signed(&weeds), None),
        ("over", signed(&ended), None),
        ("of other gateways", signed(&foreign), None),
        ("with the key of a user", signed(&stolen), None),
        ("of a user", signed(&client("AKALICE")), None),
        ("of a user, in the URL", client("AKALICE").presign(get(), 60), None),
        ("an anonymous request", get(), None),
        ("a token without a signature", with(get(), "x-amz-security-token", "abc"), None),
        ("a parameter without a signature", head("GET", "/bkt/k?X-Amz-Security-Token=abc"), None),
    ] {
        assert_eq!(
            World::new().door.session_revision(&sigv4::auth_form(&head).unwrap(), now()).as_deref(),
            want,
            "{what}"
        );
    }
    let world = with_keys(None);
    assert_eq!(world.door.session_revision(&sigv4::auth_form(&signed(&work)).unwrap(), now()), None, "no key");
}

pub const READ_ONLY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

/// The managed policies that limit a session are those of now. One that is gone, or that another account has, denies everything.
#[test]
fn the_managed_policies_of_a_session() {
    const WRITE_ONLY: &str =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}"#;
    const AWS: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let named = |name: &str| if name.starts_with("arn:") { name.to_owned() } else { format!("{POLICIES}{name}") };
    let foreign = PolicyRecord { account: "444455556666".to_owned(), ..PolicyRecord::of_text(ALLOW) };
    let foreign = Change::Policy("foreign".into(), PolicyPlace::Api, Some(Ok(foreign)));
    let below = PolicyRecord { path: "/team/".to_owned(), ..PolicyRecord::of_text(ALLOW) };
    let below = Change::Policy("below".into(), PolicyPlace::Api, Some(Ok(below)));
    let mut world = World::new();
    let policies = [policy("read", READ_ONLY), policy("write", WRITE_ONLY), policy("of-app", ALLOW), foreign, below];
    world.snapshot = world.snapshot.apply(policies);
    for (own, managed, want) in [
        (None, &[][..], "allow, allow"),
        (None, &["read"], "allow, implicit_deny"),
        (None, &["read", "write"], "allow, allow"),
        (Some(WRITE_ONLY), &["read"], "allow, allow"),
        (Some(READ_ONLY), &["read"], "allow, implicit_deny"),
        (None, &[AWS], "allow, implicit_deny"),
        (None, &["gone"], "explicit_deny, explicit_deny"),
        (Some(ALLOW), &["gone"], "explicit_deny, explicit_deny"),
        (None, &["read", "gone"], "explicit_deny, explicit_deny"),
        (None, &["foreign"], "explicit_deny, explicit_deny"),
        // What has its name at another path is another policy.
        (None, &["team/below"], "allow, allow"),
        (None, &["below"], "explicit_deny, explicit_deny"),
        (None, &["secure/below"], "explicit_deny, explicit_deny"),
        (None, &["arn:aws:iam:::policy/read"], "allow, implicit_deny"),
        (None, &["arn:aws:iam:::policy/below"], "explicit_deny, explicit_deny"),
    ] {
        let arns: Vec<String> = managed.iter().map(|name| named(name)).collect();
        let new = NewSession { session_policy: own, session_policy_arns: &arns, ..new_session() };
        assert_eq!(may_read_and_write(&world, &answer(&world, &new)), want, "{own:?} {managed:?}");
    }
    // It is put together once, and again when one of its parts changes.
    let new = NewSession { session_policy_arns: &[named("read"), named("write")], ..new_session() };
    let limits = |world: &World| answer(world, &new).unwrap().caller.session.unwrap().policy.unwrap();
    let first = limits(&world);
    assert!(Arc::ptr_eq(&first, &limits(&world)));
    for (name, text, want) in [
        ("write", READ_ONLY, "allow, implicit_deny"),
        ("read", WRITE_ONLY, "allow, allow"),
        ("read", READ_ONLY, "allow, implicit_deny"),
    ] {
        world.snapshot = world.snapshot.apply([policy(name, text)]);
        assert_eq!(may_read_and_write(&world, &answer(&world, &new)), want, "{name} is {text} now");
    }
}

pub const POLICIES: &str = "arn:aws:iam::111122223333:policy/";

/// What is decided about reading and writing an object of the caller's account.
pub fn may_read_and_write(world: &World, known: &Result<Authenticated, S3Error>) -> String {
    let known = known.as_ref().unwrap();
    let context = access::request_context(&get(), known, &world.snapshot, "us-east-1", now()).unwrap();
    let (caller, snapshot) = (&known.caller, &world.snapshot);
    let input = DecisionInput { caller, snapshot, context: &context, observer: &NoObserver };
    let decided = ["s3:GetObject", "s3:PutObject"].map(|action| {
        let need = Requirement::on_resource(action, "arn:aws:s3:::bkt/k".to_owned());
        access::outcome_label(&access::decide(&need, input))
    });
    decided.join(", ")
}

/// The token of a provider: the gateway makes a session of it, which no client ever has.
#[test]
fn who_brought_the_token_of_a_provider() {
    let keys = session_keys(0, &[]);
    let token = |new: &NewSession<'_>| session(&keys, new).session_token.unwrap();
    let head = with(get(), "x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    for (what, token, want) in [
        ("a session", token(&new_session()), "work Bearer"),
        ("over", token(&NewSession { issued_at: seconds(-900), ..new_session() }), "ExpiredToken 400"),
        (
            "of a role that is gone",
            token(&NewSession { role_id: Some("AROAOLD"), ..new_session() }),
            "InvalidToken 400",
        ),
        ("no token", "x".to_owned(), "InvalidToken 400"),
    ] {
        let world = World::new();
        let answer = world.authenticate_bearer(&head, &token);
        assert_eq!(said(&answer), want, "{what}");
        assert_eq!(world.door.uses().peek().of("AROAAPP").is_some(), answer.is_ok(), "{what}");
        let Ok(known) = answer else { continue };
        assert_eq!((known.payload, known.seed.is_some(), known.signed_at), (PayloadHash::Unsigned, false, None));
        assert_eq!((&*known.service, known.caller.session.unwrap().role_arn.as_ref()), ("s3", ROLE_ARN));
        assert!(known.caller.access_key_id.is_some_and(|key| key.as_str().starts_with("ASIA")));
    }
    let broken = with(get(), "x-amz-content-sha256", "abc");
    assert_eq!(said(&World::new().authenticate_bearer(&broken, &token(&new_session()))), "InvalidArgument 400");
}
