//! Sessions that users make with their own keys, of themselves and for others, and what all sessions say of their makers.

use std::sync::Arc;

use iam::{Bucket, BucketPolicy, Change, RolePlace, RoleRecord, UserRecord};
use iam_formats::{Facts, StoredDocument};
use policy::Principal;
use sigv4::PayloadHash;
use sts::{NewSession, SessionHolder};

use crate::sessions::{ALLOW, POLICIES, READ_ONLY, answer, check, get, made_role, may_read_and_write, signed};
use crate::world::{ACCOUNT, ROLE_ARN, World, client, new_session, now, policy, said, seconds};

/// The session that `alice`, as she is in this world, made of herself with one of her keys.
fn own<'a>(alice: &'a str, key: &'a str, session_policy: Option<&'a str>) -> NewSession<'a> {
    let principal_arn = "arn:aws:iam::111122223333:user/alice";
    NewSession {
        role_arn: "",
        role_id: Some(alice),
        held_by: SessionHolder::User(key),
        principal_arn,
        session_policy,
        ..new_session()
    }
}

#[test]
fn a_session_that_a_user_made_of_himself_lives_as_long_as_user_and_key() {
    const GONE: &str = "no longer exists";
    const OFF: &str = "is inactive, or its user is disabled";
    let with = |identities: &str| World::with_identities(&format!(r#"{{"identities":[{identities}]}}"#));
    let alice = |more: &str, status: &str| {
        format!(
            r#"{{"name":"alice","account":{{"id":"111122223333"}},{more}"credentials":[
                {{"accessKey":"AKALICE","secretKey":"AKALICE secret","status":"{status}"}}]}}"#
        )
    };
    let id = World::new().snapshot.user("alice").unwrap().id.to_string();
    for (what, world, key, id, want) in [
        ("as it was", World::new(), "AKALICE", &*id, "alice HeaderV4"),
        ("the same", with(&alice("", "Active")), "AKALICE", &*id, "alice HeaderV4"),
        ("no user", with(""), "AKALICE", &*id, GONE),
        ("a disabled user", with(&alice(r#""disabled":true,"#, "Active")), "AKALICE", &*id, OFF),
        ("an inactive key", with(&alice("", "Inactive")), "AKALICE", &*id, OFF),
        ("another inactive key", World::new(), "AKOLD", &*id, OFF),
        ("a key that is gone", World::new(), "AKNEVER", &*id, GONE),
        ("the next user of the name", World::new(), "AKALICE", "AIDANEXT", GONE),
        ("a key of another user", World::new(), "AKBOB", &*id, GONE),
        ("a key of her service account", World::new(), "AKSERVICE", &*id, GONE),
        ("no key", World::new(), "", &*id, GONE),
    ] {
        let answer = answer(&world, &own(id, key, None));
        match want {
            GONE | OFF => check(what, &answer, "InvalidToken 400", want),
            want => assert_eq!(said(&answer), want, "{what}"),
        }
    }
    // `weed s3` makes such sessions too. They name no key, so nothing could end them.
    let weeds = NewSession { held_by: SessionHolder::Role, role_id: None, ..own(&id, "", None) };
    check("weed's", &answer(&World::new(), &weeds), "InvalidToken 400", "role or principal is missing");
    // Nor is a session that of a role and of a user.
    let both = NewSession { held_by: SessionHolder::User("AKALICE"), ..new_session() };
    check("both", &answer(&World::new(), &both), "InvalidToken 400", "role or principal is missing");
}

/// A session that `alice` made with GetFederationToken, for somebody whom she calls `bob`.
fn federated<'a>(alice: &'a str, key: &'a str, session_policy: Option<&'a str>) -> NewSession<'a> {
    let (held_by, principal_arn) = (SessionHolder::Federated(key), "arn:aws:sts::111122223333:federated-user/bob");
    NewSession { held_by, principal_arn, session_name: "bob", ..own(alice, key, session_policy) }
}

