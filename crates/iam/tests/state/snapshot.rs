//! Changes in any order give one state; what applies to whom; what cannot be read denies.

use std::sync::Arc;

use iam::*;
use iam_formats::{Facts, StoredDocument, identities, weed_policies};
use policy::CompiledPolicy;

const GET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;
const PUT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}]}"#;

fn text(text: &str) -> Option<Read<InlinePolicyRecord>> {
    Some(Ok(InlinePolicyRecord::of_text(text)))
}

fn user(json: &str) -> Change {
    let user = UserRecord::parse(json, Facts::default()).unwrap();
    Change::User(user.name.as_str().into(), Some(Ok(user)))
}

fn group(json: &str) -> Change {
    let group = GroupRecord::parse(json, Facts::default()).unwrap();
    Change::Group(group.name.as_str().into(), Some(Ok(group)))
}

fn role(json: &str) -> Change {
    let role = RoleRecord::parse(json, Facts::default()).unwrap();
    Change::Role(role.name.as_str().into(), RolePlace::Base, Some(Ok(role)))
}

fn policy(name: &str, document: &str) -> Change {
    Change::Policy(name.into(), PolicyPlace::Api, Some(Ok(PolicyRecord::of_text(document))))
}

fn inline(user: &str, name: &str, document: &str) -> Change {
    Change::Inline(Holder::User(user.into()), name.into(), text(document))
}

fn weed(json: &str) -> Change {
    Change::WeedPolicies(Some(Ok(weed_policies::parse(json, None).unwrap())))
}

fn world(identities: &str, changes: Vec<Change>) -> Snapshot {
    let identities = identities::parse(identities, &|_| None).unwrap();
    Snapshot::new(Settings::default(), &identities).apply(changes)
}

const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"]}]}"#;

/// What SeaweedFS's document should contain, as `holder/name: text`, with `!` if SeaweedFS does not understand all of
/// it.
fn mirrored(snapshot: &Snapshot, adds: bool) -> Vec<String> {
    let entries = snapshot.unmirrored(adds);
    let Some(next) = snapshot.mirror(&entries, adds) else { return vec!["as it is".to_owned()] };
    assert_eq!(next.changed, entries);
    let texts = next.document.mirrored.iter().flat_map(|(holder, texts)| texts.iter().map(move |text| (holder, text)));
    let mark = |holder: &Holder, name: &Arc<str>| {
        if next.inexact.contains(&(holder.clone(), name.clone())) { "!" } else { "" }
    };
    texts.map(|(holder, (name, text))| format!("{}{}/{name}: {text}", mark(holder, name), holder.name())).collect()
}

