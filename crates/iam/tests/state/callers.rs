//! Callers, buckets, last uses, and the mirrored copy of inline policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use iam::*;
use policy::Principal;

fn al(record: UserRecord) -> Arc<User> {
    let record = UserRecord { name: "al".into(), ..record };
    let state = Snapshot::new(Settings::default(), &Identities::default());
    state.apply([Change::User("al".into(), Some(Ok(record)))]).user("al").unwrap().clone()
}

#[test]
fn a_user_calls_as_what_it_is() {
    let user = al(UserRecord { id: "AIDAX".into(), path: "/a/".into(), ..UserRecord::default() });
    let caller = Caller::of(&user);
    assert_eq!((&*caller.name, &*caller.arn), ("al", "arn:aws:iam::000000000000:user/a/al"));
    assert_eq!((&*caller.user_id, caller.unique_id(), caller.is_anonymous()), ("AIDAX", Some("AIDAX"), false));
    let root = Caller::of(&User { is_root: true, principal: Principal::Root(user.account), ..(*user).clone() });
    assert_eq!((&*root.user_id, root.unique_id()), ("000000000000", None), "a root has the id of its account");
    let anonymous = Caller::of(&User { principal: Principal::Anonymous, ..(*user).clone() });
    assert!(anonymous.is_anonymous() && anonymous.unique_id().is_none());
    let (account, role, role_path, session) = (user.account, "R".to_owned(), "/".to_owned(), "s1".to_owned());
    let of_role = Principal::AssumedRole { account, role, role_path, session };
    let session = Caller { principal: of_role, user_id: "AROAX:s1".into(), ..caller };
    assert_eq!(session.unique_id(), Some("AROAX"), "without the session's name");
}

#[test]
fn transitive_tags_are_found_whatever_their_case() {
    let session = |transitive: &[&str]| CallerSession {
        tags: [("Team", "a"), ("cost", "b")].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        transitive_tag_keys: transitive.iter().map(|key| (*key).to_owned()).collect(),
        ..CallerSession::default()
    };
    for (transitive, want) in [
        (&[][..], &[][..]),
        (&["Team"], &["Team"]),
        (&["TEAM", "Cost"], &["Team", "cost"]),
        (&["team", "gone"], &["Team"]),
    ] {
        let session = session(transitive);
        let found: Vec<&str> = session.transitive_tags().map(|(key, _)| key.as_str()).collect();
        assert_eq!(found, want, "{transitive:?}");
    }
}

#[test]
fn keys_are_active_unless_their_status_says_otherwise() {
    for (status, active) in
        [("", true), ("Active", true), ("Inactive", false), ("active", true), ("inactive", false), ("Expired", false)]
    {
        let key = Credential { status: status.into(), ..Credential::new("AKA", "s") };
        assert_eq!(key.is_active(), active, "{status}");
    }
    for (secret, id) in [
        ("plain", None),
        ("", None),
        ("kelpgate-sealed:1:k1:AAAA", Some("k1")),
        ("kelpgate-sealed:1:", Some("")),
        ("kelpgate-sealed:1:k1", Some("")),
        ("kelpgate-sealed:2:k1:AAAA", None),
    ] {
        assert_eq!(Credential::new("AKA", secret).sealed_under(), id, "{secret}");
    }
    for (secret, public) in [("minioadmin", true), ("some_secret_key1", true), ("minioadmin1", false), ("", false)] {
        let why = Credential::new("AKA", secret).public_secret();
        assert_eq!(why.is_some(), public, "{secret}");
        assert!(
            why.is_none_or(|why| why.contains("`AKA`") && !why.contains(secret)),
            "it names the key, not the secret"
        );
    }
}

