//! Who is found by what name, and what is known of it.

use iam::*;
use iam_formats::identities;
use ids::SecretAccessKey;

fn state(file: &str, changes: Vec<Change>) -> Snapshot {
    Snapshot::new(Settings::default(), &identities::parse(file, &|_| None).unwrap()).apply(changes)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn user(user: UserRecord) -> Change {
    Change::User(user.name.as_str().into(), Some(Ok(user)))
}

#[test]
fn a_user_is_what_its_record_says() {
    let of = |record: UserRecord| UserRecord { name: "al".into(), ..record };
    let account = |id: &str, display_name: &str| {
        Some(Account { id: id.into(), display_name: display_name.into(), ..Account::default() })
    };
    let plain = UserRecord::default;
    for (record, arn, owner, shown) in [
        (plain(), "arn:aws:iam::000000000000:user/al", "al", "al"),
        (UserRecord { path: "/a/b/".into(), ..plain() }, "arn:aws:iam::000000000000:user/a/b/al", "al", "al"),
        (
            UserRecord { account: account("111122223333", ""), ..plain() },
            "arn:aws:iam::111122223333:user/al",
            "111122223333",
            "al",
        ),
        (
            UserRecord { account: account("team", "Team"), ..plain() },
            "arn:aws:iam::000000000000:user/al",
            "team",
            "Team",
        ),
        (UserRecord { account: account("", "Nobody"), ..plain() }, "arn:aws:iam::000000000000:user/al", "al", "Nobody"),
        (UserRecord { actions: names(&["Admin"]), ..plain() }, "arn:aws:iam::000000000000:user/al", "al", "al"),
    ] {
        let state = state("{}", vec![user(of(record.clone()))]);
        let al = state.user("al").unwrap();
        assert_eq!((&*al.arn, &*al.owner_id, &*al.display_name), (arn, owner, shown), "{record:?}");
        assert!(!al.is_root && al.path().ends_with('/') && al.id.starts_with("AIDA"), "{record:?}");
    }
}

#[test]
fn legacy_actions_apply_only_without_policies_except_admin() {
    let record = |actions: &[&str], attached: &[&str]| UserRecord {
        name: "al".into(),
        actions: names(actions),
        attached_policies: names(attached),
        ..UserRecord::default()
    };
    for (actions, attached, want) in [
        (&[][..], &[][..], &[][..]),
        (&["Read"], &[], &["legacy actions"]),
        (&["Read"], &["P"], &["attached policy `P`"]),
        (&["Admin"], &["P"], &["legacy actions", "attached policy `P`"]),
        (&["Admin:b"], &["P"], &["attached policy `P`"]),
        (&["Read", "Admin"], &["P"], &["legacy actions", "attached policy `P`"]),
    ] {
        let state = state("{}", vec![user(record(actions, attached))]);
        let sources: Vec<String> = state.user("al").unwrap().sources.iter().map(ToString::to_string).collect();
        assert_eq!(sources, want, "{actions:?} {attached:?}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let state = state("{}", vec![]);
    let holder = Holder::User("al".into());
    assert!(state.user("al").is_none() && state.group("g").is_none() && state.role("R").is_none());
    assert!(state.policy("P").is_none() && state.bucket("b1x").is_none() && state.access_key("AKA").is_none());
    assert!(state.service_account("sa").is_none() && state.instance_profile("web").is_none());
    assert!(state.oidc_provider("arn").is_none() && state.account_alias("1").is_none());
    assert!(state.id_of(&holder).is_none() && state.inline_policies(&holder).is_empty());
    assert!(state.anonymous().is_none() && !state.has_identities() && !state.is_static_user("al"));
    assert_eq!((state.counts(), state.boundary_name(&holder)), (Counts::default(), None));
    let own = Settings::default().account;
    assert_eq!((state.attachment_count("P", own), state.boundary_count("P", own), state.is_held("P")), (0, 0, false));
}

#[test]
fn attachments_and_boundaries_are_known_by_policy_name() {
    let (arn, boundary) = ("arn:aws:iam::000000000000:policy/a/P", Some("arn:aws:iam::1:policy/B".to_owned()));
    let al = UserRecord { name: "al".into(), attached_policies: names(&[arn, "Q"]), boundary, ..UserRecord::default() };
    let account = Account { id: "111122223333".into(), ..Account::default() };
    let elsewhere = UserRecord {
        name: "elsewhere".into(),
        attached_policies: names(&["P"]),
        account: Some(account),
        ..UserRecord::default()
    };
    let group = GroupRecord { name: "g".into(), attached_policies: names(&["P"]), ..GroupRecord::default() };
    let role = RoleRecord {
        name: "R".into(),
        attached_policies: names(&["P"]),
        boundary: Some("P".into()),
        ..RoleRecord::default()
    };
    let state = state(
        "{}",
        vec![
            user(al),
            user(elsewhere),
            Change::Group("g".into(), Some(Ok(group))),
            Change::Role("R".into(), RolePlace::Memory, Some(Ok(role))),
        ],
    );
    for (policy, attached, bounds, holders) in [("P", 3, 1, 4), ("Q", 1, 0, 1), ("B", 0, 1, 1), ("X", 0, 0, 0)] {
        let count = |account| (state.attachment_count(policy, account), state.boundary_count(policy, account));
        assert_eq!(count(Settings::default().account), (attached, bounds), "{policy}");
        assert_eq!(count("111122223333".parse().unwrap()), (usize::from(policy == "P"), 0), "{policy} elsewhere");
        assert_eq!((state.holders_of(policy).len(), state.is_held(policy)), (holders, holders > 0), "{policy}");
    }
    for (holder, attached, boundary) in [
        (Holder::User("al".into()), vec!["P", "Q"], Some("B")),
        (Holder::Group("g".into()), vec!["P"], None),
        (Holder::Role("R".into()), vec!["P"], Some("P")),
        (Holder::User("bo".into()), vec![], None),
    ] {
        assert_eq!(state.attached_names(&holder).collect::<Vec<_>>(), attached, "{holder}");
        assert_eq!(state.boundary_name(&holder), boundary, "{holder}");
    }
}

#[test]
fn the_anonymous_identity_counts_unless_it_is_disabled() {
    for (file, found) in [
        ("{}", false),
        (r#"{"identities":[{"name":"anonymous","actions":["Read"]}]}"#, true),
        (r#"{"identities":[{"name":"anonymous","disabled":true}]}"#, false),
        (r#"{"identities":[{"name":"Anonymous"}]}"#, false),
    ] {
        assert_eq!(state(file, vec![]).anonymous().is_some(), found, "{file}");
    }
}

#[test]
fn the_identities_file_precedes_the_store() {
    let file = r#"{"identities":[{"name":"al","credentials":[{"accessKey":"AKA","secretKey":"file"}]}],
        "serviceAccounts":[{"id":"sa:al:1","parentUser":"al","credential":{"accessKey":"AKS","secretKey":"file"}}],
        "policies":[{"name":"P","document":{}}]}"#;
    let of_store =
        UserRecord { name: "al".into(), credentials: vec![Credential::new("AKB", "store")], ..UserRecord::default() };
    let account = ServiceAccount { id: "sa:al:1".into(), parent_user: "bo".into(), ..ServiceAccount::default() };
    let changes = vec![user(of_store), Change::ServiceAccount("sa:al:1".into(), Some(Ok(account)))];
    let both = state(file, changes);
    assert!(both.is_static_user("al") && both.is_static_service_account("sa:al:1"));
    for (key, found) in [("AKA", true), ("AKS", true), ("AKB", false)] {
        assert_eq!(both.access_key(key).is_some(), found, "{key}");
    }
    for about in ["stored user `al`", "stored service account `sa:al:1`"] {
        assert!(super::problem(&both, about).is_some_and(|why| why.contains("takes precedence")), "{about}");
    }
    let without = both.apply([Change::User("al".into(), None), Change::ServiceAccount("sa:al:1".into(), None)]);
    assert!(without.access_key("AKA").is_some() && without.access_key("AKS").is_some(), "they stay");
    assert!(!without.problems().any(|(about, _)| about.to_string().starts_with("stored")));
}

#[test]
fn administrators_of_the_command_line_are_added_once() {
    let file = r#"{"identities":[{"name":"al","credentials":[{"accessKey":"AKTAKEN","secretKey":"s"}]}]}"#;
    let secret = || SecretAccessKey::new("s3cret");
    for (access_key, root, users, error) in [
        ("AKNEW00001", false, 2, None),
        ("AKTAKEN", false, 1, None),
        ("AKNEW00001", true, 2, None),
        ("AKTAKEN", true, 1, Some("is the root access key of this server")),
    ] {
        let mut found = identities::parse(file, &|_| None).unwrap();
        let added =
            if root { found.add_root(access_key, secret()) } else { found.add_environment_admin(access_key, secret()) };
        assert_eq!(
            added.as_ref().err().map(|why| why.contains(error.unwrap_or("-"))),
            error.map(|_| true),
            "{access_key}"
        );
        assert_eq!(found.users.len(), users, "{access_key} {root}");
    }
    let mut twice = Identities::default();
    twice.add_root("AKONE", secret()).unwrap();
    assert!(twice.add_root("AKTWO", secret()).unwrap_err().contains("makes the identity `root` itself"));
    let mut found = Identities::default();
    found.add_environment_admin("AKIAIOSFODNN7", secret()).unwrap();
    assert_eq!(found.users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["admin-AKIAIOSF"]);
}

#[test]
fn names_of_the_file_are_unique_except_root() {
    let admin = |name: &str, account: &str| UserRecord {
        name: name.into(),
        actions: names(&["Admin"]),
        account: (!account.is_empty()).then(|| Account { id: account.into(), ..Account::default() }),
        ..UserRecord::default()
    };
    let one = || admin("root", "111122223333");
    for (users, want) in [
        (vec![admin("al", "")], Ok(vec!["al"])),
        (vec![admin("al", ""), admin("bo", "")], Ok(vec!["al", "bo"])),
        (vec![admin("al", ""), admin("al", "")], Err("al")),
        (vec![admin("root", ""), one()], Ok(vec!["root", "111122223333:root"])),
        (vec![one(), admin("root", "")], Ok(vec!["111122223333:root", "root"])),
        (vec![one(), admin("root", "444455556666")], Ok(vec!["root", "444455556666:root"])),
        (vec![one(), one()], Err("root")),
        (vec![admin("root", "team"), admin("root", "")], Err("root")),
    ] {
        let mut found = Identities::default();
        let added = users.into_iter().try_for_each(|user| found.add(user));
        let known: Vec<&str> = found.users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(added.as_ref().map(|()| known).map_err(String::as_str), want);
    }
}

#[test]
fn providers_belong_to_the_account_that_they_or_their_arn_name() {
    for (account, arn, want) in [
        ("111122223333", "arn:aws:iam::444455556666:oidc-provider/idp", "111122223333"),
        ("", "arn:aws:iam::444455556666:oidc-provider/idp", "444455556666"),
        ("", "arn:aws:iam:::oidc-provider/idp", "000000000000"),
        ("team", "no arn", "000000000000"),
    ] {
        let provider = OidcProvider { account: account.into(), arn: arn.into(), ..OidcProvider::default() };
        assert_eq!(provider.account_or(ids::AccountId::DEFAULT).as_str(), want, "{account} {arn}");
        let stem = OidcProvider::file_stem(arn);
        let state = state("{}", vec![Change::OidcProvider(stem, Some(Ok(provider)))]);
        assert!(state.oidc_provider(arn).is_some() && state.oidc_providers().len() == 1, "{arn}");
    }
}

/// A name at another path is another policy, and SeaweedFS's form of ARNs has no path.
#[test]
fn policies_are_found_by_arn_and_by_configured_name() {
    let at = |path: &str, account: &str| PolicyRecord {
        path: path.to_owned(),
        account: account.to_owned(),
        ..PolicyRecord::of_text(r#"{"Version":"2012-10-17","Statement":[]}"#)
    };
    let put = |name: &str, record| Change::Policy(name.into(), PolicyPlace::Api, Some(Ok(record)));
    let policies = [put("P", at("", "")), put("Q", at("/team/", "")), put("R", at("", "111122223333"))];
    let state = state("{}", policies.into());
    let own = Settings::default().account;
    for (text, by_arn, by_name) in [
        ("arn:aws:iam::000000000000:policy/P", true, true),
        ("arn:aws:iam::000000000000:policy/team/P", false, false),
        ("arn:aws:iam:::policy/P", true, false),
        ("P", false, true),
        ("arn:aws:iam::000000000000:policy/team/Q", true, true),
        ("arn:aws:iam::000000000000:policy/Q", false, false),
        ("arn:aws:iam:::policy/Q", false, false),
        ("Q", false, false),
        ("team/Q", false, false),
        ("arn:aws:iam::111122223333:policy/R", true, false),
        ("R", false, false),
        ("arn:aws:iam::aws:policy/AdministratorAccess", true, false),
    ] {
        let found = (state.policy_by_arn(text).is_some(), state.policy_named(text, own).is_some());
        assert_eq!(found, (by_arn, by_name), "{text}");
    }
}

#[test]
fn policy_names_are_read_from_arns() {
    for (text, want) in [
        ("P", "P"),
        ("arn:aws:iam::000000000000:policy/P", "P"),
        ("arn:aws:iam::000000000000:policy/a/b/P", "P"),
        ("arn:aws:iam:::policy/P", "P"),
        ("arn:aws:iam::000000000000:user/P", "arn:aws:iam::000000000000:user/P"),
        ("a:policy/P", "a:policy/P"),
        ("", ""),
    ] {
        assert_eq!(policy_name_of(text), want);
    }
}

#[test]
fn entity_names() {
    for (name, longest, good) in [
        ("al", 64, true),
        ("a_+=,.@-Z9", 64, true),
        ("", 64, false),
        (".", 64, false),
        ("..", 64, false),
        ("...", 64, true),
        ("a/b", 64, false),
        ("a b", 64, false),
        ("ä", 64, false),
        ("abc", 2, false),
        ("ab", 2, true),
    ] {
        assert_eq!(is_name(name, longest), good, "`{name}` {longest}");
    }
}
