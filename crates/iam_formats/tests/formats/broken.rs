//! Documents that a person, a crash or another version has left: nothing in them is lost or read in two ways.

use iam::{Holder, WeedPolicies};
use iam_formats::{ConfigInputs, IamConfig, identities, weed_policies};
use serde_json::Value;

use super::*;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn two_spellings_of_a_key_are_refused() {
    for (kind, text, keys) in [
        ("user", r#"{"name":"al","policy_names":["P"],"policyNames":["Q"]}"#, "`policy_names` and `policyNames`"),
        ("user", r#"{"name":"al","policyNames":["Q"],"policy_names":[]}"#, "`policyNames` and `policy_names`"),
        ("user", r#"{"name":"al","policy_names":null,"policyNames":["Q"]}"#, "`policy_names` and `policyNames`"),
        ("user", r#"{"name":"al","is_static":true,"isStatic":true}"#, "`is_static` and `isStatic`"),
        (
            "user",
            r#"{"name":"al","service_account_ids":[],"serviceAccountIds":[]}"#,
            "`service_account_ids` and `serviceAccountIds`",
        ),
        (
            "user",
            r#"{"name":"al","credentials":[{"access_key":"AK","accessKey":"AL"}]}"#,
            "`access_key` and `accessKey`",
        ),
        (
            "user",
            r#"{"name":"al","credentials":[{"access_key":"AK","secretKey":"s","secret_key":"t"}]}"#,
            "`secretKey` and `secret_key`",
        ),
        (
            "user",
            r#"{"name":"al","account":{"display_name":"A","displayName":"B"}}"#,
            "`display_name` and `displayName`",
        ),
        ("group", r#"{"name":"g","policy_names":[],"policyNames":[]}"#, "`policy_names` and `policyNames`"),
        ("role", r#"{"roleName":"R","role_name":"S","trustPolicy":{}}"#, "`roleName` and `role_name`"),
        ("role", r#"{"roleName":"R","trustPolicy":{},"trust_policy":{}}"#, "`trustPolicy` and `trust_policy`"),
        (
            "role",
            r#"{"roleName":"R","trustPolicy":{},"maxSessionDuration":3600,"max_session_duration":7200}"#,
            "`maxSessionDuration` and `max_session_duration`",
        ),
        ("service account", r#"{"id":"sa","parent_user":"al","parentUser":"bo"}"#, "`parent_user` and `parentUser`"),
        ("service account", r#"{"id":"sa","parent_user":"al","created_at":1,"createdAt":1}"#, "mean the same"),
        ("provider", r#"{"arn":"a","url":"u","clientIds":["x"],"client_ids":["y"]}"#, "`clientIds` and `client_ids`"),
    ] {
        let why = rewritten(kind, text, "").unwrap_err();
        assert!(why.contains(keys) && why.contains("remove one of the two"), "{kind} {text}: {why}");
    }
    let refused = |text: &str| identities::parse(text, &|_| None).unwrap_err().to_string();
    assert!(refused(r#"{"serviceAccounts":[],"service_accounts":[]}"#).contains("mean the same"));
    assert!(refused(r#"{"policies":[{"name":"P","document":{},"content":"{}"}]}"#).contains("mean the same"));
    let inputs = ConfigInputs { filers: &[], generated_key: "" };
    let config = IamConfig::parse(r#"{"policies":[{"name":"P","document":{},"content":"{}"}]}"#, &inputs);
    assert!(config.unwrap_err().to_string().contains("mean the same"));
}

#[test]
fn a_key_that_is_written_with_escapes_is_the_same_key() {
    for (kind, text) in [
        ("user", r#"{"name":"al","\u006eame":"bo"}"#),
        ("user", r#"{"name":"al","disabled":true,"disable\u0064":false}"#),
        ("group", r#"{"name":"g","member\u0073":["al"],"members":[]}"#),
        ("alias", r#"{"account":"1","alias":"reef","\u0061lias":"bay"}"#),
    ] {
        let why = rewritten(kind, text, "").unwrap_err();
        assert!(why.contains("occurs twice here"), "{kind} {text}: {why}");
    }
    let (written, _) = rewritten("user", r#"{"\u006eame":"al","disable\u0064":true}"#, "").unwrap();
    assert_eq!(value(&written), value(r#"{"name":"al","disabled":true}"#));
}

#[test]
fn what_could_not_be_written_again_is_not_read() {
    let deep = format!("{}7{}", "[".repeat(200), "]".repeat(200));
    for (field, why) in [
        ("1e999", "number out of range"),
        (r#""\ud800""#, "hex escape"),
        (r#"{"a":"\udc00"}"#, "hex escape"),
        (deep.as_str(), "recursion limit"),
    ] {
        for (kind, text) in SMALLEST {
            let text = text.replacen('{', &format!(r#"{{"zz":{field},"#), 1);
            let refused = rewritten(kind, &text, "").unwrap_err();
            assert!(refused.contains("`zz`") && refused.contains(why), "{kind} {field:.20}: {refused}");
        }
        let facts = format!(r#"{{"boundary":"B","zz":{field}}}"#);
        let refused = rewritten("user", r#"{"name":"al"}"#, &facts).unwrap_err();
        assert!(refused.contains("`zz`") && refused.contains(why), "facts {field:.20}: {refused}");
        let shared = weed_policies::parse(&format!(r#"{{"zz":{field}}}"#), None).unwrap_err().to_string();
        assert!(shared.contains("`zz`") && shared.contains(why), "policies.json {field:.20}: {shared}");
    }
}

#[test]
fn a_text_that_is_no_text_says_so() {
    for text in [r#"{"name":"\ud800"}"#, r#"{"name":"al","actions":["Read","\udfff"]}"#, r#"{"name":"\ud800\u0041"}"#] {
        let why = rewritten("user", text, "").unwrap_err();
        assert!(why.contains("this is not valid JSON") && !why.contains("not a string"), "{text}: {why}");
    }
    let (written, _) = rewritten("user", r#"{"name":"\ud83d\udc1f"}"#, "").unwrap();
    assert_eq!(value(&written)["name"], "🐟");
}

#[test]
fn what_is_no_document_is_refused_with_its_place() {
    for (text, line, column) in [
        ("", 1, 1),
        ("\u{feff}{\"name\":\"al\"}", 1, 1),
        ("{\"name\":\"al\"}{", 1, 14),
        ("{\"name\":\"al\"}\n\n}", 3, 1),
        ("{\"name\":\"al\",}", 1, 14),
        ("{\n // who\n \"name\":\"al\"}", 2, 2),
        ("{'name':'al'}", 1, 2),
        ("{\"name\":\"a\nl\"}", 1, 10),
        ("{\"name\":\"al\"", 1, 12),
        ("\0", 1, 1),
    ] {
        let error = UserRecord::parse(text, Facts::default()).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
    }
}

#[test]
fn whole_numbers() {
    for (number, want) in [
        ("99", Some(99)),
        (r#""99""#, Some(99)),
        ("-5", Some(-5)),
        ("0", Some(0)),
        ("9223372036854775807", Some(i64::MAX)),
        ("9223372036854775808", None),
        (r#""-9223372036854775808""#, Some(i64::MIN)),
        ("1.0", None),
        ("1e3", None),
        (r#""""#, None),
        (r#"" 1""#, None),
        (r#""1\u0030""#, None),
        ("true", None),
        ("[1]", None),
    ] {
        let text = format!(r#"{{"id":"sa","parent_user":"al","expiration":{number}}}"#);
        let read = ServiceAccount::parse(&text, Facts::default()).map(|account| account.expires_s);
        assert_eq!(read.ok(), want, "{number}");
    }
}

#[test]
fn fields_of_keys_and_accounts_that_are_not_known_stay() {
    let text = r#"{"name":"al","account":{"id":"1","plan":{"a":[1]}},
        "credentials":[{"access_key":"AK","secret_key":"s","expires":"soon"},{"access_key":"AL","secret_key":"t","Status":"x"}]}"#;
    let (written, _) = rewritten("user", text, "").unwrap();
    assert_eq!(value(&written), value(text));
    let account = r#"{"id":"sa","parent_user":"al","credential":{"access_key":"AK","secret_key":"s","zz":null}}"#;
    assert_eq!(value(&rewritten("service account", account, "").unwrap().0), value(account));
    let file =
        r#"{"identities":[{"name":"al","credentials":[{"accessKey":"AK","secretKey":"s","staus":"Inactive"}]}]}"#;
    let found = identities::parse(file, &|_| None).unwrap();
    assert_eq!(
        found.warnings,
        ["line 1, column 86, `identities[0].credentials[0].staus`: this key is unknown and ignored"]
    );
}

/// Texts of policies that cannot be read. They deny, so they must outlive what is written beside them.
const UNREADABLE: [&str; 6] = ["", "{", "{broken}", "7", "[]", "\"{}\""];

#[test]
fn a_trust_policy_that_cannot_be_read_is_not_lost() {
    for text in UNREADABLE.into_iter().filter(|text| !text.is_empty()) {
        let document = format!(r#"{{"roleName":"R","trustPolicy":{},"attachedPolicies":["P"]}}"#, Value::from(text));
        let role = RoleRecord::parse(&document, Facts::default()).unwrap();
        assert_eq!(role.trust_policy, text);
        let again = RoleRecord::parse(&role.to_text(), Facts::default()).unwrap();
        assert_eq!((again.trust_policy.as_str(), again.attached_policies), (text, vec!["P".to_owned()]), "{text}");
    }
    let as_text = r#"{"roleName":"R","trustPolicy":" {\"a\": 1} "}"#;
    let role = RoleRecord::parse(as_text, Facts::default()).unwrap();
    assert_eq!(value(&role.to_text())["trustPolicy"], value(r#"{"a":1}"#), "an object is written as one");
}

#[test]
fn an_inline_policy_that_cannot_be_read_is_not_lost() {
    let (user, name) = (Holder::User("al".into()), "I".into());
    for text in UNREADABLE {
        let stored = Value::from(text);
        let shared = format!(
            r#"{{"policies":{{"M":{stored}}},"inlinePolicies":{{"al":{{"P":{stored}}}}},"groupInlinePolicies":{{"g":{{"P":{stored}}}}}}}"#
        );
        let mut document = weed_policies::parse(&shared, None).unwrap();
        assert!(document.mirror(&user, &name, Some("{}".into())));
        let again = weed_policies::parse(&weed_policies::to_text(&document), None).unwrap();
        let of = |holder: &Holder, policy: &str| again.inline.get(holder)?.get(policy).map(|text| text.to_string());
        assert_eq!(again.managed.get("M").map(|text| &**text), Some(text), "{text}");
        assert_eq!(of(&user, "P").as_deref(), Some(text), "{text}");
        assert_eq!(of(&Holder::Group("g".into()), "P").as_deref(), Some(text), "{text}");
        assert_eq!(of(&user, "I").as_deref(), Some("{}"), "{text}");
    }
}

#[test]
fn the_shared_document_keeps_what_a_newer_seaweedfs_says() {
    let text =
        r#"{"policies":{},"inlinePolicies":{"al":{"P":{"a":1}}},"roleInlinePolicies":{"R":{"P":{"b":"<2>"}}},"zz":7}"#;
    let mut document = weed_policies::parse(text, None).unwrap();
    assert_eq!(value(&weed_policies::to_text(&document)), value(text));
    let group = Holder::Group("g".into());
    assert!(document.mirror(&group, &"I".into(), Some(r#"{"c":3}"#.into())));
    let written = value(&weed_policies::to_text(&document));
    assert_eq!(written["roleInlinePolicies"], value(text)["roleInlinePolicies"]);
    assert_eq!(written["groupInlinePolicies"]["g"]["I"], value(r#"{"c":3}"#));
    assert_eq!(weed_policies::parse("{}", None).unwrap(), WeedPolicies::default());
}

#[test]
fn what_html_would_read_is_escaped_as_go_does() {
    for (name, escaped) in [
        ("a<b", r"a\u003cb"),
        ("a>b", r"a\u003eb"),
        ("a&b", r"a\u0026b"),
        ("a\u{2028}b", r"a\u2028b"),
        ("a\u{2029}b", r"a\u2029b"),
        ("a\\u003cb", r"a\\u003cb"),
        ("é", "é"),
        ("a\"b", r#"a\"b"#),
    ] {
        let user = UserRecord { name: name.to_owned(), ..UserRecord::default() };
        let text = user.to_text();
        assert!(text.contains(&format!("\"name\": \"{escaped}\"")), "{text}");
        assert_eq!(UserRecord::parse(&text, Facts::default()).unwrap().name, name);
    }
}

#[test]
fn one_place_gives_rights_to_the_users_of_a_provider() {
    let provider = |outer: &str, inner: &str| {
        let text = format!(
            r#"{{"providers":[{{"name":"a","type":"oidc",{outer}"config":{{"issuer":"https://a.example","clientId":"x"{inner}}}}}]}}"#
        );
        IamConfig::parse(&text, &ConfigInputs { filers: &[], generated_key: "" }).map_err(|error| error.to_string())
    };
    let (outer, inner) = (r#""roleMapping":{"defaultRole":"R"},"#, r#","roleMapping":{"defaultRole":"S"}"#);
    assert!(provider(outer, "").is_ok() && provider("", inner).is_ok());
    let refused = provider(outer, inner).unwrap_err();
    assert!(refused.contains("roleMapping") && refused.contains("twice"), "{refused}");
}
