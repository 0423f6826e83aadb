//! A policy stays with the principals that had the names when it was put.

use std::sync::Arc;

use ids::AccountId;
use policy::{Action, CompiledPolicy, Context, CrossAccount, Decision, PolicySet, Request, decide};

use iam::{
    Bucket, BucketPolicy, Change, Identities, RolePlace, RoleRecord, Settings, Snapshot, UserRecord, policy_ids,
    shown_policy, shown_trust, stored_policy_ids, trust_ids,
};
use iam_formats::{Facts, StoredDocument};
use policy::{Policy, PolicyKind, Principal, PrincipalIds};
use serde_json::Value;

const ARNS: [&str; 3] = [
    "arn:aws:iam::000000000000:user/al",
    "arn:aws:iam::000000000000:role/app",
    "arn:aws:sts::000000000000:assumed-role/app/s1",
];

fn user(name: &str, id: &str) -> Change {
    let user = UserRecord { name: name.to_owned(), id: id.to_owned(), ..UserRecord::default() };
    Change::User(name.into(), Some(Ok(user)))
}

fn role(name: &str, id: &str) -> Change {
    let role = RoleRecord { name: name.to_owned(), id: id.to_owned(), ..RoleRecord::default() };
    Change::Role(name.into(), RolePlace::Base, Some(Ok(role)))
}

fn gone(name: &str) -> [Change; 2] {
    [Change::User(name.into(), None), Change::Role(name.into(), RolePlace::Base, None)]
}

fn world() -> Snapshot {
    let empty = Snapshot::new(Settings::default(), &Identities::default());
    empty.apply([user("al", "AIDAONE"), role("app", "AROAONE")])
}

fn text(effect: &str, element: &str, arn: &str) -> String {
    let statement = r#"{"Version":"2012-10-17","Statement":{"Effect":"EFFECT","ELEMENT":{"AWS":["ARN"]},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b1x/*"}}"#;
    statement.replace("EFFECT", effect).replace("ELEMENT", element).replace("ARN", arn)
}

/// The bucket after PutBucketPolicy in this world. `None` writes it without ids, as SeaweedFS does.
fn bucket(text: &str, put_in: Option<&Snapshot>) -> Bucket {
    let policy = Policy::parse_bucket("b1x", text).unwrap();
    let ids = put_in.map(|snapshot| policy_ids(&policy, snapshot)).unwrap_or_default();
    let stored = stored_policy_ids(text, &ids);
    let policy = BucketPolicy::read("b1x", text.as_bytes(), stored.as_deref(), None);
    Bucket { policy: Some(policy), ..Bucket::new("b1x", "", 7) }
}

fn caller(snapshot: &Snapshot, name: &str) -> (Principal, Arc<str>) {
    let account = AccountId::DEFAULT;
    match (snapshot.user(name), snapshot.role(name)) {
        (Some(user), _) => (user.principal.clone(), user.id.clone()),
        (None, Some(found)) => {
            let (role, role_path, session) = (found.name.to_string(), found.path.to_string(), "s1".to_owned());
            (Principal::AssumedRole { account, role, role_path, session }, found.id.clone())
        }
        _ => panic!("{name}"),
    }
}

/// Decides one action of a caller that has no policies of its own.
fn ask(
    snapshot: &Snapshot,
    name: &str,
    (action, on): (&str, &str),
    resource: Option<&CompiledPolicy>,
    question: impl Fn(&PolicySet<'_>, &Request<'_>) -> Decision,
) -> bool {
    let (principal, id) = caller(snapshot, name);
    let policies = PolicySet { resource, cross_account: CrossAccount::default(), ..PolicySet::default() };
    let request = Request {
        principal: &principal,
        principal_id: Some(&id),
        principal_canonical_id: None,
        action: Action::named(action).unwrap().into(),
        resource: on,
        resource_account: AccountId::DEFAULT,
        context: &Context::new(),
    };
    question(&policies, &request).is_allow()
}

fn may(bucket: &Bucket, snapshot: &Snapshot, name: &str) -> bool {
    ask(snapshot, name, ("s3:GetObject", "arn:aws:s3:::b1x/k"), bucket.compiled_policy(), decide)
}

