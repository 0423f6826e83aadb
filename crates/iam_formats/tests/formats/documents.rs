//! What is in a document stays in it.

use serde_json::Value;

use super::*;

/// A fact of every name, in the order in which they are written.
const ALL_FACTS: &str = r#"{"account":"111122223333","boundary":"B","created":5,"deleting":7,"description":"d","future":{"a":[1]},"holder":"AIDAX","id":"X1","keysCreated":{"AK":7,"GONE":8},"path":"/x/","renamed":9,"renamedFrom":"old","tags":{"k":"v"},"trustIds":{"ids":{"arn":"AIDAY"},"policy":"5f"},"updated":6,"version":3,"versionCreated":8,"versions":{"2":{"created":6,"text":"{}"}},"versionsGiven":4}"#;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_document_with_all_of_its_fields_is_written_as_it_was_read() {
    for (kind, text) in [
        (
            "user",
            r#"{"name":"al","credentials":[{"access_key":"AK","secret_key":"s","status":"Inactive"},{"access_key":"AL","secret_key":"t"}],
                "actions":["Read:b","List"],"account":{"id":"1","display_name":"One","email_address":"a@b"},"disabled":true,
                "service_account_ids":["sa:al:1"],"policy_names":["P","arn:aws:iam:::policy/Q"],"is_static":true,
                "tags":[{"key":"k","value":"v"},{"key":"none"}]}"#,
        ),
        ("group", r#"{"name":"g","members":["al","bo"],"policy_names":["P"],"disabled":true}"#),
        (
            "role",
            r#"{"roleName":"R","roleArn":"arn:aws:iam::role/R","trustPolicy":{"Version":"2012-10-17","Statement":[]},
                "attachedPolicies":["P"],"description":"d","maxSessionDuration":7200}"#,
        ),
        (
            "service account",
            r#"{"id":"sa:al:1","parent_user":"al","description":"d","credential":{"access_key":"AK","secret_key":"s"},
                "actions":["Read"],"expiration":99,"disabled":true,"created_at":5,"created_by":"al"}"#,
        ),
        (
            "provider",
            r#"{"accountId":"111122223333","arn":"a","url":"u","clientIds":["app"],"thumbprints":["00"],"tags":{"k":"v"},
                "createdAt":"2026-01-31T12:00:00Z","updatedAt":"2026-02-01T12:00:00Z"}"#,
        ),
        (
            "profile",
            r#"{"name":"web","id":"AIPA1","account":"1","path":"/a/","roles":["R"],"tags":{"k":"v"},"created":5}"#,
        ),
        ("alias", r#"{"account":"1","alias":"reef"}"#),
    ] {
        let (written, _) = rewritten(kind, text, "").unwrap();
        assert_eq!(value(&written), value(text), "{kind}");
        assert_eq!(rewritten(kind, &written, "").unwrap().0, written, "{kind}: the same bytes");
    }
}

#[test]
fn the_smallest_documents_get_nothing_added() {
    for (kind, text) in SMALLEST {
        let (written, facts) = rewritten(kind, text, "").unwrap();
        assert_eq!((value(&written), facts), (value(text), None), "{kind}");
    }
}

