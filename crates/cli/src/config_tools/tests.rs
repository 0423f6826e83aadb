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
