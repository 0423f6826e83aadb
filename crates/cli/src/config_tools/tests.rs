//! What `kelpgate config check` says of files.

use std::path::Path;

use super::{Check, Findings, findings};

/// Checks files with these contents. `DIR` in them is the directory in which they are.
fn check(directory: &Path, filer: &str, config: &str, iam_config: &str) -> Findings {
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text.replace("DIR", &directory.display().to_string())).unwrap();
        Some(path)
    };
    let (config, iam_config) = (file("identities.json", config), file("iam.json", iam_config));
    findings(&Check { config, iam_config, filer: filer.to_owned(), config_dir: None, audit_log_config: None })
}

#[test]
fn what_stops_a_start_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    for (settings, wrong) in [
        (r#""audit":{"sinks":[{"type":"file","path":"/nonexist/x.log"}]}"#, "/nonexist/x.log"),
        (r#""audit":{"sinks":[{"type":"file","path":"DIR"}]}"#, "is a directory; name a file"),
        (r#""audit":{"sinks":[{"type":"file","path":"DIR/x.log","signingKeyFile":"/nonexist/k"}]}"#, "/nonexist/k"),
        (r#""audit":{"sinks":[{"type":"webhook","endpoint":"http://a","tokenFile":"/nonexist/t"}]}"#, "/nonexist/t"),
        (
            r#""audit":{"sinks":[{"type":"syslog","address":"a:1","tls":true,"tlsCaCert":"/nonexist/c"}]}"#,
            "/nonexist/c",
        ),
        (r#""audit":{"sinks":[{"type":"fluentd","address":"a:1","queueDir":"/dev/null/q"}]}"#, "/dev/null/q"),
        (r#""traces":{"endpoint":"http://a/v1/traces","tokenFile":"/nonexist/t"}"#, "/nonexist/t"),
        (r#""secretsKeyFile":"/nonexist/k""#, "/nonexist/k"),
    ] {
        let found = check(directory.path(), "", "{}", &format!(r#"{{"kelpgate":{{{settings}}}}}"#));
        assert!(found.errors.iter().any(|error| error.contains(wrong)), "{settings}: {:?}", found.errors);
    }
    let sinks = r#"{"kelpgate":{"audit":{"sinks":[{"type":"file","path":"DIR/x.log"},
        {"type":"fluentd","address":"a:1","queueDir":"DIR/queue/a"}]}}}"#;
    assert_eq!(check(directory.path(), "", "{}", sinks).errors, [""; 0]);
    let mut made: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    made.sort();
    assert_eq!(made, ["iam.json", "identities.json"], "nothing is made");
    let config_dir = Some(directory.path().join("none"));
    let asked = Check { config: None, iam_config: None, filer: String::new(), config_dir, audit_log_config: None };
    let errors = findings(&asked).errors.join("\n");
    assert!(errors.contains("-config_dir: there is no directory"), "{errors}");
}

#[test]
fn a_root_in_the_file_is_one_too_many_for_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let root = r#"{"identities":[{"name":"root","actions":["Admin"]}]}"#;
    for (filer, warned) in [("", true), ("localhost:8888", false)] {
        let found = check(directory.path(), filer, root, "{}");
        let told = found.warnings.iter().any(|warning| warning.contains("`kelpgate server` does not start"));
        assert_eq!((found.errors.len(), told), (0, warned), "{filer}: {:?} {:?}", found.errors, found.warnings);
    }
}

#[test]
fn warnings_have_their_place_and_are_true() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().display();
    let with_key = r#"{"_signingKey":"x","sts":{"signingKey":"MDEyMzQ1Njc4OWFiY2RlZg=="}}"#;
    let makes_own = "there is no sts.signingKey: `kelpgate s3` refuses AssumeRole and session tokens; `kelpgate server` makes a key of its own";
    let colour =
        format!("{place}/identities.json: line 2, column 12, `identities[0].colour`: this key is unknown and ignored");
    let ignored = format!("{place}/iam.json: line 1, column 23, `oidcProviderStore`: this is ignored, as in SeaweedFS");
    for (filer, config, iam_config, want) in [
        ("", "{}", with_key, vec![]),
        ("a:1", "{}", with_key, vec![]),
        ("", "{}", "{}", vec![makes_own]),
        ("a:1", "{}", "{}", vec!["there is no sts.signingKey, so AssumeRole and session tokens are refused"]),
        ("a:1", "{\"identities\":[{\"name\":\"a\",\n \"colour\": 1}]}", with_key, vec![colour.as_str()]),
        ("", "{}", r#"{"oidcProviderStore": {}}"#, vec![ignored.as_str(), makes_own]),
    ] {
        let found = check(directory.path(), filer, config, iam_config);
        assert_eq!(
            (found.warnings, found.errors),
            (want.iter().map(|text| (*text).to_owned()).collect(), vec![]),
            "{iam_config}"
        );
    }
    let both = check(
        directory.path(),
        "a:1",
        r#"{"identities":[{"name":"a","policyNames":["P","Q"]}]}"#,
        &with_key.replace(
            "}}",
            r#"},"policies":[{"name":"P","document":{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}}]}"#,
        ),
    );
    let missing = format!(
        "{place}/identities.json: line 1, column 47, `identities[0].policyNames[1]`: these files define no policy `Q`"
    );
    assert!(both.warnings.len() == 1 && both.warnings[0].starts_with(&missing), "{:?}", both.warnings);
    let security = "[jwt.filer_signing]\nkey = \"0123456789abcdef0123456789abcdef\"\n";
    std::fs::write(directory.path().join("security.toml"), security).unwrap();
    let config_dir = Some(directory.path().to_owned());
    let asked = Check { config: None, iam_config: None, filer: "a:1".to_owned(), config_dir, audit_log_config: None };
    assert_eq!(findings(&asked).warnings, [""; 0]);
}