#[test]
fn the_shared_document_should_contain_the_inline_policies_in_force() {
    let al = r#"{"name":"al"}"#;
    let put_on = |id: &str| {
        let policy = InlinePolicyRecord { holder_id: id.into(), ..InlinePolicyRecord::of_text(GET) };
        Change::Inline(Holder::User("al".into()), "I".into(), Some(Ok(policy)))
    };
    let of_group = Change::Inline(Holder::Group("g".into()), "I".into(), text(GET));
    let of_role = Change::Inline(Holder::Role("R".into()), "I".into(), text(GET));
    let unreadable = Change::Inline(Holder::User("al".into()), "I".into(), Some(Err(Unreadable("why".into()))));
    let not_action = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":"s3:*","Resource":"*"}]}"#;
    let get = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"]}]}"#;
    for (changes, want) in [
        (vec![user(al), inline("al", "I", GET)], vec![format!("al/I: {get}")]),
        (vec![group(r#"{"name":"g"}"#), of_group], vec![format!("g/I: {get}")]),
        (vec![user(al), inline("al", "I", not_action)], vec![format!("!al/I: {DENY}")]),
        (vec![user(al), inline("al", "I", "{")], vec![format!("!al/I: {DENY}")]),
        (vec![user(al), unreadable], vec![format!("!al/I: {DENY}")]),
        // For a missing user, for an earlier user with the name, for a role, and next to one of SeaweedFS.
        (vec![inline("al", "I", GET)], vec!["as it is".to_owned()]),
        (vec![user(al), put_on("AIDAOTHER")], vec!["as it is".to_owned()]),
        (vec![role(r#"{"roleName":"R","trustPolicy":{}}"#), of_role], vec!["as it is".to_owned()]),
        (
            vec![user(al), inline("al", "I", GET), weed(&format!(r#"{{"inlinePolicies":{{"al":{{"I":{PUT}}}}}}}"#))],
            vec!["as it is".to_owned()],
        ),
        // If the document cannot be read, it is not overwritten.
        (
            vec![user(al), inline("al", "I", GET), Change::WeedPolicies(Some(Err(Unreadable("why".into()))))],
            vec!["as it is".to_owned()],
        ),
    ] {
        let about = format!("{changes:?}");
        let snapshot = world("{}", changes);
        assert_eq!(mirrored(&snapshot, true), want, "{about}");
        assert_eq!(mirrored(&snapshot, false), ["as it is"], "{about}");
    }
}

#[test]
fn mirrored_entries_are_not_read_as_seaweedfs_policies_and_follow_ours() {
    let al = user(r#"{"name":"al","actions":["Admin"]}"#);
    let before = world("{}", vec![al, inline("al", "I", GET), inline("al", "J", "{")]);
    let document = before.mirror(&before.unmirrored(true), true).unwrap().document;
    let (stored, record) = (weed_policies::to_text(&document), weed_policies::record(&document).unwrap());
    let read = |text: &str| Change::WeedPolicies(Some(Ok(weed_policies::parse(text, Some(&record)).unwrap())));
    let state = before.apply([read(&stored)]);
    assert_eq!(mirrored(&state, true), ["as it is"]);
    assert_eq!(
        sources(&state, "al"),
        sources(&before, "al"),
        "the restated form of J for SeaweedFS is not read either"
    );
    // A change, a deletion, and the deletion of the holder, whether or not `adds` is set.
    for adds in [true, false] {
        let changed = state.apply([inline("al", "I", PUT)]);
        assert!(mirrored(&changed, adds)[0].contains("s3:PutObject"));
        let deleted = state.apply([Change::Inline(Holder::User("al".into()), "J".into(), None)]);
        assert_eq!(mirrored(&deleted, adds).len(), 1);
        let gone = state.apply([Change::User("al".into(), None)]);
        assert_eq!(mirrored(&gone, adds), [""; 0]);
        let added = state.apply([inline("al", "K", GET)]);
        assert_eq!(mirrored(&added, adds).len(), if adds { 3 } else { 1 });
    }
    // If changed by SeaweedFS, it is SeaweedFS's: it stays, and contradicts ours. If removed there, it comes back.
    let edited = state.apply([read(&stored.replace("GetObject", "PutObject"))]);
    assert_eq!(mirrored(&edited, true), ["as it is"]);
    let why = super::problem(&edited, "inline policy `I` of user `al`").unwrap();
    assert!(why.contains("differs between the document of ours and /etc/iam/policies.json"), "{why}");
    let removed = state.apply([read("{}")]);
    assert_eq!(mirrored(&removed, true).len(), 2);
    assert_eq!(mirrored(&removed, false), ["as it is"]);
}

/// The sources of a user's policies, unreadable ones marked with `!`.
fn sources(snapshot: &Snapshot, name: &str) -> String {
    let user = snapshot.user(name).unwrap();
    let mark = |policy: &CompiledPolicy| if policy.unreadable_reason().is_some() { "!" } else { "" };
    let both = user.policies.iter().zip(user.sources.iter());
    both.map(|(policy, source)| format!("{}{source}", mark(policy))).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_user_has_the_policies_of_its_document_its_groups_and_its_inline_documents() {
    for (changes, want) in [
        (vec![user(r#"{"name":"al","actions":["Read:b"]}"#)], "legacy actions"),
        (vec![user(r#"{"name":"al","policy_names":["P"]}"#), policy("P", GET)], "attached policy `P`"),
        (
            vec![user(r#"{"name":"al","policy_names":["arn:aws:iam:::policy/P"]}"#), policy("P", GET)],
            "attached policy `P`",
        ),
        (vec![user(r#"{"name":"al","policy_names":["P"]}"#)], "!attached policy `P`"),
        (vec![user(r#"{"name":"al","policy_names":["P"]}"#), policy("P", "{bad")], "!attached policy `P`"),
        (vec![user(r#"{"name":"al"}"#), inline("al", "I", GET)], "inline policy `I`"),
        (vec![user(r#"{"name":"al"}"#), inline("bo", "I", GET)], ""),
        // As in SeaweedFS, legacy actions do not apply if there are policies, except for Admin.
        (vec![user(r#"{"name":"al","actions":["Read:b"]}"#), inline("al", "I", GET)], "inline policy `I`"),
        (
            vec![user(r#"{"name":"al","actions":["Read","Admin"]}"#), inline("al", "I", GET)],
            "legacy actions; inline policy `I`",
        ),
        // What SeaweedFS projected from an inline policy never counts.
        (
            vec![
                user(r#"{"name":"al","actions":["Admin"]}"#),
                weed(&format!(r#"{{"inlinePolicies":{{"al":{{"I":{GET}}}}}}}"#)),
            ],
            "inline policy `I`",
        ),
        (
            vec![
                user(r#"{"name":"al"}"#),
                group(r#"{"name":"g","members":["al"],"policy_names":["P"]}"#),
                policy("P", GET),
            ],
            "policy `P` attached to group `g`",
        ),
        (
            vec![
                user(r#"{"name":"al"}"#),
                group(r#"{"name":"g","members":["al"],"policy_names":["P"],"disabled":true}"#),
            ],
            "",
        ),
        (vec![user(r#"{"name":"al"}"#), group(r#"{"name":"g","members":["bo"],"policy_names":["P"]}"#)], ""),
        // Two documents of one inline policy differ: it is unknown which one applies.
        (
            vec![
                user(r#"{"name":"al"}"#),
                inline("al", "I", PUT),
                weed(&format!(r#"{{"inlinePolicies":{{"al":{{"I":{GET}}}}}}}"#)),
            ],
            "!inline policy `I`",
        ),
    ] {
        let forward = world("{}", changes.clone());
        let described = format!("{changes:?}");
        assert_eq!(sources(&forward, "al"), want, "{described}");
        // The order of arrival does not matter, nor whether documents arrive together or one by one.
        let backward = changes.into_iter().rev().fold(world("{}", vec![]), |state, change| state.apply([change]));
        assert_eq!(sources(&backward, "al"), want, "backward: {described}");
    }
}

#[test]
fn a_change_of_a_policy_reaches_all_its_holders_and_no_one_else() {
    let first = world(
        "{}",
        vec![
            user(r#"{"name":"al","policy_names":["P"]}"#),
            user(r#"{"name":"bo"}"#),
            user(r#"{"name":"cy","policy_names":["Q"]}"#),
            group(r#"{"name":"g","members":["bo"],"policy_names":["P"]}"#),
            role(r#"{"roleName":"R","trustPolicy":{"Version":"2012-10-17"},"attachedPolicies":["P"]}"#),
            policy("P", GET),
            policy("Q", GET),
        ],
    );
    assert_eq!(first.holders_of("P"), [Holder::User("al".into()), Holder::Group("g".into()), Holder::Role("R".into())]);
    let next = first.apply([policy("P", PUT)]);
    for name in ["al", "bo"] {
        let (old, new) = (first.user(name).unwrap(), next.user(name).unwrap());
        assert!(!Arc::ptr_eq(&old.policies[0], &new.policies[0]), "{name}");
        assert!(Arc::ptr_eq(&new.policies[0], &next.policy("P").unwrap().compiled), "{name}");
    }
    assert!(Arc::ptr_eq(&next.role("R").unwrap().policies[0], &next.policy("P").unwrap().compiled));
    assert!(Arc::ptr_eq(first.user("cy").unwrap(), next.user("cy").unwrap()), "untouched users are shared");
    assert_eq!(next.revision(), first.revision() + 1);
    let gone = next.apply([Change::Policy("P".into(), PolicyPlace::Api, None)]);
    assert_eq!(sources(&gone, "bo"), "!policy `P` attached to group `g`");
    let reason = gone.role("R").unwrap().policies[0].unreadable_reason().unwrap().to_owned();
    assert!(reason.contains("`P`") && reason.contains("does not exist"), "{reason}");
}

#[test]
fn places_of_a_policy_must_agree() {
    let spaced = GET.replace(",\"", ",  \"");
    // The last of the two effects is the one that the other place has.
    let twice = GET.replacen(r#""Effect":"#, r#""Effect":"Deny","Effect":"#, 1);
    for (second, good) in [(GET, true), (spaced.as_str(), true), (PUT, false), ("{", false), (twice.as_str(), false)] {
        let snapshot = world(
            "{}",
            vec![
                policy("P", GET),
                Change::Policy("P".into(), PolicyPlace::BasePrefixed, Some(Ok(PolicyRecord::of_text(second)))),
            ],
        );
        let found = snapshot.policy("P").unwrap();
        assert_eq!(
            found.compiled.unreadable_reason().is_none(),
            good,
            "{second}: {:?}",
            found.compiled.unreadable_reason()
        );
        assert_eq!(snapshot.problems().count(), usize::from(!good), "{second}");
        let healed = snapshot.apply([Change::Policy("P".into(), PolicyPlace::BasePrefixed, None)]);
        assert!(healed.policy("P").unwrap().compiled.unreadable_reason().is_none(), "{second}");
        assert_eq!(&*healed.policy("P").unwrap().text, GET);
        assert_eq!(healed.problems().count(), 0);
    }
}

#[test]
fn keys_lead_to_their_user_and_an_ambiguous_one_to_no_one() {
    let file = r#"{"identities":[{"name":"root","credentials":[{"accessKey":"AKROOT","secretKey":"s"}],"actions":["Admin"]}]}"#;
    let snapshot = world(
        file,
        vec![
            user(
                r#"{"name":"al","credentials":[{"access_key":"AK1","secret_key":"s"},{"access_key":"AK2","secret_key":"s","status":"Inactive"},
                {"access_key":"AKDUP","secret_key":"s"},{"access_key":"AKROOT","secret_key":"stolen"},{"access_key":"AKEMPTY","secret_key":""}]}"#,
            ),
            user(
                r#"{"name":"bo","disabled":true,"credentials":[{"access_key":"AK3","secret_key":"s"},{"access_key":"AKDUP","secret_key":"t"}]}"#,
            ),
            service_account(
                r#"{"id":"sa:al:1","parent_user":"al","credential":{"access_key":"AKS","secret_key":"s"},"expiration":100}"#,
            ),
            service_account(
                r#"{"id":"sa:no:1","parent_user":"no","credential":{"access_key":"AKORPHAN","secret_key":"s"}}"#,
            ),
        ],
    );
    for (key, want) in [
        ("AK1", Some(("al", None))),
        ("AK2", Some(("al", Some(KeyRefusal::Inactive)))),
        ("AK3", Some(("bo", Some(KeyRefusal::UserDisabled)))),
        ("AKS", Some(("al", Some(KeyRefusal::Expired)))),
        ("AKROOT", Some(("root", None))),
        ("AKDUP", None),
        ("AKEMPTY", None),
        ("AKORPHAN", None),
        ("AKUNKNOWN", None),
    ] {
        let found = snapshot.access_key(key);
        let found = found.as_ref().map(|holder| (&*holder.user.name, holder.refusal(100)));
        assert_eq!(found, want, "{key}");
    }
    assert_eq!(snapshot.access_key("AKROOT").unwrap().secret.expose(), "s");
    assert_eq!(snapshot.access_key("AKS").unwrap().refusal(99), None);
    let without = snapshot.apply([Change::User("bo".into(), None)]);
    assert_eq!(&*without.access_key("AKDUP").unwrap().user.name, "al", "the contradiction is gone");
    assert!(without.access_key("AK3").is_none());
}

fn service_account(json: &str) -> Change {
    let account = ServiceAccount::parse(json, Facts::default()).unwrap();
    Change::ServiceAccount(account.id.as_str().into(), Some(Ok(account)))
}

#[test]
fn only_the_identities_file_makes_a_root_user_and_it_takes_precedence_over_the_store() {
    let file = r#"{"identities":[{"name":"root","actions":["Admin"],"account":{"id":"111122223333"}},{"name":"al","actions":["Read"]}]}"#;
    let snapshot =
        world(file, vec![user(r#"{"name":"al","actions":["Admin"]}"#), user(r#"{"name":"bo","account":{"id":"bo"}}"#)]);
    let root = snapshot.user("root").unwrap();
    assert!(root.is_root);
    assert_eq!(&*root.arn, "arn:aws:iam::111122223333:root");
    assert_eq!(snapshot.user("al").unwrap().record.actions, ["Read"]);
    assert!(snapshot.problems().any(|(about, _)| about.to_string() == "stored user `al`"));
    assert_eq!(&*snapshot.user("bo").unwrap().arn, "arn:aws:iam::000000000000:user/bo");
    assert_eq!(&*snapshot.user("bo").unwrap().owner_id, "bo");
    for (file, change) in [
        ("{}", Some(user(r#"{"name":"root","actions":["Admin"],"is_static":true}"#))),
        (r#"{"identities":[{"name":"root","actions":["Admin:b"]}]}"#, None),
    ] {
        let snapshot = world(file, change.into_iter().collect());
        assert!(!snapshot.user("root").unwrap().is_root, "{file}");
    }
}

#[test]
fn every_account_has_its_root() {
    let root = |account: &str| format!(r#"{{"name":"root","actions":["Admin"]{account}}}"#);
    let of = |account: &str| root(&format!(r#","account":{{"id":"{account}"}}"#));
    let (ours, one, two) = (root(""), of("111122223333"), of("444455556666"));
    for identities in [[&ours, &one, &two], [&two, &one, &ours], [&one, &ours, &two]] {
        let file = format!(r#"{{"identities":[{},{},{}]}}"#, identities[0], identities[1], identities[2]);
        let snapshot = world(&file, vec![]);
        let roots: Vec<_> = snapshot.users().map(|user| (&*user.name, &*user.arn, user.is_root)).collect();
        let want = [
            ("111122223333:root", "arn:aws:iam::111122223333:root", true),
            ("444455556666:root", "arn:aws:iam::444455556666:root", true),
            ("root", "arn:aws:iam::000000000000:root", true),
        ];
        assert_eq!(roots, want, "{file}");
    }
    // The name alone does not make a user root.
    for user in [
        r#"{"name":"111122223333:root","actions":["Admin"]}"#,
        r#"{"name":"111122223333:root","actions":["Read"],"account":{"id":"111122223333"}}"#,
    ] {
        let snapshot = world(&format!(r#"{{"identities":[{user}]}}"#), vec![]);
        assert!(!snapshot.user("111122223333:root").unwrap().is_root, "{user}");
    }
}

#[test]
fn roles_are_found_by_their_arns() {
    let trust = r#""trustPolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;
    let snapshot = world(
        "{}",
        vec![
            role(&format!(r#"{{"roleName":"R",{trust}}}"#)),
            role(&format!(
                r#"{{"roleName":"S","roleArn":"arn:aws:iam::111122223333:role/team/S",{trust},"maxSessionDuration":7200}}"#
            )),
            Change::Role("T".into(), RolePlace::Base, Some(Err(Unreadable("bad".into())))),
        ],
    );
    for (arn, want) in [
        ("arn:aws:iam::000000000000:role/R", Some("R")),
        ("arn:aws:iam::role/R", Some("R")),
        ("arn:aws:iam:::role/R", Some("R")),
        ("arn:aws:iam::999999999999:role/R", None),
        ("arn:aws:iam::000000000000:user/R", None),
        ("arn:aws:iam::111122223333:role/team/S", Some("S")),
        ("arn:aws:iam::111122223333:role/S", None),
        ("R", None),
        ("arn:aws:iam::000000000000:role/T", None),
    ] {
        assert_eq!(snapshot.role_by_arn(arn).map(|role| &*role.name), want, "{arn}");
    }
    let role = snapshot.role("S").unwrap();
    assert_eq!((role.max_session_s, &*role.path, role.account.as_str()), (7200, "/team/", "111122223333"));
    assert_eq!(snapshot.counts().problems, 1);
}

/// Its sessions would have the ARNs of sessions that have policies in the place of a role.
#[test]
fn no_stored_role_stands_for_sessions_without_a_role() {
    let trust = r#""trustPolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;
    for document in [
        format!(r#"{{"roleName":"sts-claim-based",{trust}}}"#),
        format!(r#"{{"roleName":"STS-Claim-Based",{trust}}}"#),
        format!(r#"{{"roleName":"R","roleArn":"arn:aws:iam:::role/sts-claim-based",{trust}}}"#),
    ] {
        let snapshot = world("{}", vec![role(&document)]);
        assert_eq!((snapshot.counts().roles, snapshot.counts().problems), (0, 1), "{document}");
        assert!(snapshot.role_by_arn("arn:aws:iam:::role/sts-claim-based").is_none());
    }
}

#[test]
fn a_missing_boundary_denies() {
    let mut document = UserRecord::parse(r#"{"name":"al"}"#, Facts::default()).unwrap();
    document.boundary = Some("B".into());
    let snapshot = world("{}", vec![Change::User("al".into(), Some(Ok(document))), policy("B", GET)]);
    let boundary = |snapshot: &Snapshot| snapshot.user("al").unwrap().boundary.clone().unwrap();
    assert!(boundary(&snapshot).unreadable_reason().is_none());
    let gone = snapshot.apply([Change::Policy("B".into(), PolicyPlace::Api, None)]);
    assert!(boundary(&gone).unreadable_reason().is_some_and(|why| why.contains("boundary `B`")));
}

#[test]
fn a_key_with_a_published_secret_is_refused_until_the_secret_changes() {
    let with = |secret: &str| {
        user(&format!(r#"{{"name":"al","credentials":[{{"access_key":"AKA","secret_key":"{secret}"}}]}}"#))
    };
    for secret in ["some_secret_key1", "minioadmin", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"] {
        let public = world("{}", vec![with(secret)]);
        assert!(public.access_key("AKA").is_none() && !public.has_identities(), "{secret}");
        let problems: Vec<_> = public.problems().collect();
        assert!(problems.len() == 1 && problems[0].1.contains("is public"), "{problems:?}");
        let replaced = public.apply([with("s3cret")]);
        assert!(replaced.access_key("AKA").is_some() && replaced.problems().count() == 0, "{secret}");
        let again = replaced.apply([with(secret)]);
        assert!(again.access_key("AKA").is_none() && again.problems().count() == 1, "{secret}");
        assert_eq!(again.apply([Change::User("al".into(), None)]).problems().count(), 0);
    }
}

#[test]
fn a_key_with_an_encrypted_secret_is_refused_until_it_is_opened() {
    let with = |secret: &str| {
        user(&format!(r#"{{"name":"al","credentials":[{{"access_key":"AKA","secret_key":"{secret}"}}]}}"#))
    };
    let sealed = world("{}", vec![with("kelpgate-sealed:1:k1:AAAA")]);
    assert!(sealed.access_key("AKA").is_none() && !sealed.has_identities());
    let problems: Vec<_> = sealed.problems().collect();
    assert!(problems.len() == 1 && problems[0].1.contains("the key `k1`"), "{problems:?}");
    let opened = sealed.apply([with("s3cret")]);
    assert!(opened.access_key("AKA").is_some());
    assert_eq!(opened.problems().count(), 0);
}

#[test]
fn an_inline_policy_does_not_pass_to_the_next_user_of_the_name() {
    let of = |id: &str| {
        Change::User("al".into(), Some(Ok(UserRecord { name: "al".into(), id: id.into(), ..UserRecord::default() })))
    };
    let put_on = |id: &str| {
        let policy = InlinePolicyRecord { holder_id: id.into(), ..InlinePolicyRecord::of_text(GET) };
        Change::Inline(Holder::User("al".into()), "I".into(), Some(Ok(policy)))
    };
    let derived = world("{}", vec![user(r#"{"name":"al"}"#)]).user("al").unwrap().id.to_string();
    for (user, policy, has) in [
        (of("AIDA1"), put_on("AIDA1"), true),
        (of("AIDA2"), put_on("AIDA1"), false),
        (of("AIDA2"), put_on(""), true),
        // Users of SeaweedFS have no stored id. It is derived from the name.
        (of(""), put_on(&derived), true),
        (of(""), put_on("AIDA1"), false),
    ] {
        let described = format!("{user:?} {policy:?}");
        for changes in [vec![user.clone(), policy.clone()], vec![policy.clone(), user.clone()]] {
            let snapshot = world("{}", changes);
            assert_eq!(sources(&snapshot, "al"), if has { "inline policy `I`" } else { "" }, "{described}");
            assert_eq!(snapshot.inline_policies(&Holder::User("al".into())).len(), usize::from(has), "{described}");
        }
    }
    // What a deleted user left behind can be removed, and does not come back with the next user.
    let left = world("{}", vec![of("AIDA1"), put_on("AIDA1"), Change::User("al".into(), None)]);
    assert_eq!(left.inline_policies(&Holder::User("al".into())).len(), 1);
    assert_eq!(sources(&left.apply([of("AIDA2")]), "al"), "");
}

#[test]
fn service_accounts_are_found_by_their_user() {
    let account = |id: &str, parent: &str| {
        let json = format!(r#"{{"id":"{id}","parent_user":"{parent}"}}"#);
        Change::ServiceAccount(id.into(), Some(Ok(ServiceAccount::parse(&json, Facts::default()).unwrap())))
    };
    let first = world("{}", vec![account("sa:al:1", "al"), account("sa:al:2", "al"), account("sa:bo:1", "bo")]);
    let of = |state: &Snapshot, user: &str| -> Vec<String> {
        state.service_accounts_of(user).map(|account| account.id.clone()).collect()
    };
    assert_eq!(of(&first, "al"), ["sa:al:1", "sa:al:2"]);
    let next = first.apply([account("sa:al:1", "bo"), Change::ServiceAccount("sa:al:2".into(), None)]);
    assert_eq!((of(&next, "al"), of(&next, "bo")), (vec![], vec!["sa:al:1".to_owned(), "sa:bo:1".to_owned()]));
}