#[test]
fn a_grant_stays_with_the_principal_that_had_the_name() {
    let first = world();
    let renamed = first.apply(gone("al").into_iter().chain([user("bo", "AIDAONE"), user("al", "AIDATWO")]));
    let next = first.apply([user("al", "AIDATWO"), role("app", "AROATWO")]);
    let none = first.apply(gone("al").into_iter().chain(gone("app")));
    for arn in ARNS {
        let name = if arn.contains("user") { "al" } else { "app" };
        let of_first = bucket(&text("Allow", "Principal", arn), Some(&first));
        assert!(may(&of_first, &first, name), "{arn}");
        assert!(!may(&of_first, &next, name), "the next one with the name: {arn}");
        let of_weed = bucket(&text("Allow", "Principal", arn), None);
        assert!(may(&of_weed, &first, name) && may(&of_weed, &next, name), "one of SeaweedFS has only names: {arn}");
        let of_nobody = bucket(&text("Allow", "Principal", arn), Some(&none));
        assert!(may(&of_nobody, &next, name), "a name that no one had stays a name: {arn}");
    }
    let of_user = bucket(&text("Allow", "Principal", ARNS[0]), Some(&first));
    assert!(may(&of_user, &renamed, "bo") && !may(&of_user, &renamed, "al"), "a renamed user keeps the grant");
}

#[test]
fn not_principal_spares_the_principal_it_named() {
    let first = world();
    let next = first.apply([user("al", "AIDATWO"), user("bo", "AIDAONE")]);
    let deny = text("Deny", "NotPrincipal", ARNS[0]);
    let allow =
        r#","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b1x/*"},"#;
    let both = deny.replace(r#","Statement":"#, allow).replace("}}", "}]}");
    let of_first = bucket(&both, Some(&first));
    assert!(may(&of_first, &first, "al"));
    assert!(may(&of_first, &next, "bo") && !may(&of_first, &next, "al"));
}

#[test]
fn deleted_principals_are_shown_by_id() {
    let first = world();
    let next = first.apply([user("al", "AIDATWO"), role("app", "AROATWO")]);
    let none = first.apply(gone("al").into_iter().chain(gone("app")));
    let renamed = first.apply(gone("al").into_iter().chain([user("bo", "AIDAONE")]));
    for (arn, id) in ARNS.iter().zip(["AIDAONE", "AROAONE", "AROAONE:s1"]) {
        for element in ["Principal", "NotPrincipal"] {
            let put = text("Deny", element, arn);
            let of_first = bucket(&put, Some(&first));
            let policy = of_first.policy.as_ref().unwrap();
            assert_eq!(shown_policy(policy, &first), put.as_str(), "as it was put");
            for world in [&next, &none] {
                let shown: Value = serde_json::from_str(&shown_policy(policy, world)).unwrap();
                assert_eq!(shown["Statement"][element]["AWS"][0], *id);
            }
        }
    }
    let of_first = bucket(&text("Allow", "Principal", ARNS[0]), Some(&first));
    let shown = shown_policy(of_first.policy.as_ref().unwrap(), &renamed).into_owned();
    let of_file = bucket_of_file(&none);
    assert_eq!(shown_policy(of_file.policy.as_ref().unwrap(), &none), text("Allow", "Principal", ARNS[0]).as_str());
    assert!(shown.contains("user/bo") && !shown.contains("AIDA"), "{shown}");
}

/// A user without an id of its own.
fn bucket_of_file(empty: &Snapshot) -> Bucket {
    bucket(&text("Allow", "Principal", ARNS[0]), Some(&empty.apply([user("al", "")])))
}

#[test]
fn ids_of_another_policy_do_not_count_and_unreadable_ones_deny() {
    let first = world();
    let put = text("Allow", "Principal", ARNS[0]);
    let ids = policy_ids(&Policy::parse_stored(PolicyKind::Bucket, &put).unwrap(), &first);
    let stored = stored_policy_ids(&put, &ids).unwrap();
    let next = first.apply([user("al", "AIDATWO")]);
    let read = |text: &str, ids: &[u8], previous| BucketPolicy::read("b1x", text.as_bytes(), Some(ids), previous);
    let known = read(&put, &stored, None);
    let again = read(&put, &stored, Some(&known));
    assert!(Arc::ptr_eq(&known.compiled, &again.compiled));
    // SeaweedFS replaces the policy, and leaves the attribute.
    let policy = read(&format!("{put} "), &stored, Some(&known));
    assert!(may(&Bucket { policy: Some(policy), ..Bucket::new("b1x", "", 7) }, &next, "al"));
    for broken in ["", "{", "[]", r#"{"policy":"x"}"#] {
        assert!(read(&put, broken.as_bytes(), None).compiled.unreadable_reason().is_some(), "{broken}");
    }
    assert_eq!(stored_policy_ids(&put, &PrincipalIds::new()), None);
}

fn trust_of(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"sts:AssumeRole"}}]}}"#
    )
}