#[test]
fn fields_that_are_not_known_stay() {
    for (kind, text) in SMALLEST {
        for (name, field) in [
            ("zz", r#"{"a":[1,null,"é"]}"#),
            ("zz", "null"),
            ("zz", "18446744073709551615"),
            ("zz", r#""<&>""#),
            ("Name", r#""only the case differs""#),
        ] {
            let text = text.replacen('{', &format!(r#"{{"{name}":{field},"#), 1);
            let (written, _) = rewritten(kind, &text, "").unwrap();
            assert_eq!(value(&written)[name], value(field), "{kind}: {written}");
            assert_eq!(value(&written), value(&text), "{kind}: {written}");
            assert_eq!(rewritten(kind, &written, "").unwrap().0, written, "{kind}");
        }
    }
}

#[test]
fn every_fact_stays_whether_or_not_its_entity_has_a_field_for_it() {
    let user = r#"{"name":"al","credentials":[{"access_key":"AK","secret_key":"s"}]}"#;
    let smallest = SMALLEST.into_iter().filter(|(kind, _)| !matches!(*kind, "profile" | "alias"));
    for (kind, text) in smallest.chain([("user", user), ("policy", "{}"), ("inline policy", "{}")]) {
        let (_, facts) = rewritten(kind, text, ALL_FACTS).unwrap();
        assert_eq!(facts.as_deref(), Some(ALL_FACTS), "{kind} {text}");
        for (name, one) in value(ALL_FACTS).as_object().unwrap() {
            let alone = format!(r#"{{"{name}":{one}}}"#);
            assert_eq!(rewritten(kind, text, &alone).unwrap().1.as_deref(), Some(alone.as_str()), "{kind} {text}");
        }
    }
    for (kind, text) in SMALLEST.into_iter().filter(|(kind, _)| matches!(*kind, "profile" | "alias")) {
        assert_eq!(rewritten(kind, text, ALL_FACTS).unwrap().1, None, "{kind} has no facts");
    }
}

#[test]
fn both_spellings_are_read_and_one_is_written() {
    for (kind, protojson, go) in [
        (
            "user",
            r#"{"name":"al","credentials":[{"accessKey":"AK","secretKey":"s"}],"serviceAccountIds":["sa"],"policyNames":["P"],"isStatic":true,
                "account":{"id":"1","displayName":"One","emailAddress":"a@b"},"tags":{"k":"v"}}"#,
            r#"{"name":"al","credentials":[{"access_key":"AK","secret_key":"s"}],"service_account_ids":["sa"],"policy_names":["P"],"is_static":true,
                "account":{"id":"1","display_name":"One","email_address":"a@b"},"tags":[{"key":"k","value":"v"}]}"#,
        ),
        ("group", r#"{"name":"g","policyNames":["P"]}"#, r#"{"name":"g","policy_names":["P"]}"#),
        (
            "role",
            r#"{"role_name":"R","role_arn":"a","trust_policy":"{\"a\": 1}","attached_policies":["P"],"max_session_duration":"1h"}"#,
            r#"{"roleName":"R","roleArn":"a","trustPolicy":{"a":1},"attachedPolicies":["P"],"maxSessionDuration":3600}"#,
        ),
        (
            "service account",
            r#"{"id":"sa","parentUser":"al","expiration":"99","createdAt":"5","createdBy":"al"}"#,
            r#"{"id":"sa","parent_user":"al","expiration":99,"created_at":5,"created_by":"al"}"#,
        ),
        (
            "provider",
            r#"{"account_id":"1","arn":"a","url":"u","client_ids":["app"]}"#,
            r#"{"accountId":"1","arn":"a","url":"u","clientIds":["app"],"createdAt":"1970-01-01T00:00:00Z","updatedAt":"1970-01-01T00:00:00Z"}"#,
        ),
        ("user", r#"{"name":"al","credentials":null,"account":null,"tags":null,"disabled":null}"#, r#"{"name":"al"}"#),
        ("user", r#"{"name":"al","disabled":false,"actions":[],"tags":[]}"#, r#"{"name":"al"}"#),
        ("role", r#"{"roleName":"R","trustPolicy":{},"maxSessionDuration":0}"#, SMALLEST_ROLE),
    ] {
        let (written, _) = rewritten(kind, protojson, "").unwrap();
        assert_eq!(value(&written), value(go), "{kind} {protojson}");
    }
}

const SMALLEST_ROLE: &str = r#"{"roleName":"R","trustPolicy":{},"attachedPolicies":[]}"#;

#[test]
fn any_text_is_a_policy_because_what_cannot_be_read_denies() {
    for text in ["", "{", "null", "\"text\"", r#"{"Version":"2012-10-17","Statement":[]}"#, " {\n} "] {
        for kind in ["policy", "inline policy"] {
            assert_eq!(rewritten(kind, text, "").unwrap(), (text.to_owned(), None), "{kind}");
        }
    }
}

#[test]
fn facts_are_fields_of_their_entities() {
    let facts = || Facts::parse(ALL_FACTS).unwrap();
    let user =
        r#"{"name":"al","credentials":[{"access_key":"AK","secret_key":"s"},{"access_key":"AL","secret_key":"s"}]}"#;
    let user = UserRecord::parse(user, facts()).unwrap();
    let created: Vec<i64> = user.credentials.iter().map(|key| key.created_s).collect();
    assert_eq!((user.id.as_str(), user.path.as_str(), user.boundary.as_deref()), ("X1", "/x/", Some("B")));
    assert_eq!((user.created_s, user.deleting_s, created), (5, 7, vec![7, 0]));
    assert_eq!(user.renamed.map(|renamed| (renamed.from, renamed.at_s)), Some(("old".to_owned(), 9)));
    let group = GroupRecord::parse(r#"{"name":"g"}"#, facts()).unwrap();
    assert_eq!((group.id.as_str(), group.path.as_str(), group.account.as_str()), ("X1", "/x/", "111122223333"));
    assert_eq!((group.created_s, group.deleting_s, group.renamed.is_some()), (5, 7, true));
    let role = RoleRecord::parse(SMALLEST_ROLE, facts()).unwrap();
    assert_eq!((role.id.as_str(), role.path.as_str(), role.boundary.as_deref()), ("X1", "/x/", Some("B")));
    assert_eq!((role.created_s, role.updated_s, role.deleting_s, role.tags.len()), (5, 6, 7, 1));
    assert!(role.trust_ids.is_some() && role.description.is_empty(), "the description is in the document");
    let policy = PolicyRecord::parse("{}", facts()).unwrap();
    assert_eq!((policy.id.as_str(), policy.path.as_str(), policy.description.as_str()), ("X1", "/x/", "d"));
    assert_eq!((policy.version, policy.version_created_s, policy.versions_given), (3, 8, 4));
    assert_eq!((policy.created_s, policy.updated_s, policy.deleting_s, policy.versions.len()), (5, 6, 7, 1));
    let inline = InlinePolicyRecord::parse("{}", facts()).unwrap();
    assert_eq!((inline.holder_id.as_str(), inline.created_s, inline.updated_s), ("AIDAX", 5, 6));
    for (facts, only_text) in [("{}", true), (r#"{"future":1}"#, false), (r#"{"id":"ANPA1"}"#, false)] {
        let policy = PolicyRecord::parse("{}", Facts::parse(facts).unwrap()).unwrap();
        assert_eq!(policy.is_only_text(), only_text, "{facts}");
    }
}
