//! Sessions that users make with their own keys, of themselves and for others.

use std::sync::Arc;

use policy::Principal;
use sts::{NewSession, SessionHolder};

use crate::sessions::{answer, check, get};
use crate::world::{ROLE_ARN, World, new_session, now, said};

const READ_ONLY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

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
    let context = access::request_context(&get(), &known, &world.snapshot, "us-east-1", now());
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
    let context = access::request_context(&get(), &known, &world.snapshot, "us-east-1", now());
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