#[test]
fn a_key_is_refused_for_the_first_reason_that_applies() {
    let account = |disabled, expires_s| ServiceAccount {
        id: "sa:al:1".into(),
        parent_user: "al".into(),
        credential: Some(Credential::new("AKS", "s")),
        disabled,
        expires_s,
        ..ServiceAccount::default()
    };
    for (user_disabled, disabled, expires_s, want) in [
        (false, false, 0, None),
        (false, false, 101, None),
        (false, false, 100, Some(KeyRefusal::Expired)),
        (false, false, -5, Some(KeyRefusal::Expired)),
        (false, true, 0, Some(KeyRefusal::Inactive)),
        (false, true, 50, Some(KeyRefusal::Inactive)),
        (true, false, 0, Some(KeyRefusal::UserDisabled)),
        (true, true, 50, Some(KeyRefusal::UserDisabled)),
    ] {
        let user = UserRecord { name: "al".into(), disabled: user_disabled, ..UserRecord::default() };
        let state = Snapshot::new(Settings::default(), &Identities::default()).apply([
            Change::User("al".into(), Some(Ok(user))),
            Change::ServiceAccount("sa:al:1".into(), Some(Ok(account(disabled, expires_s)))),
        ]);
        let key = state.access_key("AKS").unwrap();
        assert_eq!(key.refusal(100), want, "{user_disabled} {disabled} {expires_s}");
        assert_eq!(key.service_account.as_deref(), Some("sa:al:1"));
    }
    let key = Credential { expires_s: 100, ..Credential::new("AKA", "s") };
    let user = UserRecord { name: "al".into(), credentials: vec![key], ..UserRecord::default() };
    let state =
        Snapshot::new(Settings::default(), &Identities::default()).apply([Change::User("al".into(), Some(Ok(user)))]);
    let refusal = |now_s| state.access_key("AKA").unwrap().refusal(now_s);
    assert_eq!((refusal(99), refusal(100)), (None, Some(KeyRefusal::Expired)));
}

#[test]
fn changes_have_the_kind_of_what_they_are_about() {
    let al = || Holder::User("al".into());
    for (change, about_keys, want) in [
        (Change::User("al".into(), None), true, ChangeKind::Keys),
        (Change::User("al".into(), None), false, ChangeKind::Users),
        (Change::ServiceAccount("sa".into(), None), false, ChangeKind::Keys),
        (Change::Inline(al(), "I".into(), None), false, ChangeKind::Users),
        (Change::Inline(al(), "I".into(), None), true, ChangeKind::Users),
        (Change::Inline(Holder::Group("g".into()), "I".into(), None), false, ChangeKind::Groups),
        (Change::Inline(Holder::Role("R".into()), "I".into(), None), false, ChangeKind::Roles),
        (Change::Group("g".into(), None), false, ChangeKind::Groups),
        (Change::Role("R".into(), RolePlace::Base, None), false, ChangeKind::Roles),
        (Change::Policy("P".into(), PolicyPlace::Api, None), false, ChangeKind::Policies),
        (Change::Bucket("b1x".into(), None), false, ChangeKind::Buckets),
        (Change::WeedPolicies(None), false, ChangeKind::Others),
        (Change::OidcProvider("0a".into(), None), false, ChangeKind::Others),
        (Change::InstanceProfile("web".into(), None), false, ChangeKind::Others),
        (Change::AccountAlias("1".into(), None), false, ChangeKind::Others),
        (Change::AccountPublicAccessBlock("1".into(), None), false, ChangeKind::Buckets),
    ] {
        assert_eq!(ChangeKind::of(&change, about_keys), want, "{change:?} {about_keys}");
    }
    let names: std::collections::BTreeSet<&str> = ChangeKind::NAMES.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), ChangeKind::NAMES.len());
}

