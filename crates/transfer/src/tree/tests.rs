use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::tests::{GET, snapshot, world};
use crate::{Step, key_of, step};

const DENY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}"#;
const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;

/// A tree of one file with these kinds.
fn tree(parts: &str) -> Tree {
    Tree::from_json(&format!(r#"{{"format":"{FORMAT}","version":1,{parts}}}"#)).unwrap()
}

fn found(parts: &str) -> Found {
    let buckets = BTreeSet::from(["reef".to_owned()]);
    Found { tree: tree(parts), account: "000000000000".to_owned(), buckets, ..Found::default() }
}

fn in_words(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().map(|step| format!("{} {}", step.word, step.what));
    let extra = plan.extra.iter().map(|what| format!("extra {what}"));
    let refused = plan.refused.iter().map(|refused| format!("refused {}", refused.what));
    steps.chain(extra).chain(refused).collect()
}

fn refusal(files: &[(&str, &str)]) -> String {
    let mut all = BTreeMap::from([(MARKER.to_owned(), format!(r#"{{"format":"{FORMAT}","version":1}}"#))]);
    all.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    Tree::from_files(&all, &BTreeSet::new()).unwrap_err().to_string()
}

#[test]
fn a_tree_is_written_and_read_in_both_forms() {
    let (tree, notes) = Tree::of(&snapshot(world()));
    assert!(notes.iter().any(|note| note.contains("user `bo` has actions of SeaweedFS (Read:b)")), "{notes:?}");
    let files = tree.to_files();
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "groups/g.json",
            "instanceProfiles/web.json",
            "kelpgate-iam.json",
            "oidcProviders/idp.example.json",
            "policies/C.json",
            "policies/P.json",
            "roles/R.json",
            "users/al.json",
            "users/bo.json"
        ]
    );
    assert_eq!(
        files["users/al.json"].split_whitespace().collect::<String>(),
        format!(
            r#"{{"boundary":"P","inlinePolicies":{{"i":{}}},"path":"/x/","policies":["P"],"tags":{{"k":"v"}}}}"#,
            sorted(GET)
        )
    );
    let directories = Kind::ALL.map(|kind| kind.directory().to_owned()).into();
    assert_eq!(Tree::from_files(&files, &directories).unwrap(), tree);
    assert_eq!(Tree::from_json(&tree.to_json()).unwrap(), tree);
    for secret in ["AKA", "AKS", "secret", "credential"] {
        assert!(!tree.to_json().contains(secret), "{secret}: {}", tree.to_json());
    }
}

fn sorted(text: &str) -> String {
    Document::of(text).unwrap().text()
}

#[test]
fn an_import_of_a_tree_changes_what_differs_alone() {
    let here = snapshot(world());
    let (mut tree, _) = Tree::of(&here);
    let differing = |tree: &Tree| -> Vec<String> {
        let bundle = tree.bundle(&here);
        assert_eq!(bundle.refused, []);
        let stored = |change: &iam::Change| -> Vec<iam::Change> {
            world().into_iter().filter(|stored| key_of(stored) == key_of(change)).collect()
        };
        let steps = bundle.changes.iter().filter_map(|change| match step(change, &stored(change)) {
            Step::Unchanged => None,
            Step::Update(_, parts, _) => Some(format!("{} {}", crate::DocumentName(change), parts.join(","))),
            other => Some(format!("{other:?}")),
        });
        steps.collect()
    };
    assert_eq!(differing(&tree), Vec::<String>::new());
    tree.kinds.get_mut(&Kind::User).unwrap().get_mut("al").unwrap().disabled = true;
    assert_eq!(differing(&tree), ["user `al` disabled"], "its keys, ids and dates stay");
}

#[test]
fn plans() {
    let policy = |name: &str, text: &str| format!(r#""{name}":{{"document":{text}}}"#);
    let both = |a: String| (a.clone(), a);
    for (wanted, have, prune, want) in [
        // The same, in another layout.
        (r#""users":{"al":{"path":"/"}}"#.to_owned(), r#""users":{"al":{}}"#.to_owned(), true, vec![]),
        // Restrictions come first; an entity has its boundary from the beginning.
        (
            format!(r#""policies":{{{},{}}},"users":{{"al":{{"policies":["A","D"],"boundary":"A","disabled":true}}}}"#, policy("A", GET), policy("D", DENY)),
            r#""users":{}"#.to_owned(),
            false,
            vec![
                "create policy `A`",
                "create policy `D`",
                "create user `al`",
                "update user `al`: disabled",
                "create user `al`: attachment of policy `D`",
                "create user `al`: attachment of policy `A`",
            ],
        ),
        // What allows goes before what denies.
        (
            r#""users":{"al":{}}"#.to_owned(),
            format!(r#""users":{{"al":{{"inlinePolicies":{{"a":{DENY},"b":{GET}}},"boundary":"P","tags":{{"k":"v"}}}}}}"#),
            false,
            vec![
                "remove user `al`: inline policy `b`",
                "remove user `al`: tags",
                "remove user `al`: boundary",
                "remove user `al`: inline policy `a`",
            ],
        ),
        // Without pruning nothing is deleted, and a kind that is absent is left alone with it.
        (r#""users":{}"#.to_owned(), r#""users":{"eve":{}},"groups":{"g":{}}"#.to_owned(), false, vec!["extra user `eve`"]),
        (
            r#""users":{}"#.to_owned(),
            r#""users":{"eve":{}},"groups":{"g":{"members":["eve"]}}"#.to_owned(),
            true,
            vec!["remove user `eve`: membership in group `g`", "delete user `eve`"],
        ),
        // Holders go before what they hold.
        (
            r#""users":{},"groups":{},"policies":{}"#.to_owned(),
            format!(r#""users":{{"eve":{{"policies":["P"]}}}},"groups":{{"g":{{"members":["eve"]}}}},"policies":{{{}}}"#, policy("P", GET)),
            true,
            vec![
                "remove group `g`: member `eve`",
                "delete group `g`",
                "remove user `eve`: attachment of policy `P`",
                "delete user `eve`",
                "delete policy `P`",
            ],
        ),
        // What cannot be done is refused before anything is.
        (r#""users":{"Al":{}}"#.to_owned(), r#""users":{"al":{}}"#.to_owned(), false, vec!["refused user `Al`"]),
        (r#""users":{"al":{"policies":["none"]}}"#.to_owned(), r#""users":{}"#.to_owned(), false, vec!["refused user `al`"]),
        (r#""groups":{"g":{"members":["none"]}}"#.to_owned(), r#""users":{}"#.to_owned(), false, vec!["refused group `g`"]),
        (
            format!(r#""roles":{{"R":{{"path":"/x/","trustPolicy":{TRUST}}}}}"#),
            format!(r#""roles":{{"R":{{"trustPolicy":{TRUST}}}}}"#),
            false,
            vec!["refused role `R`"],
        ),
        (
            format!(r#""roles":{{"sts-claim-based":{{"trustPolicy":{TRUST}}}}}"#),
            r#""users":{}"#.to_owned(),
            false,
            vec!["refused role `sts-claim-based`"],
        ),
        (
            r#""bucketPolicies":{"none":{"document":{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::none/*"}}}}"#.to_owned(),
            r#""users":{}"#.to_owned(),
            false,
            vec!["refused policy of bucket `none`"],
        ),
    ] {
        assert_eq!(in_words(&tree(&wanted).plan(&found(&have), prune)), want, "{wanted}");
    }
    let (wanted, have) = both(format!(r#""policies":{{{}}}"#, policy("P", GET)));
    let mut full = found(&have);
    full.old_versions.insert("P".into(), vec!["v1".into(), "v2".into(), "v3".into(), "v4".into()]);
    assert_eq!(in_words(&tree(&wanted).plan(&full, false)), Vec::<String>::new());
    let changed = tree(&format!(r#""policies":{{{}}}"#, policy("P", DENY)));
    assert_eq!(
        in_words(&changed.plan(&full, false)),
        ["remove policy `P`: version v1, to make room", "update policy `P`: document"]
    );
}

#[test]
fn nobody_saws_off_the_branch() {
    let mut state = found(r#""users":{"me":{},"static":{}}"#);
    state.user = Some("me".to_owned());
    state.of_files.insert((Kind::User, "static".to_owned()));
    for (wanted, want) in [
        (r#""users":{"static":{}}"#, "refused user `static`: a file"),
        (r#""users":{"me":{"disabled":true}}"#, "refused user `me`: it signs"),
        (r#""users":{}"#, "refused user `me`: it signs"),
    ] {
        let plan = tree(wanted).plan(&state, true);
        let told = plan.refused.iter().map(|refused| format!("refused {}: {}", refused.what, refused.why));
        assert!(told.clone().any(|told| told.starts_with(want)), "{wanted}: {:?}", told.collect::<Vec<_>>());
    }
}

#[test]
fn keys_of_a_user_go_before_everything_that_limits_it() {
    let mut state = found(&format!(r#""users":{{"eve":{{"inlinePolicies":{{"d":{DENY}}}}},"al":{{}}}}"#));
    let keys = Keys { access_keys: vec!["AKIA1".into()], service_accounts: vec!["sa:eve:1".into()] };
    state.keys.insert("eve".into(), keys);
    let plan = tree(r#""users":{"al":{"tags":{"k":"v"}}}"#).plan(&state, true);
    assert_eq!(
        in_words(&plan),
        [
            "remove user `eve`: access key `AKIA1`",
            "delete service account `sa:eve:1`",
            "update user `al`: tags",
            "remove user `eve`: inline policy `d`",
            "delete user `eve`",
        ]
    );
    assert_ne!(plan.id(), tree(r#""users":{"al":{}}"#).plan(&state, true).id(), "another plan has another id");
}

#[test]
fn trees_that_are_refused() {
    for (path, text, want) in [
        ("users/../../etc/passwd.json", "{}", "not a file of a tree"),
        ("users/..json", "{}", "not a file of a tree"),
        ("users/..%2F..%2Fx.json", "{}", "not a file of a tree"),
        ("users/%2E.%2F..%2Fx.json", "{}", "`../../x` is not a name"),
        ("users/%2e%2E.json", "{}", "not a file of a tree"),
        ("users/%2E..json", "{}", "`..` is not a name"),
        ("users/a%00b.json", "{}", "is not a name"),
        ("users/a%62.json", "{}", "called `users/ab.json`"),
        ("users/.al.json", "{}", "called `users/%2Eal.json`"),
        ("users/al.JSON", "{}", "not a file of a tree"),
        ("users/al.json.bak", "{}", "not a file of a tree"),
        ("user/al.json", "{}", "no such directory"),
        ("al.json", "{}", "at the top"),
        ("oidcProviders/idp%2F..%2Fx.json", "{}", "is not a provider"),
        ("bucketPolicies/A_B.json", "{}", "not a bucket name"),
        ("users/al.json", "{", "line 1"),
        ("users/al.json", "[]", "expected an object"),
        ("users/al.json", r#"{"path":"/","path":"/x/"}"#, "twice"),
        ("users/al.json", r#"{"path":"x"}"#, "is not a path"),
        ("users/al.json", r#"{"credentials":[{"secretKey":"c4nary"}]}"#, "never part of it"),
        ("users/al.json", r#"{"accessKeys":["c4nary"]}"#, "never part of it"),
        ("users/al.json", r#"{"secret":"c4nary"}"#, "never part of it"),
        ("users/al.json", r#"{"polices":["P"]}"#, "`polices` is unknown"),
        ("users/al.json", r#"{"policies":["a/b"]}"#, "neither the name"),
        ("users/al.json", r#"{"tags":{"Team":"a","team":"b"}}"#, "twice"),
        ("users/al.json", r#"{"inlinePolicies":{"../p":{}}}"#, "not a policy name"),
        (
            "users/al.json",
            r#"{"inlinePolicies":{"p":{"Version":"2012-10-17","Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}}}"#,
            "Effect",
        ),
        ("roles/R.json", "{}", "`trustPolicy` is missing"),
        ("policies/P.json", "{}", "`document` is missing"),
        ("roles/R.json", r#"{"maxSessionDuration":60}"#, "out of range"),
    ] {
        let told = refusal(&[(path, text)]);
        assert!(told.contains(want) && told.contains(path.split('/').next().unwrap()), "{path} {text}: {told}");
        assert!(!told.contains("c4nary"), "a secret is not shown: {told}");
    }
    let twice = refusal(&[("users/al.json", "{}"), ("users/AL.json", "{}")]);
    assert!(twice.contains("`AL` and `al` are one name"), "{twice}");
    assert!(Tree::from_files(&BTreeMap::new(), &BTreeSet::new()).unwrap_err().to_string().contains("missing"));
    for (text, want) in [
        (r#"{"version":1}"#, "`format` is missing"),
        (r#"{"format":"kelpgate-iam","version":1}"#, "not a tree"),
        (r#"{"format":"kelpgate-iam-tree","version":2}"#, "version 2"),
        (r#"{"format":"kelpgate-iam-tree","version":1,"user":{}}"#, "`user` is unknown"),
    ] {
        let told = Tree::from_json(text).unwrap_err().to_string();
        assert!(told.contains(want), "{text}: {told}");
    }
}

#[test]
fn names_are_file_names_and_back() {
    for (name, want) in [
        ("al", "al.json"),
        (".al", "%2Eal.json"),
        ("a.b_+=,@-", "a.b_+=,@-.json"),
        ("idp.example/realm", "idp.example%2Frealm.json"),
        ("idp:8443", "idp%3A8443.json"),
    ] {
        assert_eq!(write::file_name(name), want);
    }
}

#[test]
fn the_schema_has_the_fields_of_the_files() {
    let schema: Value = serde_json::from_str(include_str!("../../../../docs/iam-tree.schema.json")).unwrap();
    let fields =
        |value: &Value| -> BTreeSet<String> { value["properties"].as_object().unwrap().keys().cloned().collect() };
    let mut top = fields(&schema);
    for known in ["$schema", "format", "version", "accountAlias"] {
        assert!(top.remove(known), "{known}");
    }
    assert_eq!(top, Kind::ALL.map(|kind| kind.directory().to_owned()).into());
    for kind in Kind::ALL {
        let of_kind = &schema["$defs"][kind.directory()];
        let mut of_kind_fields = fields(of_kind);
        assert!(of_kind_fields.remove("$schema") && of_kind["additionalProperties"] == false, "{kind:?}");
        assert_eq!(of_kind_fields, kind.fields().iter().map(|field| (*field).to_owned()).collect(), "{kind:?}");
        let reference = format!("#/$defs/{}", kind.directory());
        assert_eq!(schema["properties"][kind.directory()]["additionalProperties"]["$ref"], reference);
    }
}
