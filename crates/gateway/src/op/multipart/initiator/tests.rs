use std::sync::Arc;

use iam::{
    CallerSession, Change, Federation, Identities, IdentityProvider, OidcProvider, PluginKeys, Settings, Snapshot,
    UserRecord,
};

use super::*;

/// The user `al`, whose id is `AIDAX`.
fn al() -> Caller {
    let record = UserRecord { name: "al".into(), id: "AIDAX".into(), ..UserRecord::default() };
    let state = Snapshot::new(Settings::default(), &Identities::default());
    Caller::of(state.apply([Change::User("al".into(), Some(Ok(record)))]).user("al").unwrap())
}

fn with_session(principal: Principal, user_id: &str, session: CallerSession) -> Caller {
    Caller { principal, user_id: user_id.into(), session: Some(session), ..al() }
}

fn of_role(id: &str, session: &str) -> Caller {
    let principal = assumed_role(session);
    let role_arn = "arn:aws:iam::000000000000:role/R".into();
    with_session(principal, &format!("{id}:{session}"), CallerSession { role_arn, ..CallerSession::default() })
}

fn assumed_role(session: &str) -> Principal {
    let (role, role_path) = ("R".to_owned(), "/".to_owned());
    Principal::AssumedRole { account: al().account, role, role_path, session: session.to_owned() }
}

/// Somebody for whom a user vouches with GetFederationToken.
fn vouched_for(by: &str, name: &str) -> Caller {
    let principal = Principal::FederatedUser { account: al().account, name: name.to_owned(), user: "/al".to_owned() };
    let session = CallerSession { federated_by: Some(by.into()), ..CallerSession::default() };
    with_session(principal, &format!("000000000000:{name}"), session)
}

/// A session of a user of an identity provider, without a role.
fn without_role(issuer: &str, subject: &str, session: &str) -> Caller {
    let record = OidcProvider { url: issuer.to_owned(), ..OidcProvider::default() };
    let provider = Arc::new(IdentityProvider::of_record(&record, al().account));
    let federation = Federation {
        provider,
        subject: subject.into(),
        audience: None,
        directory_user: None,
        plugin_keys: PluginKeys::default(),
    };
    let (role_arn, federation) = (CLAIM_BASED_ROLE.into(), Some(Arc::new(federation)));
    let session_of = CallerSession { role_arn, federation, ..CallerSession::default() };
    with_session(assumed_role(session), &format!("AROASTSCLAIMBASED:{session}"), session_of)
}

#[test]
fn who_is_the_same_initiator() {
    let own_session = Caller { session: Some(CallerSession::default()), ..al() };
    let root = Caller { principal: Principal::Root(al().account), user_id: "000000000000".into(), ..al() };
    let root_session = Caller { session: Some(CallerSession::default()), ..root.clone() };
    let made_anew = Caller { user_id: "AIDAY".into(), ..al() };
    let (idp, other) = ("https://idp.example", "https://other.example");
    for (what, one, two, want) in [
        ("a user", al(), al(), true),
        ("a session that the user made for themselves", al(), own_session, true),
        ("a later user of the same name", al(), made_anew, false),
        ("root and a session of it", root.clone(), root_session, true),
        ("root and a user", root, al(), false),
        ("two sessions of a role", of_role("AROAX", "a"), of_role("AROAX", "b"), true),
        ("a later role of the same name", of_role("AROAX", "a"), of_role("AROAY", "a"), false),
        ("a user and a role", al(), of_role("AROAX", "al"), false),
        ("the same federated user", vouched_for("AIDAX", "f"), vouched_for("AIDAX", "f"), true),
        ("two federated users", vouched_for("AIDAX", "f"), vouched_for("AIDAX", "g"), false),
        ("federated users of two users", vouched_for("AIDAX", "f"), vouched_for("AIDAY", "f"), false),
        ("a federated user and the user", vouched_for("AIDAX", "f"), al(), false),
        ("two sessions of a subject", without_role(idp, "s", "a"), without_role(idp, "s", "b"), true),
        ("two subjects", without_role(idp, "s", "a"), without_role(idp, "t", "a"), false),
        ("a subject of two providers", without_role(idp, "s", "a"), without_role(other, "s", "a"), false),
    ] {
        let (one, two) = (initiator(&one).unwrap(), initiator(&two).unwrap());
        assert_eq!(one.id == two.id, want, "{what}: {one:?} {two:?}");
    }
    assert_eq!(initiator(&Caller { principal: Principal::Anonymous, ..al() }), None);
}