/// The world with a role whose trust policy was put in `put_in`, written and read again. `None` writes it without
/// ids, as by hand.
fn trusting(world: &Snapshot, text: &str, put_in: Option<&Snapshot>) -> Snapshot {
    let ids = put_in.and_then(|snapshot| trust_ids(text, snapshot));
    let written = RoleRecord {
        name: "goal".to_owned(),
        trust_policy: text.to_owned(),
        id: "AROAGOAL".to_owned(),
        trust_ids: ids,
        ..RoleRecord::default()
    };
    let facts = Facts::parse(&written.facts().to_text().unwrap()).unwrap();
    let read = RoleRecord::parse(&written.to_text(), facts).unwrap();
    assert_eq!((&read.id, &read.trust_ids), (&written.id, &written.trust_ids));
    assert!(!written.to_text().contains("AIDA"), "SeaweedFS reads names");
    world.apply([Change::Role("goal".into(), RolePlace::Base, Some(Ok(read)))])
}

fn may_assume(world: &Snapshot, name: &str) -> bool {
    let trust = &world.role("goal").unwrap().trust;
    let question = |policies: &PolicySet<'_>, request: &Request<'_>| policy::decide_trust(trust, policies, request);
    ask(world, name, ("sts:AssumeRole", "arn:aws:iam::000000000000:role/goal"), None, question)
}

#[test]
fn trust_stays_with_the_principal_that_had_the_name() {
    let first = world();
    let renamed = first.apply(gone("al").into_iter().chain([user("bo", "AIDAONE"), user("al", "AIDATWO")]));
    let next = first.apply([user("al", "AIDATWO"), role("app", "AROATWO")]);
    for (arn, id) in ARNS.iter().zip(["AIDAONE", "AROAONE", "AROAONE:s1"]) {
        let name = if arn.contains("user") { "al" } else { "app" };
        let text = trust_of(arn);
        assert!(may_assume(&trusting(&first, &text, Some(&first)), name), "{arn}");
        let later = trusting(&next, &text, Some(&first));
        assert!(!may_assume(&later, name), "the next one with the name: {arn}");
        let shown: Value = serde_json::from_str(&shown_trust(&later.role("goal").unwrap().record, &later)).unwrap();
        assert_eq!(shown["Statement"][0]["Principal"]["AWS"], *id);
        assert!(may_assume(&trusting(&next, &text, None), name), "a document written by hand has only names: {arn}");
        assert!(may_assume(&trusting(&next, &text, Some(&next)), name), "put again: {arn}");
    }
    let followed = trusting(&renamed, &trust_of(ARNS[0]), Some(&first));
    assert!(may_assume(&followed, "bo") && !may_assume(&followed, "al"), "a renamed user keeps it");
    assert!(shown_trust(&followed.role("goal").unwrap().record, &followed).contains("user/bo"));
}

#[test]
fn a_trust_policy_replaced_by_hand_has_only_names() {
    let first = world();
    let next = first.apply([user("al", "AIDATWO")]);
    let put = trusting(&first, &trust_of(ARNS[0]), Some(&first));
    let mut replaced = (*put.role("goal").unwrap().record).clone();
    replaced.trust_policy = replaced.trust_policy.replace("sts:AssumeRole", "sts:*");
    let next = next.apply([Change::Role("goal".into(), RolePlace::Base, Some(Ok(replaced)))]);
    assert!(may_assume(&next, "al"));
    assert!(Facts::parse(r#"{"trustIds":{"policy":5}}"#).is_err(), "what cannot be read denies");
}