#[test]
fn a_federated_user_has_the_policies_of_its_maker_and_nothing_of_a_namesake() {
    let world = World::new();
    let alice = world.snapshot.user("alice").unwrap();
    let id = alice.id.to_string();
    let tags = [("team".to_owned(), "blue".to_owned())];
    let known = answer(&world, &NewSession { tags: &tags, ..federated(&id, "AKALICE", Some(READ_ONLY)) }).unwrap();
    let caller = &known.caller;
    let arn = "arn:aws:sts::111122223333:federated-user/bob";
    assert_eq!((&*caller.name, &*caller.arn, &*caller.user_id), ("alice", arn, "111122223333:bob"));
    assert!(matches!(&caller.principal, Principal::FederatedUser { user, .. } if user == "/alice"));
    assert_eq!(caller.unique_id(), Some(&*id));
    assert!(Arc::ptr_eq(&caller.policies, &alice.policies) && !caller.is_root);
    assert!(caller.session.as_ref().unwrap().policy.is_some());
    let context = access::request_context(&get(), &known, &world.snapshot, "us-east-1", now()).unwrap();
    for (key, want) in [
        ("aws:PrincipalArn", Some(arn)),
        ("aws:username", None),
        ("aws:userid", Some("111122223333:bob")),
        ("aws:PrincipalType", Some("FederatedUser")),
        ("aws:PrincipalTag/team", Some("blue")),
    ] {
        assert_eq!(context.get(key).map(|values| values.join("|")).as_deref(), want, "{key}");
    }
    // It ends with its key, and its token cannot be turned into one of another kind.
    for (what, new, message) in [
        ("a key that is gone", federated(&id, "AKNEVER", None), "no longer exists"),
        ("a key of another user", federated(&id, "AKBOB", None), "no longer exists"),
        ("a key of her service account", federated(&id, "AKSERVICE", None), "no longer exists"),
        ("an inactive key", federated(&id, "AKOLD", None), "is inactive"),
        (
            "a user",
            NewSession { principal_arn: "arn:aws:iam::111122223333:user/alice", ..federated(&id, "AKALICE", None) },
            "not a session of GetFederationToken",
        ),
        (
            "another account",
            NewSession {
                principal_arn: "arn:aws:sts::444455556666:federated-user/bob",
                ..federated(&id, "AKALICE", None)
            },
            "another account",
        ),
        (
            "a role",
            NewSession { role_arn: ROLE_ARN, ..federated(&id, "AKALICE", None) },
            "role or principal is missing",
        ),
    ] {
        check(what, &answer(&world, &new), "InvalidToken 400", message);
    }
}

#[test]
fn a_user_in_his_own_session_is_the_user() {
    let world = World::new();
    let id = world.snapshot.user("alice").unwrap().id.to_string();
    let known = answer(&world, &own(&id, "AKALICE", Some(READ_ONLY))).unwrap();
    let caller = &known.caller;
    assert_eq!((&*caller.name, &*caller.arn), ("alice", "arn:aws:iam::111122223333:user/alice"));
    assert!(matches!(&caller.principal, Principal::User { name, .. } if name == "alice"));
    assert!(Arc::ptr_eq(&caller.policies, &world.snapshot.user("alice").unwrap().policies));
    let session = caller.session.as_ref().unwrap();
    assert!(!session.is_of_role() && session.policy.is_some());
    let context = access::request_context(&get(), &known, &world.snapshot, "us-east-1", now()).unwrap();
    for (key, want) in [
        ("aws:PrincipalArn", Some("arn:aws:iam::111122223333:user/alice")),
        ("aws:username", Some("alice")),
        ("aws:PrincipalType", Some("User")),
        ("aws:TokenIssueTime", Some("2026-11-28T19:55:00Z")),
        ("aws:MultiFactorAuthPresent", Some("false")),
    ] {
        let got = context.get(key).map(|values| values.join("|"));
        assert_eq!(got.as_deref(), want, "{key}");
    }
}

/// A session of GetFederationToken without a session policy has nothing; managed ones give it what its maker has too.
#[test]
fn the_limits_of_a_federated_user() {
    let mut world = World::new();
    world.snapshot = world.snapshot.apply([policy("read", READ_ONLY)]);
    let id = world.snapshot.user("alice").unwrap().id.to_string();
    let arns = [format!("{POLICIES}read")];
    for (what, new, want) in [
        ("none", federated(&id, "AKALICE", None), None),
        ("its own", federated(&id, "AKALICE", Some(ALLOW)), Some(false)),
        ("a managed one", NewSession { session_policy_arns: &arns, ..federated(&id, "AKALICE", None) }, Some(false)),
        (
            "one that is gone",
            NewSession { session_policy_arns: &["gone".to_owned()], ..federated(&id, "AKALICE", None) },
            Some(true),
        ),
    ] {
        let session = answer(&world, &new).unwrap().caller.session.unwrap();
        let denies = session.policy.map(|policy| policy.unreadable_reason().is_some());
        assert_eq!(denies, want, "{what}");
    }
}

/// Role session, own session and federated session: when a code of an MFA device was shown, and how long ago that is.
#[test]
fn multi_factor_authentication_of_a_session() {
    let world = World::new();
    let id = world.snapshot.user("alice").unwrap().id.to_string();
    for (shown_s, present, age) in [
        (None, "false", None),
        (Some(-300), "true", Some("300")),
        (Some(0), "true", Some("0")),
        // By a clock that was ahead.
        (Some(60), "true", Some("0")),
    ] {
        let mfa_at_s = shown_s.map(|shown_s| seconds(shown_s).as_second());
        for new in [new_session(), own(&id, "AKALICE", None), federated(&id, "AKALICE", None)] {
            let known = answer(&world, &NewSession { mfa_at_s, ..new }).unwrap();
            let context = access::request_context(&get(), &known, &world.snapshot, "us-east-1", now()).unwrap();
            let of = |key: &str| context.get(key).map(|values| values.join("|"));
            assert_eq!(of("aws:MultiFactorAuthPresent").as_deref(), Some(present), "{shown_s:?}");
            assert_eq!(of("aws:MultiFactorAuthAge").as_deref(), age, "{shown_s:?}");
        }
    }
    let known = world.authenticate(&client("AKALICE").sign(get(), PayloadHash::EMPTY)).unwrap();
    let context = access::request_context(&get(), &known, &world.snapshot, "us-east-1", now()).unwrap();
    assert_eq!(context.get("aws:MultiFactorAuthPresent"), None, "absent without a session, as in AWS");
}

