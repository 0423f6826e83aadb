//! The managed policies of AWS: everyone can hold them, and nothing stored takes their place.

use iam::*;
use iam_formats::{Facts, StoredDocument, identities};
use policy::{Policy, PolicyKind};

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

fn holding(policy: &str) -> Change {
    let json = format!(r#"{{"name":"al","policyNames":["{policy}"]}}"#);
    Change::User("al".into(), Some(Ok(UserRecord::parse(&json, Facts::default()).unwrap())))
}

fn stored(name: &str, place: PolicyPlace) -> Change {
    Change::Policy(name.into(), place, Some(Ok(PolicyRecord::of_text(DENY))))
}

fn empty() -> Snapshot {
    Snapshot::new(Settings::default(), &Identities::default())
}

/// The text that the user `al` holds.
fn held(state: &Snapshot) -> Option<String> {
    let user = state.user("al").unwrap();
    let [PolicySource::Attached(name)] = &*user.sources else { panic!("{:?}", user.sources) };
    let is_readable = user.policies.iter().all(|policy| policy.unreadable_reason().is_none());
    is_readable.then(|| state.policy(name).unwrap().text.to_string())
}

#[test]
fn they_are_policies_that_aws_would_accept() {
    let state = empty();
    let names: Vec<&str> = state.aws_managed_policies().map(|policy| policy.shown_name()).collect();
    let wanted =
        ["AdministratorAccess", "AmazonS3FullAccess", "AmazonS3ReadOnlyAccess", "IAMFullAccess", "IAMReadOnlyAccess"];
    assert_eq!(names, wanted);
    for policy in state.aws_managed_policies() {
        assert!(Policy::parse(PolicyKind::Identity, &policy.text).is_ok(), "{}", policy.arn);
        assert_eq!(policy.compiled.unreadable_reason(), None);
        assert_eq!((&*policy.name, policy.path()), (&*policy.arn, "/"));
    }
    assert_eq!((state.policies().count(), state.counts().policies), (0, 0), "no account has them");
}

#[test]
fn only_the_exact_arn_is_one() {
    for (attached, is_built_in) in [
        (ADMINISTRATOR, true),
        ("AdministratorAccess", false),
        ("arn:aws:iam::000000000000:policy/AdministratorAccess", false),
        ("arn:aws:iam::aws:policy/administratoraccess", false),
        ("arn:aws:iam::aws:policy//AdministratorAccess", false),
        ("arn:aws:iam::aws:policy/job-function/AdministratorAccess", false),
        ("arn:aws-cn:iam::aws:policy/AdministratorAccess", false),
        ("ARN:aws:iam::aws:policy/AdministratorAccess", false),
        ("arn:aws:iam::aws:policy/PowerUserAccess", false),
        ("arn:aws:iam::aws:policy/", false),
    ] {
        let state = empty().apply([holding(attached)]);
        assert_eq!(held(&state).is_some(), is_built_in, "{attached}: what does not exist denies");
        assert_eq!(
            state.attachment_count(ADMINISTRATOR, Settings::default().account),
            usize::from(is_built_in),
            "{attached}"
        );
        assert_eq!(state.is_held(ADMINISTRATOR), is_built_in, "{attached}");
    }
}

#[test]
fn nothing_stored_takes_their_place() {
    let file = format!(r#"{{"identities":[],"policies":[{{"name":"{ADMINISTRATOR}","content":{}}}]}}"#, quoted(DENY));
    let of_file = identities::parse(&file, &|_| None).map(|identities| Snapshot::new(Settings::default(), &identities));
    let states = [
        empty().apply([holding(ADMINISTRATOR), stored(ADMINISTRATOR, PolicyPlace::Api)]),
        empty().apply([stored(ADMINISTRATOR, PolicyPlace::Base), holding(ADMINISTRATOR)]),
        empty().apply([stored("AdministratorAccess", PolicyPlace::Api), holding(ADMINISTRATOR)]),
        empty().apply([
            stored(ADMINISTRATOR, PolicyPlace::Api),
            holding(ADMINISTRATOR),
            Change::Policy(ADMINISTRATOR.into(), PolicyPlace::Api, None),
        ]),
        of_file.unwrap_or_else(|_| empty()).apply([holding(ADMINISTRATOR)]),
    ];
    for (place, state) in states.iter().enumerate() {
        assert!(held(state).unwrap().contains(r#""Allow","Action":"*""#), "{place}");
    }
    // A policy of the account that has the same name is another one.
    let state = empty().apply([stored("AdministratorAccess", PolicyPlace::Api), holding("AdministratorAccess")]);
    assert_eq!(held(&state).as_deref(), Some(DENY));
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[test]
fn they_can_be_boundaries() {
    let json = r#"{"name":"al","policyNames":[]}"#;
    let mut user = UserRecord::parse(json, Facts::default()).unwrap();
    user.boundary = Some("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess".to_owned());
    let state = empty().apply([Change::User("al".into(), Some(Ok(user)))]);
    assert_eq!(state.user("al").unwrap().boundary.as_ref().unwrap().unreadable_reason(), None);
    assert_eq!(state.boundary_count("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", Settings::default().account), 1);
}
