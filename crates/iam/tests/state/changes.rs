//! Changes of every kind: in any order, unreadable, and removed again.

use std::sync::Arc;

use iam::*;
use iam_formats::weed_policies;
use ids::PublicAccessBlock;

const GET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;
const PUT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}]}"#;
const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;
const ARN: &str = "arn:aws:iam::000000000000:oidc-provider/idp.example.com";

fn empty() -> Snapshot {
    Snapshot::new(Settings::default(), &Identities::default())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn al() -> UserRecord {
    let credentials = vec![Credential::new("AKA", "s")];
    UserRecord { name: "al".into(), credentials, attached_policies: names(&["P"]), ..UserRecord::default() }
}

fn put_user(user: UserRecord) -> Change {
    Change::User(user.name.as_str().into(), Some(Ok(user)))
}

fn put_group(group: GroupRecord) -> Change {
    Change::Group(group.name.as_str().into(), Some(Ok(group)))
}

fn put_policy(name: &str, place: PolicyPlace, text: &str) -> Change {
    Change::Policy(name.into(), place, Some(Ok(PolicyRecord::of_text(text))))
}

fn put_inline(holder: Holder, name: &str, text: &str) -> Change {
    Change::Inline(holder, name.into(), Some(Ok(InlinePolicyRecord::of_text(text))))
}

fn shared(text: &str) -> Change {
    Change::WeedPolicies(Some(Ok(weed_policies::parse(text, None).unwrap())))
}

/// One change of each kind.
fn each() -> Vec<Change> {
    let members = names(&["al", "gone"]);
    let group = GroupRecord { name: "g".into(), members, attached_policies: names(&["P"]), ..GroupRecord::default() };
    let role = RoleRecord {
        name: "R".into(),
        trust_policy: TRUST.into(),
        boundary: Some("P".into()),
        ..RoleRecord::default()
    };
    let account = ServiceAccount {
        id: "sa:al:1".into(),
        parent_user: "al".into(),
        credential: Some(Credential::new("AKS", "s")),
        ..ServiceAccount::default()
    };
    let provider = OidcProvider { arn: ARN.into(), url: "https://idp.example.com".into(), ..OidcProvider::default() };
    let profile = InstanceProfile { name: "web".into(), account: "000000000000".into(), ..InstanceProfile::default() };
    let keys = OidcKeys { issuer: "https://idp.example.com".into(), jwks: "{}".into(), ..OidcKeys::default() };
    let revocation = Revocation { target: "role:r".into(), issued_until_ms: 7, ..Revocation::default() };
    let alias = AccountAlias { account: "000000000000".into(), alias: "reef".into(), ..AccountAlias::default() };
    let block = AccountPublicAccessBlock {
        account: "000000000000".into(),
        block: PublicAccessBlock { ignore_public_acls: true, ..PublicAccessBlock::default() },
        ..AccountPublicAccessBlock::default()
    };
    vec![
        put_user(al()),
        Change::ServiceAccount("sa:al:1".into(), Some(Ok(account))),
        put_group(group),
        put_policy("P", PolicyPlace::Api, GET),
        Change::Role("R".into(), RolePlace::Base, Some(Ok(role))),
        put_inline(Holder::User("al".into()), "I", GET),
        shared(&format!(r#"{{"policies":{{"W":{GET}}},"inlinePolicies":{{"al":{{"J":{PUT}}}}}}}"#)),
        Change::OidcProvider(OidcProvider::file_stem(ARN), Some(Ok(provider))),
        Change::OidcKeys("keys".into(), Some(Ok(keys))),
        Change::Revocation(Revocation::file_stem("role:r"), Some(Ok(revocation))),
        Change::InstanceProfile("web".into(), Some(Ok(profile))),
        Change::MfaDevice("b0".into(), Some(Ok(MfaDevice { serial: "arn".into(), ..MfaDevice::default() }))),
        Change::AccountAlias("000000000000".into(), Some(Ok(alias))),
        Change::AccountPublicAccessBlock("000000000000".into(), Some(Ok(block))),
        Change::Bucket("b1x".into(), Some(Arc::new(Bucket::new("b1x", "al", 7)))),
    ]
}

/// The same document, removed.
fn removed(change: &Change) -> Change {
    match change.clone() {
        Change::User(name, _) => Change::User(name, None),
        Change::ServiceAccount(id, _) => Change::ServiceAccount(id, None),
        Change::Group(name, _) => Change::Group(name, None),
        Change::Policy(name, place, _) => Change::Policy(name, place, None),
        Change::Role(name, place, _) => Change::Role(name, place, None),
        Change::Inline(holder, name, _) => Change::Inline(holder, name, None),
        Change::WeedPolicies(_) => Change::WeedPolicies(None),
        Change::OidcProvider(stem, _) => Change::OidcProvider(stem, None),
        Change::OidcKeys(stem, _) => Change::OidcKeys(stem, None),
        Change::MfaDevice(stem, _) => Change::MfaDevice(stem, None),
        Change::Revocation(stem, _) => Change::Revocation(stem, None),
        Change::InstanceProfile(name, _) => Change::InstanceProfile(name, None),
        Change::AccountAlias(account, _) => Change::AccountAlias(account, None),
        Change::AccountPublicAccessBlock(account, _) => Change::AccountPublicAccessBlock(account, None),
        Change::Bucket(name, _) => Change::Bucket(name, None),
    }
}

/// The same document, unreadable. Buckets always have something to read.
fn unreadable(change: &Change) -> Option<Change> {
    fn why<T>() -> Option<Read<T>> {
        Some(Err(Unreadable("broken".into())))
    }
    Some(match change.clone() {
        Change::User(name, _) => Change::User(name, why()),
        Change::ServiceAccount(id, _) => Change::ServiceAccount(id, why()),
        Change::Group(name, _) => Change::Group(name, why()),
        Change::Policy(name, place, _) => Change::Policy(name, place, why()),
        Change::Role(name, place, _) => Change::Role(name, place, why()),
        Change::Inline(holder, name, _) => Change::Inline(holder, name, why()),
        Change::WeedPolicies(_) => Change::WeedPolicies(why()),
        Change::OidcProvider(stem, _) => Change::OidcProvider(stem, why()),
        Change::OidcKeys(stem, _) => Change::OidcKeys(stem, why()),
        Change::MfaDevice(stem, _) => Change::MfaDevice(stem, why()),
        Change::Revocation(stem, _) => Change::Revocation(stem, why()),
        Change::InstanceProfile(name, _) => Change::InstanceProfile(name, why()),
        Change::AccountAlias(account, _) => Change::AccountAlias(account, why()),
        Change::AccountPublicAccessBlock(account, _) => Change::AccountPublicAccessBlock(account, why()),
        Change::Bucket(..) => return None,
    })
}

/// Everything that a decision or an answer can see, except the revision.
fn described(state: &Snapshot) -> Vec<String> {
    let mut lines = vec![format!("{:?}", state.counts())];
    for user in state.users() {
        let sources: Vec<String> = user.sources.iter().map(ToString::to_string).collect();
        let denies = user.policies.iter().filter(|policy| policy.unreadable_reason().is_some()).count();
        lines.push(format!("{} {} {sources:?} {denies} {:?}", user.arn, user.id, user.groups));
    }
    let groups =
        state.groups().map(|group| format!("{} {:?} {}", group.arn, group.record.members, group.policies.len()));
    lines.extend(groups);
    lines.extend(state.identity_providers().iter().map(|provider| format!("{provider:?}")));
    lines.extend(state.all_oidc_keys().map(|(stem, keys)| format!("{stem} {} {}", keys.issuer, keys.jwks)));
    lines.extend(state.revocations().map(|(stem, revocation)| format!("{stem} {revocation:?}")));
    let roles = state.roles().map(|role| format!("{} {} {}", role.arn, role.policies.len(), role.boundary.is_some()));
    lines.extend(roles);
    for policy in state.policies() {
        let (name, account) = (&*policy.name, Settings::default().account);
        let (attached, bounds) = (state.attachment_count(name, account), state.boundary_count(name, account));
        lines.push(format!("{} {} {attached} {bounds} {:?}", policy.arn, policy.text, state.holders_of(&policy.name)));
    }
    for key in ["AKA", "AKS", "AKB"] {
        let holder = state.access_key(key);
        lines.push(format!("{key} {:?}", holder.map(|holder| (holder.user.name.clone(), holder.refusal(50)))));
    }
    for holder in [Holder::User("al".into()), Holder::User("bo".into()), Holder::Group("g".into())] {
        lines.push(format!("{holder} {:?}", state.inline_policies(&holder).keys().collect::<Vec<_>>()));
    }
    lines.extend(state.problems().map(|(about, why)| format!("{about} {why}")));
    lines.extend(state.unfinished_renames().map(|(new, old)| format!("{new} was {old}")));
    lines.extend(state.buckets().map(|bucket| format!("{} of {}", bucket.name, bucket.account)));
    lines
}

/// Every order of these, by Heap's algorithm.
fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = items.split_first() else { return vec![Vec::new()] };
    let insert = |order: Vec<T>| {
        (0..=order.len()).map(move |place| {
            let mut order = order.clone();
            order.insert(place, first.clone());
            order
        })
    };
    orders(rest).into_iter().flat_map(|order| insert(order).collect::<Vec<_>>()).collect()
}

#[test]
fn the_order_of_changes_does_not_matter() {
    let group = |members: &[&str], disabled| {
        put_group(GroupRecord {
            name: "g".into(),
            members: names(members),
            attached_policies: names(&["P"]),
            disabled,
            ..GroupRecord::default()
        })
    };
    let bo = UserRecord { name: "bo".into(), credentials: vec![Credential::new("AKA", "t")], ..UserRecord::default() };
    let renamed = Some(Renamed { from: "old".into(), at_s: 5 });
    let new = UserRecord { name: "new".into(), renamed, ..UserRecord::default() };
    let broken = Change::Policy("P".into(), PolicyPlace::BasePrefixed, Some(Err(Unreadable("broken".into()))));
    for changes in [
        vec![put_user(al()), put_policy("P", PolicyPlace::Api, GET), group(&["al"], false)],
        vec![put_user(al()), put_policy("P", PolicyPlace::Api, GET), broken],
        vec![put_policy("P", PolicyPlace::Api, GET), put_policy("P", PolicyPlace::Base, PUT), put_user(al())],
        vec![put_user(al()), put_user(bo.clone()), group(&["al", "bo"], true)],
        vec![put_user(al()), put_user(bo), put_user(UserRecord { name: "cy".into(), ..al() })],
        vec![put_user(new), put_user(UserRecord { name: "old".into(), ..UserRecord::default() })],
        vec![put_user(UserRecord { name: "AL".into(), ..al() }), put_user(al()), group(&["AL", "al"], false)],
        vec![
            put_inline(Holder::User("al".into()), "I", GET),
            put_user(UserRecord { actions: names(&["Admin"]), ..al() }),
            shared(&format!(r#"{{"inlinePolicies":{{"al":{{"I":{PUT}}}}}}}"#)),
            put_policy("P", PolicyPlace::Api, GET),
        ],
        each().into_iter().take(6).collect(),
    ] {
        let want = described(&empty().apply(changes.clone()));
        for order in orders(&changes) {
            assert_eq!(described(&empty().apply(order.clone())), want, "together: {order:?}");
            let one_by_one = order.iter().fold(empty(), |state, change| state.apply([change.clone()]));
            assert_eq!(described(&one_by_one), want, "one by one: {order:?}");
        }
    }
}

#[test]
fn what_is_removed_leaves_nothing_behind() {
    let (none, all) = (empty(), empty().apply(each()));
    for change in each() {
        assert_eq!(described(&none.apply([change.clone(), removed(&change)])), described(&none), "{change:?}");
        assert_eq!(described(&none.apply([removed(&change)])), described(&none), "it never was: {change:?}");
        let again = all.apply([removed(&change)]).apply([change.clone()]);
        assert_eq!(described(&again), described(&all), "removed and put again: {change:?}");
        assert_eq!(described(&all.apply([change.clone()])), described(&all), "put twice: {change:?}");
    }
    for changes in [each(), each().into_iter().rev().collect()] {
        let gone = changes.iter().fold(all.clone(), |state, change| state.apply([removed(change)]));
        assert_eq!(described(&gone), described(&none));
        assert!(!gone.has_identities() && gone.holders_of("P").is_empty() && gone.groups_naming("al").is_empty());
    }
}

#[test]
fn what_cannot_be_read_is_a_problem_until_it_can() {
    let all = empty().apply(each());
    for (change, about) in each().into_iter().zip([
        "user `al`",
        "service account `sa:al:1`",
        "group `g`",
        "policy `P`",
        "role `R`",
        "inline policy `I` of user `al`",
        "/etc/iam/policies.json",
        format!("OIDC provider `{}`", OidcProvider::file_stem(ARN)).as_str(),
        "OIDC keys `keys`",
        format!("revocation of sessions `{}`", Revocation::file_stem("role:r")).as_str(),
        "instance profile `web`",
        "MFA device `b0`",
        "alias of account `000000000000`",
    ]) {
        let broken = all.apply(unreadable(&change));
        let why = super::problem(&broken, about)
            .unwrap_or_else(|| panic!("{about}: {:?}", broken.problems().collect::<Vec<_>>()));
        assert!(why.contains("cannot be read") && why.contains("broken"), "{about}: {why}");
        assert_eq!(broken.problems().count(), all.problems().count() + 1, "{about}");
        assert_eq!(described(&broken.apply([change.clone()])), described(&all), "{about} can be read again");
        assert_eq!(
            described(&broken.apply([removed(&change)])),
            described(&all.apply([removed(&change)])),
            "{about} is gone"
        );
    }
}

#[test]
fn what_cannot_be_read_denies() {
    let all = empty().apply(each());
    let broken = |place: usize| all.apply(each().get(place).and_then(unreadable));
    let denies = |state: &Snapshot| {
        let al = state.user("al").unwrap();
        al.policies.iter().filter(|policy| policy.unreadable_reason().is_some()).count()
    };
    assert_eq!(denies(&all), 0);
    assert!(broken(0).user("al").is_none() && broken(0).access_key("AKA").is_none(), "a user has no keys");
    assert!(broken(0).access_key("AKS").is_none(), "nor have its service accounts");
    assert!(broken(1).service_account("sa:al:1").is_none() && broken(1).access_key("AKS").is_none());
    assert_eq!(denies(&broken(3)), 2, "a policy denies those it is attached to, and members of their groups");
    assert!(broken(3).role("R").unwrap().boundary.as_ref().unwrap().unreadable_reason().is_some(), "and as boundary");
    assert!(broken(4).role("R").is_none() && broken(4).role_by_arn("arn:aws:iam::role/R").is_none());
    assert_eq!(denies(&broken(5)), 1, "an inline policy denies its user");
    let trust = RoleRecord { name: "R".into(), trust_policy: "{".into(), ..RoleRecord::default() };
    let role = all.apply([Change::Role("R".into(), RolePlace::Base, Some(Ok(trust)))]);
    assert!(
        role.role("R").unwrap().trust.unreadable_reason().is_some_and(|why| why.contains("trust policy of role `R`"))
    );
    for (text, readable) in
        [(GET, true), ("", false), ("{", false), ("{}", false), (r#"{"Version":"2012-10-17"}"#, false)]
    {
        let state = all.apply([put_policy("P", PolicyPlace::Api, text)]);
        assert_eq!(state.policy("P").unwrap().compiled.unreadable_reason().is_none(), readable, "{text}");
        assert_eq!(denies(&state), if readable { 0 } else { 2 }, "{text}");
    }
}

#[test]
fn the_file_name_of_an_unreadable_document_is_taken() {
    let state = empty().apply(each().iter().filter_map(unreadable));
    for (key, taken) in [
        (DocumentKey::User("al".into()), true),
        (DocumentKey::Group("g".into()), true),
        (DocumentKey::Role("R".into()), true),
        (DocumentKey::Policy("P".into()), true),
        (DocumentKey::InstanceProfile("web".into()), true),
        (DocumentKey::User("g".into()), false),
        (DocumentKey::Group("al".into()), false),
        (DocumentKey::AccountAlias("000000000000".into()), false),
        (DocumentKey::WeedPolicies, false),
    ] {
        assert_eq!(state.is_taken(&key), taken, "{key:?}");
    }
}

#[test]
fn names_are_taken_whatever_their_case() {
    let spelled = |name: &str| put_user(UserRecord { name: name.into(), ..UserRecord::default() });
    let two = empty().apply([spelled("Al"), spelled("AL"), spelled("bo")]);
    for (name, taken, spellings) in
        [("al", true, 2), ("AL", true, 2), ("aL", true, 2), ("bo", true, 1), ("cy", false, 0)]
    {
        let key = DocumentKey::User(name.into());
        assert_eq!((two.is_taken(&key), two.count_ignoring_case(&key)), (taken, spellings), "{name}");
    }
    let one = two.apply([Change::User("AL".into(), None)]);
    assert_eq!(one.count_ignoring_case(&DocumentKey::User("al".into())), 1);
    assert!(!one.apply([Change::User("Al".into(), None)]).is_taken(&DocumentKey::User("al".into())));
    assert_eq!(two.count_ignoring_case(&DocumentKey::WeedPolicies), 0, "it has no name");
}

#[test]
fn a_rename_is_unfinished_until_the_new_name_forgets_the_old_one() {
    let user = |renamed: Option<&str>| {
        let renamed = renamed.map(|from| Renamed { from: from.into(), at_s: 5 });
        put_user(UserRecord { name: "new".into(), renamed, ..UserRecord::default() })
    };
    let group = |renamed: Option<&str>| {
        let renamed = renamed.map(|from| Renamed { from: from.into(), at_s: 5 });
        put_group(GroupRecord { name: "new".into(), renamed, ..GroupRecord::default() })
    };
    for (changes, want) in [
        (vec![user(None)], vec![]),
        (vec![user(Some("old"))], vec!["user `new` was old"]),
        (vec![user(Some("old")), user(Some("older"))], vec!["user `new` was older"]),
        (vec![user(Some("old")), user(None)], vec![]),
        (vec![user(Some("old")), Change::User("new".into(), None)], vec![]),
        (vec![user(Some("old")), Change::User("new".into(), Some(Err(Unreadable("broken".into()))))], vec![]),
        (vec![user(Some("old")), Change::User("old".into(), None)], vec!["user `new` was old"]),
        (vec![group(Some("old")), user(Some("old"))], vec!["user `new` was old", "group `new` was old"]),
        (vec![group(Some("old")), group(None)], vec![]),
    ] {
        let state = empty().apply(changes.clone());
        let found: Vec<String> = state.unfinished_renames().map(|(new, old)| format!("{new} was {old}")).collect();
        assert_eq!(found, want, "{changes:?}");
    }
}

#[test]
fn an_owner_that_is_no_account_belongs_to_the_default_account() {
    let settings = Settings { account: "111122223333".parse().unwrap(), ..Settings::default() };
    for (owner, account) in
        [("444455556666", "444455556666"), ("al", "111122223333"), ("", "111122223333"), ("12", "111122223333")]
    {
        let bucket = Change::Bucket("b1x".into(), Some(Arc::new(Bucket::new("b1x", owner, 7))));
        let state = Snapshot::new(settings.clone(), &Identities::default()).apply([bucket]);
        assert_eq!(state.bucket("b1x").unwrap().account.as_str(), account, "{owner}");
    }
}

#[test]
fn revisions_only_increase() {
    let first = empty();
    assert_eq!(first.revision(), 0);
    let second = first.apply([]);
    assert_eq!((second.revision(), second.apply(each()).revision()), (1, 2), "one for each call, whatever it brings");
    for (state, previous, want) in [(&first, &second, 2), (&second, &first, 1), (&second, &second, 2)] {
        assert_eq!(state.clone().following(previous).revision(), want);
    }
}

/// Whatever comes first: the bucket or the block of its account.
#[test]
fn the_block_of_an_account_counts_for_its_buckets() {
    let of = |account: &str, block| AccountPublicAccessBlock {
        account: account.into(),
        block,
        ..AccountPublicAccessBlock::default()
    };
    let set = |account: &str, block| Change::AccountPublicAccessBlock(account.into(), Some(Ok(of(account, block))));
    let bucket = |name: &str, owner: &str, own| {
        let bucket = Bucket { public_access_block: own, ..Bucket::new(name, owner, 7) };
        Change::Bucket(name.into(), Some(Arc::new(bucket)))
    };
    let policy = PublicAccessBlock { block_public_policy: true, ..PublicAccessBlock::default() };
    let acls = PublicAccessBlock { ignore_public_acls: true, ..PublicAccessBlock::default() };
    let both = PublicAccessBlock { block_public_policy: true, ..acls };
    let shown = |state: &Snapshot, name: &str| state.bucket(name).unwrap().public_access_block();
    let state =
        empty().apply([bucket("named", "al", Some(policy)), set("000000000000", acls), bucket("late", "", None)]);
    assert_eq!((shown(&state, "named"), shown(&state, "late")), (both, acls));
    let state = state.apply([bucket("foreign", "111122223333", None), set("000000000000", PublicAccessBlock::ALL)]);
    assert_eq!(shown(&state, "named"), PublicAccessBlock::ALL);
    assert_eq!(shown(&state, "foreign"), PublicAccessBlock::default(), "another account");
    // What cannot be read blocks everything.
    let broken = Some(Err(Unreadable("broken".into())));
    let state = state.apply([Change::AccountPublicAccessBlock("111122223333".into(), broken)]);
    assert_eq!((shown(&state, "foreign"), state.counts().problems), (PublicAccessBlock::ALL, 1));
    let gone = |account: &str| Change::AccountPublicAccessBlock(account.into(), None);
    let state = state.apply([gone("111122223333"), gone("000000000000")]);
    assert_eq!((shown(&state, "named"), shown(&state, "late")), (policy, PublicAccessBlock::default()));
    assert_eq!((shown(&state, "foreign"), state.counts().problems), (PublicAccessBlock::default(), 0));
}
