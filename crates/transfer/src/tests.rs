use std::collections::BTreeMap;

use super::*;
use iam::{
    AccountAlias, AccountPublicAccessBlock, GroupRecord, Holder, Identities, InstanceProfile, OidcProvider,
    PolicyPlace, RolePlace, RoleRecord, ServiceAccount, Settings, Snapshot, UserRecord,
};
use iam_formats::{Facts, StoredDocument, weed_policies};

pub(crate) const GET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;
const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;
const BAD: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Action":"s3:*","Resource":"*"}]}"#;

fn facts(text: &str) -> Facts {
    Facts::parse(text).unwrap()
}

fn user(text: &str, facts: Facts) -> Change {
    let user = UserRecord::parse(text, facts).unwrap();
    Change::User(user.name.as_str().into(), Some(Ok(user)))
}

fn policy<T: StoredDocument>(text: &str) -> Option<iam::Read<T>> {
    Some(Ok(T::parse(text, facts(r#"{"version":3,"description":"d"}"#)).unwrap()))
}

pub(crate) fn world() -> Vec<Change> {
    let group = GroupRecord::parse(r#"{"name":"g","members":["al"],"policy_names":["P"]}"#, Facts::default()).unwrap();
    let role = format!(
        r#"{{"roleName":"R","trustPolicy":{},"attachedPolicies":["P"]}}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#
    );
    let role = RoleRecord::parse(&role, Facts::default()).unwrap();
    let account =
        r#"{"id":"sa:al:01","parent_user":"al","credential":{"access_key":"AKS","secret_key":"t"},"expiration":9}"#;
    let account = ServiceAccount::parse(account, Facts::default()).unwrap();
    let provider = r#"{"arn":"arn:aws:iam::000000000000:oidc-provider/idp.example","url":"https://idp.example","clientIds":["app"],
        "createdAt":"2026-01-31T12:00:00Z","updatedAt":"2026-01-31T12:00:00Z","policyClaim":"groups"}"#;
    let provider = OidcProvider::parse(provider, facts(r#"{"id":"x"}"#)).unwrap();
    let profile = r#"{"name":"web","id":"AIPA1","account":"000000000000","path":"/","roles":["R"],"created":5}"#;
    let profile = InstanceProfile::parse(profile, Facts::default()).unwrap();
    let alias = AccountAlias::parse(r#"{"account":"000000000000","alias":"reef"}"#, Facts::default()).unwrap();
    let block = r#"{"account":"000000000000","block":"BlockPublicAcls"}"#;
    let block = AccountPublicAccessBlock::parse(block, Facts::default()).unwrap();
    vec![
        Change::Policy("P".into(), PolicyPlace::Api, policy(GET)),
        Change::Policy("C".into(), PolicyPlace::BasePrefixed, policy(GET)),
        Change::Inline(Holder::User("al".into()), "i".into(), policy(GET)),
        Change::Inline(Holder::Role("R".into()), "i".into(), policy(GET)),
        Change::Group("g".into(), Some(Ok(group))),
        Change::Role("R".into(), RolePlace::Base, Some(Ok(role))),
        user(
            r#"{"name":"al","credentials":[{"access_key":"AKA","secret_key":"s"}],"policy_names":["P"],"tags":[{"key":"k","value":"v"}]}"#,
            facts(r#"{"boundary":"P","created":5,"id":"AIDA1","path":"/x/"}"#),
        ),
        user(r#"{"name":"bo","actions":["Read:b"]}"#, Facts::default()),
        Change::ServiceAccount("sa:al:01".into(), Some(Ok(account))),
        Change::OidcProvider(OidcProvider::file_stem(&provider.arn), Some(Ok(provider))),
        Change::InstanceProfile("web".into(), Some(Ok(profile))),
        Change::AccountAlias("000000000000".into(), Some(Ok(alias))),
        Change::AccountPublicAccessBlock("000000000000".into(), Some(Ok(block))),
    ]
}

pub(crate) fn snapshot(changes: Vec<Change>) -> Snapshot {
    let settings = Settings { role_place: RolePlace::Base, ..Settings::default() };
    Snapshot::new(settings, &Identities::default()).apply(changes)
}

fn read(text: &str) -> Bundle {
    from_json(text, &|_| None).unwrap()
}

fn names(bundle: &Bundle) -> Vec<String> {
    let mut names: Vec<String> = bundle.changes.iter().map(|change| DocumentName(change).to_string()).collect();
    names.sort();
    names
}

fn refused(bundle: &Bundle) -> Vec<String> {
    let mut names: Vec<String> = bundle.refused.iter().map(|refused| refused.what.clone()).collect();
    names.sort();
    names
}

#[test]
fn an_export_imported_again_gives_the_same_state() {
    let before = snapshot(world());
    let text = Bundle::of(&before).to_json();
    let bundle = read(&text);
    assert_eq!((refused(&bundle), bundle.secrets.clone()), (vec![], Secrets::Plain));
    let after = snapshot(bundle.changes);
    assert_eq!(Bundle::of(&after).to_json(), text);
    let al = after.user("al").unwrap();
    assert_eq!(
        (&*al.arn, al.policies.len()),
        ("arn:aws:iam::000000000000:user/x/al", 3),
        "inline, attached, of the group"
    );
    assert!(al.boundary.is_some() && after.access_key("AKS").is_some());
    assert_eq!(after.oidc_providers().len(), 1);
    assert!(after.instance_profile("web").is_some() && after.account_alias("000000000000").is_some());
    let mut reversed = world();
    reversed.reverse();
    assert_eq!(Bundle::of(&snapshot(reversed)).to_json(), text, "the order of arrival does not matter");
}

#[test]
fn policies_are_written_before_their_holders() {
    let order: Vec<String> =
        Bundle::of(&snapshot(world())).changes.iter().map(|c| DocumentName(c).to_string()).collect();
    let at = |what: &str| order.iter().position(|name| name == what).unwrap();
    for (first, then) in [
        ("policy `P`", "user `al`"),
        ("inline policy `i` of user `al`", "user `al`"),
        ("group `g`", "user `al`"),
        ("inline policy `i` of role `R`", "role `R`"),
        ("user `al`", "service account `sa:al:01`"),
    ] {
        assert!(at(first) < at(then), "{first} before {then}: {order:?}");
    }
}

#[test]
fn secrets_are_left_out_on_request() {
    let mut bundle = Bundle::of(&snapshot(world()));
    bundle.leave_secrets_out();
    let text = bundle.to_json();
    assert!(!text.contains(r#""secret_key": "s""#) && text.contains(r#""secrets": "none""#), "{text}");
    let bundle = read(&text);
    // If the key is known here, the stored secret stays. If not, the key is left out with a note.
    for change in &bundle.changes {
        match step(change, &world().into_iter().filter(|stored| key_of(stored) == key_of(change)).collect::<Vec<_>>()) {
            Step::Unchanged => {}
            other => panic!("{}: {other:?}", DocumentName(change)),
        }
    }
    let al = bundle.changes.iter().find(|change| matches!(change, Change::User(name, _) if &**name == "al")).unwrap();
    let Step::Create(Change::User(_, Some(Ok(created))), notes) = step(al, &[]) else { panic!("it is new") };
    assert!(created.credentials.is_empty() && notes.len() == 1 && notes[0].contains("AKA"), "{notes:?}");
}

#[test]
fn inline_policies_of_seaweedfs_become_ours_without_their_projected_actions() {
    let weed = format!(r#"{{"inlinePolicies":{{"al":{{"w":{GET}}}}}}}"#);
    let before = snapshot(vec![
        user(r#"{"name":"al","actions":["Admin"]}"#, Facts::default()),
        Change::WeedPolicies(Some(Ok(weed_policies::parse(&weed, None).unwrap()))),
    ]);
    let after = snapshot(read(&Bundle::of(&before).to_json()).changes);
    let sources = |snapshot: &Snapshot| snapshot.user("al").unwrap().sources.clone();
    assert_eq!(sources(&after), sources(&before));
}

#[test]
fn steps() {
    let al = |more: &str, about: &str| user(&format!(r#"{{"name":"al"{more}}}"#), facts(about));
    let managed = |place, text: &str| Change::Policy("P".into(), place, policy(text));
    let in_words = |step: Step| match step {
        Step::Create(..) => "create".to_owned(),
        Step::Update(_, parts, _) => parts.join(","),
        Step::Unchanged => "unchanged".to_owned(),
        Step::Unreadable(_) => "unreadable".to_owned(),
    };
    let spaced = GET.replace(',', " ,\n");
    for (wanted, stored, want) in [
        (al("", "{}"), vec![Change::User("al".into(), None)], "create"),
        (al("", "{}"), vec![al("", "{}")], "unchanged"),
        (al("", "{}"), vec![al("", r#"{"created":7}"#)], "unchanged"),
        (al("", r#"{"path":"/x/"}"#), vec![al("", r#"{"created":7}"#)], "facts"),
        (al(r#","actions":["Read"]"#, "{}"), vec![al(r#","disabled":true"#, "{}")], "actions,disabled"),
        (al("", "{}"), vec![al(r#","kelpgate_nonce":"n""#, "{}")], "unchanged"),
        (al("", "{}"), vec![Change::User("al".into(), Some(Err(iam::Unreadable("no JSON".into()))))], "unreadable"),
        (managed(PolicyPlace::Api, GET), vec![managed(PolicyPlace::Base, &spaced)], "unchanged"),
        (managed(PolicyPlace::Api, GET), vec![managed(PolicyPlace::Base, BAD)], "document"),
    ] {
        assert_eq!(in_words(step(&wanted, &stored)), want, "{wanted:?}\n{stored:?}");
    }
    let stored = [managed(PolicyPlace::Base, BAD)];
    let Step::Update(Change::Policy(_, place, _), ..) = step(&managed(PolicyPlace::Api, GET), &stored) else {
        panic!()
    };
    assert_eq!(place, PolicyPlace::Base, "a policy stays where it is");
}

#[test]
fn seaweedfs_in_both_spellings() {
    let text = format!(
        r#"{{"identities":[
            {{"name":"root","credentials":[{{"accessKey":"AKR","secretKey":"s"}}],"actions":["Admin"]}},
            {{"name":"al","credentials":[{{"access_key":"AKA","secret_key":"s","status":"Inactive"}}],"policyNames":["P"],"account":{{"id":"111122223333"}}}}],
          "accounts":[{{"id":"111122223333","displayName":"Ops"}}],
          "policies":[{{"name":"P","content":{}}},{{"name":"bad/name","document":{GET}}}],
          "groups":[{{"name":"g","members":["al"],"policyNames":["P"]}}],
          "service_accounts":[{{"id":"sa:al:1","parentUser":"al","credential":{{"accessKey":"AKS","secretKey":"s"}}}},
                              {{"id":"sa:nobody:1","parentUser":"nobody"}}]}}"#,
        serde_json::to_string(GET).unwrap()
    );
    let bundle = read(&text);
    assert_eq!(names(&bundle), ["group `g`", "policy `P`", "service account `sa:al:1`", "user `al`"]);
    assert_eq!(refused(&bundle), ["policy `bad/name`", "service account `sa:nobody:1`", "user `root`"]);
    let after = snapshot(bundle.changes);
    assert_eq!(&*after.user("al").unwrap().display_name, "Ops");
    assert!(!after.is_static_user("al"));
}

#[test]
fn holders_whose_permissions_would_differ_are_refused_too() {
    let inline = |kind: &str, holder: &str, text: &str| {
        format!(r#""{kind}":{{"{holder}":{{"i":{{"document":{text}}},"j":{{"document":{GET}}}}}}}"#)
    };
    let user = |name: &str, more: &str| format!(r#""{name}":{{"document":{{"name":"{name}"{more}}}}}"#);
    for (parts, want) in [
        (
            vec![
                format!(r#""inlinePolicies":{{{}}}"#, inline("users", "al", GET)),
                format!(r#""users":{{{}}}"#, user("al", "")),
            ],
            vec![],
        ),
        (
            vec![
                format!(r#""inlinePolicies":{{{}}}"#, inline("users", "al", BAD)),
                format!(r#""users":{{{},{}}}"#, user("al", ""), user("bo", "")),
            ],
            vec!["inline policy `i` of user `al`", "inline policy `j` of user `al`", "user `al`"],
        ),
        (
            vec![
                format!(r#""inlinePolicies":{{{}}}"#, inline("groups", "g", BAD)),
                r#""groups":{"g":{"document":{"name":"g","members":["al"]}}}"#.to_owned(),
                format!(r#""users":{{{},{}}}"#, user("al", ""), user("bo", "")),
                r#""serviceAccounts":{"sa:al:1":{"document":{"id":"sa:al:1","parent_user":"al"}}}"#.to_owned(),
            ],
            vec![
                "group `g`",
                "inline policy `i` of group `g`",
                "inline policy `j` of group `g`",
                "service account `sa:al:1`",
                "user `al`",
            ],
        ),
        (
            vec![format!(
                r#""roles":{{"sts-claim-based":{{"document":{{"roleName":"sts-claim-based","trustPolicy":{TRUST}}}}}}}"#
            )],
            vec!["role `sts-claim-based`"],
        ),
        (
            vec![
                format!(r#""policies":{{"P":{{"document":{BAD}}}}}"#),
                format!(r#""users":{{{},{}}}"#, user("al", r#","policy_names":["P"]"#), user("bo", "")),
            ],
            vec!["policy `P`", "user `al`"],
        ),
    ] {
        let bundle = read(&format!(r#"{{"format":"kelpgate-iam","version":1,{}}}"#, parts.join(",")));
        assert_eq!(refused(&bundle), want, "{parts:?}");
    }
}

#[test]
fn minios_files() {
    let file = |name: &str, text: String| (name.to_owned(), text);
    let policies = format!(
        r#"{{"readonly":{GET},
        "consoleAdmin":{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["admin:*"]}},{{"Effect":"Allow","Action":["kms:*"]}},
            {{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}}]}},
        "diagnostics":{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["admin:TopLocksInfo"],"Resource":["arn:aws:s3:::*"]}}]}}}}"#
    );
    let account = |parent: &str, more: &str| {
        format!(
            r#"{{"parent":"{parent}","accessKey":"x","secretKey":"svc-secret","groups":null,"claims":{{}},"name":"n","description":"d"{more}}}"#
        )
    };
    let accounts = format!(
        r#"{{"ALSVC":{},"NARROW":{},"ORPHAN":{}}}"#,
        account("al", r#","sessionPolicy":null,"status":"on","expiration":"2030-01-01T00:00:00Z""#),
        account("al", &format!(r#","sessionPolicy":{GET},"status":"on""#)),
        account("minioadmin", r#","sessionPolicy":null,"status":"on","expiration":"1970-01-01T00:00:00Z""#),
    );
    let files = BTreeMap::from([
        file("policies.json", policies),
        file("users.json", r#"{"al":{"secretKey":"al-secret","status":"enabled"},"bo":{"secretKey":"bo-secret","status":"disabled"}}"#.into()),
        file("groups.json", r#"{"devs":{"version":1,"status":"enabled","members":["al"],"updatedAt":"2024-01-01T00:00:00Z"}}"#.into()),
        file("user_mappings.json", r#"{"al":{"version":1,"policy":"readonly,diagnostics","updatedAt":""},"uid=x,dc=y":{"version":1,"policy":"readonly"},"gone":{"version":1,"policy":"readonly"}}"#.into()),
        file("group_mappings.json", r#"{"devs":{"version":1,"policy":"consoleAdmin"},"CN=Ops, ou=groups,dc=y":{"version":1,"policy":"readonly"}}"#.into()),
        file("stsuser_mappings.json", r#"{"sub-1":{"version":1,"policy":"readonly"},"UID=x, dc=y":{"version":1,"policy":"consoleAdmin,diagnostics"},"cn=a\\,b,dc=y":{"version":1,"policy":"diagnostics"}}"#.into()),
        file("svcaccts.json", accounts),
        file("info.json", "{}".into()),
    ]);
    let bundle = from_minio(&files).unwrap();
    let id = |key: &str| format!("sa:al:{}", key.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
    assert_eq!(
        names(&bundle),
        [
            "group `devs`",
            "policy `consoleAdmin`",
            "policy `readonly`",
            &format!("service account `{}`", id("ALSVC")),
            "user `al`",
            "user `bo`"
        ]
    );
    let why =
        bundle.refused.iter().map(|refused| format!("{} {}", refused.what, refused.why)).collect::<Vec<_>>().join("\n");
    for part in ["NARROW", "minioadmin", "`sub-1`", "`gone`"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert_eq!(bundle.refused.len(), 4, "{why}");
    let notes = bundle.notes.join("\n");
    let mapping = r#""policyMapping": {"groups":{"cn=ops,ou=groups,dc=y":["readonly"]},"users":{"uid=x,dc=y":["consoleAdmin","readonly"]}}"#;
    for part in ["`info.json`", "`diagnostics` is only about", "`consoleAdmin`: what it says of admin:*", mapping] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    let after = snapshot(bundle.changes);
    assert_eq!(after.problems().count(), 0, "{:?}", after.problems().collect::<Vec<_>>());
    let key = after.access_key("al").unwrap();
    assert_eq!((key.secret.expose(), &*key.user.name), ("al-secret", "al"));
    assert_eq!(key.user.policies.len(), 2, "readonly, and consoleAdmin of the group");
    assert!(after.user("bo").unwrap().disabled);
    assert_eq!(after.access_key("ALSVC").unwrap().secret.expose(), "svc-secret");
    assert!(after.access_key("ALSVC").unwrap().refusal(1_900_000_000).is_some(), "it has expired by then");
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (text, part) in [
        ("{", "line 1"),
        ("{}", "neither an export of Kelpgate"),
        (r#"{"format":"other"}"#, "expected `kelpgate-iam`"),
        (r#"{"format":"kelpgate-iam","version":2}"#, "version 2"),
        (r#"{"format":"kelpgate-iam","version":1,"wings":{}}"#, "`wings` is unknown"),
        (r#"{"format":"kelpgate-iam","version":1,"users":{"al":{"document":{"name":"bo"}}}}"#, "says `bo` inside"),
        (r#"{"format":"kelpgate-iam","version":1,"users":{"al":{}}}"#, "`document` is missing"),
        (r#"{"format":"kelpgate-iam","version":1,"secrets":"open"}"#, "neither `none` nor `plain`"),
        (r#"{"format":"kelpgate-iam","version":1,"secrets":{"cipher":"ROT13"}}"#, "not supported here"),
        (
            r#"{"format":"kelpgate-iam","version":1,"secrets":{"cipher":"AES-256-GCM","kdf":"PBKDF2-HMAC-SHA256","iterations":0,"salt":"00"}}"#,
            "out of range",
        ),
        (
            r#"{"format":"kelpgate-iam","version":1,"secrets":{"cipher":"AES-256-GCM","kdf":"PBKDF2-HMAC-SHA256","iterations":1,"salt":"+f"}}"#,
            "not hexadecimal",
        ),
        (r#"{"format":"kelpgate-iam","version":1,"policies":{"P":{"place":"moon","document":{}}}}"#, "`moon`"),
    ] {
        let error = from_json(text, &|_| None).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let (file, error) = from_minio(&BTreeMap::from([("users.json".to_owned(), "[]".to_owned())])).unwrap_err();
    assert_eq!((file.as_str(), error.line), ("users.json", 1));
}

#[test]
fn keys_with_public_secrets_are_refused() {
    let files = BTreeMap::from([
        (
            "users.json".to_owned(),
            r#"{"al":{"secretKey":"minioadmin","status":"enabled"},"bo":{"secretKey":"bo-secret","status":"enabled"}}"#
                .to_owned(),
        ),
        (
            "svcaccts.json".to_owned(),
            r#"{"SVC":{"parent":"bo","accessKey":"SVC","secretKey":"minioadmin","status":"on"}}"#.to_owned(),
        ),
    ]);
    let bundle = from_minio(&files).unwrap();
    assert_eq!(names(&bundle), ["user `bo`"]);
    assert_eq!(refused(&bundle), ["service account `sa:bo:535643`", "user `al`"]);
    assert!(bundle.refused.iter().all(|refused| refused.why.contains("MinIO's documentation")), "{:?}", bundle.refused);
}