#[test]
fn a_mirrored_entry_changes_only_with_its_meaning() {
    let (user, name): (Holder, Arc<str>) = (Holder::User("al".into()), "I".into());
    for (known, new, changes) in [
        (None, None, false),
        (None, Some("{}"), true),
        (Some("{}"), None, true),
        (Some(r#"{"a":1,"b":2}"#), Some(r#"{ "b": 2, "a": 1 }"#), false),
        (Some(r#"{"a":["x"]}"#), Some(r#"{"a":"x"}"#), false),
        (Some(r#"{"a":["x","y"]}"#), Some(r#"{"a":["y","x"]}"#), true),
        (Some(r#"{"a":[["x"]]}"#), Some(r#"{"a":"x"}"#), false),
        (Some("no JSON"), Some("no JSON"), false),
        (Some("no JSON"), Some("no  JSON"), true),
    ] {
        let texts = known.map(|text| BTreeMap::from([(name.clone(), Arc::from(text))]));
        let mirrored = texts.map(|texts| BTreeMap::from([(user.clone(), texts)])).unwrap_or_default();
        let mut document = WeedPolicies { mirrored, ..WeedPolicies::default() };
        assert_eq!(document.mirror(&user, &name, new.map(Arc::from)), changes, "{known:?} {new:?}");
        assert_eq!(document.mirrored.contains_key(&user), new.is_some(), "{known:?} {new:?}");
    }
}

#[test]
fn an_entry_is_marked_as_mirrored_only_while_it_says_what_was_mirrored() {
    let user = || Holder::User("al".into());
    let print = WeedPolicies::fingerprint(r#"{"a":["x"]}"#);
    for (holder, name, stored, fingerprint, marked) in [
        (user(), "I", r#"{"a":["x"]}"#, print.as_str(), true),
        (user(), "I", r#"{ "a": "x" }"#, &print, true),
        (user(), "I", r#"{"a":["y"]}"#, &print, false),
        (user(), "J", r#"{"a":["x"]}"#, &print, false),
        (Holder::Group("al".into()), "I", r#"{"a":["x"]}"#, &print, false),
        (user(), "I", r#"{"a":["x"]}"#, "", false),
    ] {
        let texts = BTreeMap::from([(Arc::from("I"), Arc::from(stored))]);
        let mut document = WeedPolicies { inline: BTreeMap::from([(user(), texts)]), ..WeedPolicies::default() };
        document.mark_mirrored(&holder, &name.into(), fingerprint);
        assert_eq!(document.inline.is_empty(), marked, "{holder} {name} {stored}");
        assert_eq!(document.mirrored.contains_key(&user()), marked, "{holder} {name} {stored}");
    }
}

#[test]
fn the_latest_use_stays() {
    let used = |at_s, region: &str| Use { at_s, service: "s3".into(), region: region.into(), session: None };
    for (known, new, is_news) in [(None, 60, true), (Some(0), 60, true), (Some(60), 60, false), (Some(61), 60, false)] {
        let mut uses: LastUsed = known.map(|at_s| ("AKA".into(), used(at_s, "old"))).into_iter().collect();
        assert_eq!(uses.note(&"AKA".into(), used(new, "new")), is_news, "{known:?}");
        assert_eq!(uses.of("AKA").map(|used| &*used.region), Some(if is_news { "new" } else { "old" }), "{known:?}");
        assert_eq!((uses.len(), uses.is_empty(), uses.of("AKB")), (1, false, None), "{known:?}");
    }
}

#[test]
fn small_maps_are_sorted_and_keep_the_last_value() {
    let pairs = |pairs: &[(&str, &str)]| -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    for (given, want) in [
        (&[][..], &[][..]),
        (&[("b", "1"), ("a", "2")], &[("a", "2"), ("b", "1")]),
        (&[("a", "1"), ("a", "2")], &[("a", "2")]),
        (&[("B", "1"), ("a", "2"), ("b", "3")], &[("B", "1"), ("a", "2"), ("b", "3")]),
    ] {
        let map = pairs(given);
        let found: Vec<(&str, &str)> = map.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, want, "{given:?}");
        assert_eq!((map.len(), map.is_empty()), (want.len(), want.is_empty()), "{given:?}");
        assert_eq!(map.get("a").map(String::as_str), want.iter().find(|(key, _)| *key == "a").map(|(_, value)| *value));
    }
    let mut map = pairs(&[("a", "1"), ("c", "3")]);
    assert_eq!(map.insert("b".into(), "2".into()), None);
    assert_eq!(map.insert("b".into(), "4".into()).as_deref(), Some("2"));
    assert_eq!((map.remove("a").as_deref(), map.remove("a")), (Some("1"), None));
    map.retain(|key, _| key != "c");
    map.extend([("0".to_owned(), "5".to_owned())]);
    assert_eq!(map, pairs(&[("0", "5"), ("b", "4")]));
}

#[test]
fn a_boundary_and_inline_policies_follow_their_holder() {
    let limit = "arn:aws:iam::000000000000:policy/limit";
    for (boundary, stored, denies) in [
        (None, true, None),
        (Some("limit"), true, Some(false)),
        (Some(limit), true, Some(false)),
        (Some("limit"), false, Some(true)),
        (Some("other"), true, Some(true)),
    ] {
        let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
        let boundary = boundary.map(str::to_owned);
        let user = UserRecord { name: "al".into(), boundary: boundary.clone(), ..UserRecord::default() };
        let role = RoleRecord { name: "R".into(), boundary: boundary.clone(), ..RoleRecord::default() };
        let policy = stored.then(|| Ok(PolicyRecord::of_text(text)));
        let state = Snapshot::new(Settings::default(), &Identities::default()).apply([
            Change::User("al".into(), Some(Ok(user))),
            Change::Role("R".into(), RolePlace::Base, Some(Ok(role))),
            Change::Policy("limit".into(), PolicyPlace::Api, policy),
        ]);
        let of_user = state.user("al").unwrap().boundary.as_ref().map(|policy| policy.unreadable_reason().is_some());
        let of_role = state.role("R").unwrap().boundary.as_ref().map(|policy| policy.unreadable_reason().is_some());
        assert_eq!((of_user, of_role), (denies, denies), "{boundary:?} {stored}");
    }
}
