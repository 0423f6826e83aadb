use iam::{Change, Identities, RolePlace, RoleRecord, Settings};
use jiff::Timestamp;
use serde_json::Map;
use sts::{NewSession, SessionHolder, SigningKey};

use super::*;

const MADE: i64 = 1_795_314_837;

fn role(id: &str, created_s: i64) -> Arc<Role> {
    let document = RoleRecord { name: "app".to_owned(), id: id.to_owned(), created_s, ..RoleRecord::default() };
    let change = Change::Role("app".into(), RolePlace::Base, Some(Ok(document)));
    let empty = Snapshot::new(Settings::default(), &Identities::default());
    Arc::clone(empty.apply([change]).role("app").unwrap())
}

fn keys() -> SessionKeys {
    SessionKeys {
        current: SigningKey::from_bytes(b"0123456789abcdef").unwrap(),
        older: Vec::new(),
        issuer: "seaweedfs-sts".into(),
        account_id: ids::AccountId::DEFAULT,
    }
}

fn new_session(role_id: Option<&str>, issued_s: i64) -> NewSession<'_> {
    NewSession {
        role_arn: "arn:aws:iam::000000000000:role/app",
        role_id,
        held_by: SessionHolder::Role,
        session_name: "s",
        principal_arn: "arn:aws:sts::000000000000:assumed-role/app/s",
        session_policy: None,
        session_policy_arns: &[],
        policy_names: &[],
        duration_s: 900,
        issued_at: Timestamp::from_second(issued_s).unwrap(),
        session_id: [7; 16],
        request_context: Map::new(),
        tags: &[],
        transitive_tag_keys: &[],
        source_identity: None,
        revision: None,
        federated: None,
        origins: &[],
        mfa_at_s: None,
    }
}

fn claims(role_id: Option<&str>, issued_s: i64) -> SessionClaims {
    let new = new_session(role_id, issued_s);
    sts::verify(&keys(), &sts::mint(&keys(), &new).token, new.issued_at).unwrap().claims
}

#[test]
fn a_session_belongs_to_the_role_with_its_id() {
    let named_alike = role("", 0);
    let derived = &*named_alike.id;
    for (what, role, role_id, issued_s, wanted) in [
        ("the role itself", role("AROAONE", MADE), Some("AROAONE"), MADE, true),
        ("long after", role("AROAONE", MADE), Some("AROAONE"), MADE + 40_000, true),
        ("the next role with the name", role("AROATWO", MADE + 1), Some("AROAONE"), MADE, false),
        ("the next role, made in the same second", role("AROATWO", MADE), Some("AROAONE"), MADE, false),
        ("the next role, with a clock that is slow", role("AROATWO", MADE - 60), Some("AROAONE"), MADE, false),
        ("a role of a file, which has no id", role("", 0), Some(derived), MADE, true),
        ("a role that replaced one of a file", role("AROATWO", MADE - 60), Some(derived), MADE, false),
        ("an empty id", role("AROAONE", MADE), Some(""), MADE, false),
        ("of `weed s3`, for this role", role("AROAONE", MADE), None, MADE + 1, true),
        ("of `weed s3`, in the second of the role's creation", role("AROAONE", MADE), None, MADE, true),
        ("of `weed s3`, older than the role", role("AROATWO", MADE), None, MADE - 1, false),
        ("of `weed s3`, for a role of a file", role("", 0), None, MADE, true),
    ] {
        assert_eq!(is_of(&claims(role_id, issued_s), &role), wanted, "{what}");
    }
    let undated = SessionClaims { iat: None, nbf: None, ..claims(None, MADE) };
    assert!(!is_of(&undated, &role("AROAONE", MADE)), "of `weed s3`, without a date");
}

/// A policy of many short patterns, which take most.
fn costly_policy(text_bytes: usize) -> String {
    let patterns = vec!["\"?a\""; text_bytes / 5].join(",");
    format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:*","Resource":[{patterns}]}}]}}"#)
}

/// How many of so many sessions are remembered.
fn remembered(count: u32, policy: Option<&str>, policy_arns: &[String], snapshot: &Snapshot) -> usize {
    let sessions = Sessions::new(Some(Arc::new(keys())));
    let made: Vec<_> = (0..count)
        .map(|number| {
            let mut session_id = [0; 16];
            session_id[..4].copy_from_slice(&number.to_le_bytes());
            let of_policies =
                NewSession { session_policy: policy, session_policy_arns: policy_arns, ..new_session(None, MADE) };
            sts::mint(&keys(), &NewSession { session_id, ..of_policies })
        })
        .collect();
    for made in &made {
        let session =
            sessions.session(&made.token, &made.access_key_id, Timestamp::from_second(MADE).unwrap()).unwrap();
        session.limits(AccountId::DEFAULT, snapshot);
        sessions.update_cached_size(&made.token, &session);
    }
    made.iter().filter(|made| sessions.known.get(&made.token).is_some()).count()
}

#[test]
fn sessions_are_remembered_up_to_a_number_of_bytes() {
    let managed = iam::PolicyRecord::of_text(&*costly_policy(6000));
    let managed = Change::Policy("costly".into(), iam::PolicyPlace::Api, Some(Ok(managed)));
    let snapshot = Snapshot::new(Settings::default(), &Identities::default()).apply([managed]);
    let (own, arns) = (costly_policy(1900), ["arn:aws:iam::000000000000:policy/costly".to_owned()]);
    for (what, count, policy, policy_arns, least, most) in [
        ("no policy", 1000, None, &[][..], 1000, 1000),
        ("a large policy", 500, Some(&*own), &[][..], 300, 420),
        ("a large managed policy", 160, None, &arns[..], 100, 140),
    ] {
        let remembered = remembered(count, policy, policy_arns, &snapshot);
        assert!((least..=most).contains(&remembered), "{what}: {remembered}");
    }
}