/// What `PrincipalTag` says: the tags of the user or role, and over them those of the session.
#[test]
fn the_tags_of_a_principal() {
    let tags = |pairs: [(&str, &str); 2]| pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter();
    let record = UserRecord { tags: tags([("team", "red"), ("desk", "7")]).collect(), ..alice() };
    let role = RoleRecord { tags: tags([("team", "green"), ("cost", "9")]).collect(), ..made_role() };
    let mut world = World::with_identities(r#"{"identities": []}"#);
    world.snapshot = world.snapshot.apply([
        Change::User("alice".into(), Some(Ok(record))),
        Change::Role("app".into(), RolePlace::Base, Some(Ok(role))),
    ]);
    let id = world.snapshot.user("alice").unwrap().id.to_string();
    let blue = [("team".to_owned(), "blue".to_owned())];
    let made = |new: NewSession<'_>| answer(&world, &new).unwrap();
    for (what, known, want) in [
        ("a user", world.authenticate(&signed(&client("AKALICE"))).unwrap(), [Some("red"), Some("7"), None]),
        ("own session", made(own(&id, "AKALICE", None)), [Some("red"), Some("7"), None]),
        ("federated", made(federated(&id, "AKALICE", None)), [Some("red"), Some("7"), None]),
        (
            "federated, tagged",
            made(NewSession { tags: &blue, ..federated(&id, "AKALICE", None) }),
            [Some("blue"), Some("7"), None],
        ),
        ("a role", made(new_session()), [Some("green"), None, Some("9")]),
        ("a role, tagged", made(NewSession { tags: &blue, ..new_session() }), [Some("blue"), None, Some("9")]),
        ("nobody", world.authenticate(&get()).unwrap(), [None, None, None]),
    ] {
        let context = access::request_context(&get(), &known, &world.snapshot, "us-east-1", now()).unwrap();
        let of = ["team", "desk", "cost"]
            .map(|tag| context.get(&format!("aws:PrincipalTag/{tag}")).map(|all| all.join("|")));
        assert_eq!(of.each_ref().map(Option::as_deref), want, "{what}");
    }
}

fn alice() -> UserRecord {
    let json = r#"{"name":"alice","account":{"id":"111122223333"},
        "credentials":[{"accessKey":"AKALICE","secretKey":"AKALICE secret"}]}"#;
    UserRecord::parse(json, Facts::default()).unwrap()
}

/// A session that root made for somebody is not root, and nothing names its maker by path and name.
#[test]
fn a_federated_user_of_root_is_not_root() {
    const ROOT: &str = r#"{"identities": [{"name": "root", "account": {"id": "111122223333"}, "actions": ["Admin"],
        "credentials": [{"accessKey": "AKROOT", "secretKey": "AKROOT secret"}]}]}"#;
    let world = World::with_identities(ROOT);
    assert!(world.authenticate(&signed(&client("AKROOT"))).unwrap().caller.is_root);
    let id = world.snapshot.user("root").unwrap().id.to_string();
    let caller = answer(&world, &federated(&id, "AKROOT", Some(ALLOW))).unwrap().caller;
    assert!(!caller.is_root);
    assert!(
        matches!(&caller.principal, Principal::FederatedUser { user, .. } if user == "/"),
        "{:?}",
        caller.principal
    );
    assert_eq!(caller.session.unwrap().federated_by.as_deref(), Some(&*id));
}

/// A bucket policy that names a session of a role gives it more than its session policy. A user's own session has the user's ARN, so
/// that a grant to the user does not name the session.
#[test]
fn a_session_policy_limits_what_resources_give_to_own_sessions() {
    let id = World::new().snapshot.user("alice").unwrap().id.to_string();
    for (what, principal, new, want) in [
        ("a role", "arn:aws:sts::111122223333:assumed-role/app/work", new_session(), "allow, allow"),
        ("a user", "arn:aws:iam::111122223333:user/alice", own(&id, "AKALICE", None), "allow, implicit_deny"),
    ] {
        let statement = format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"s3:*","Resource":"arn:aws:s3:::bkt/*"}}"#
        );
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        let policy = Some(BucketPolicy::read("bkt", text.as_bytes(), None, None));
        let bucket = Bucket { policy, ..Bucket::new("bkt", ACCOUNT, 0) };
        let mut world = World::new();
        let role = Change::Role("app".into(), RolePlace::Base, Some(Ok(made_role())));
        world.snapshot = world.snapshot.apply([role, Change::Bucket("bkt".into(), Some(Arc::new(bucket)))]);
        let known = answer(&world, &NewSession { session_policy: Some(READ_ONLY), ..new });
        assert_eq!(may_read_and_write(&world, &known), want, "{what}");
    }
}
