//! A result that cannot be written is an error, whatever the command; it is not if the reader has gone away.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs::{self, OpenOptions};
use std::process::{Command, Output, Stdio};

const COMMANDS: [&str; 9] = [
    "version",
    "--help",
    "help audit",
    "audit query D/log",
    "config check",
    "scrub -dir=D/store",
    "policy validate D/policy.json",
    "policy simulate -cases=D/cases",
    "policy explain D/case.json",
];

fn run(command: &str, directory: &str, stdout: Stdio) -> Output {
    let words = command.split(' ').map(|word| word.replace("D/", &format!("{directory}/")));
    Command::new(env!("CARGO_BIN_EXE_kelpgate")).args(words).stdout(stdout).stderr(Stdio::piped()).output().unwrap()
}

#[test]
fn what_cannot_be_printed_is_an_error_unless_nobody_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"}}"#;
    let case = r#"{"request":{"principal":"arn:aws:iam::000000000000:user/a","action":"s3:GetObject","resource":"arn:aws:s3:::a/b"}}"#;
    write("log", "{\"eventName\":\"GetObject\"}\n");
    write("policy.json", policy);
    write("case.json", case);
    write("cases", &format!("{case}\n"));
    let path = directory.path().to_str().unwrap();
    drop(filer::EmbeddedFiler::open(directory.path().join("store")).unwrap());
    for command in COMMANDS {
        let full = run(command, path, OpenOptions::new().write(true).open("/dev/full").unwrap().into());
        let told = String::from_utf8_lossy(&full.stderr).into_owned();
        assert_eq!(full.status.code(), Some(1), "{command}: {told}");
        assert!(told.contains("the output cannot be written"), "{command}: {told}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let gone = run(command, path, writer.into());
        let told = String::from_utf8_lossy(&gone.stderr).into_owned();
        assert_eq!(gone.status.code(), Some(0), "{command}: {told}");
        assert!(!told.contains("kelpgate:"), "{command}: {told}");
    }
}
