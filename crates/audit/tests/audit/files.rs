//! Logs in files: what is written is verified, over rotation and restarts, and what was changed is found.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use access::{AuditRecord, AuditedError, AuditedObject, AuditedTarget};
use audit::Auditing;
use audit::chain::{self, Chain, Digest, DigestKey, NO_DIGEST};
use audit::query::{Query, search};
use audit::verify::{Verified, verify};
use iam_formats::{AuditFilter, AuditFormat, AuditSettings, FileSettings, SinkKind, SinkSettings};

use crate::{give, record, take};

struct Log {
    directory: tempfile::TempDir,
    max_bytes: u64,
    max_files: u64,
    key: String,
}

impl Log {
    fn new(max_bytes: u64, max_files: u64) -> Self {
        let key = DigestKey::generate().unwrap().to_text();
        Self { directory: tempfile::tempdir().unwrap(), max_bytes, max_files, key }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("audit.log")
    }

    fn start(&self, blocks: bool) -> Result<Auditing, String> {
        let file = FileSettings {
            path: self.path().display().to_string(),
            max_bytes: self.max_bytes,
            max_files: self.max_files,
            max_age_days: 0,
            sync: false,
            signing_key_file: String::new(),
        };
        let (kind, format, filter) = (SinkKind::File(file), AuditFormat::CloudTrail, AuditFilter::default());
        let sinks = vec![SinkSettings { name: "file".into(), kind, format, blocks, filter }];
        Auditing::start(&AuditSettings { sinks, ..AuditSettings::default() }, "us-east-1", |_| {
            DigestKey::parse(&self.key)
        })
    }

    /// A gateway that writes so many records, and ends in order.
    fn run(&self, records: usize) -> String {
        let log = self.start(false).unwrap();
        (0..records).for_each(|number| give(&log, record(&format!("key-{number}"))));
        log.stop();
        log.heads()[0].line.clone()
    }

    fn verify(&self, anchor: Option<&str>) -> Verified {
        verify(&self.path(), &DigestKey::parse(&self.key).unwrap().public(), anchor).unwrap()
    }

    fn problems(&self) -> String {
        self.verify(None).problems.join("\n")
    }

    fn numbered(&self, number: u64) -> PathBuf {
        self.directory.path().join(format!("audit.log.{number:08}"))
    }

    /// The files that were rotated, the oldest first.
    fn rotated(&self) -> Vec<PathBuf> {
        (1..).map(|number| self.numbered(number)).take_while(|path| path.exists()).collect()
    }
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let mut lines: Vec<String> = fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    change(&mut lines);
    fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

fn digests_of(file: &Path) -> PathBuf {
    format!("{}.digest", file.display()).into()
}

fn lines_of(file: &Path) -> u64 {
    fs::read_to_string(file).unwrap().lines().count() as u64
}

#[test]
fn what_is_written_is_verified_over_rotation_and_restarts() {
    let log = Log::new(65_536, 0);
    log.run(100);
    log.run(100);
    let head = log.run(100);
    let verified = log.verify(Some(&head));
    assert_eq!((verified.records, verified.uncovered, &verified.problems), (300, 0, &Vec::new()), "{verified:?}");
    assert!(verified.files > 2, "{verified:?}");
    assert_eq!(verified.head, Some(head));
}

#[test]
fn a_changed_log_is_found_out() {
    type Change = Box<dyn Fn(&Log)>;
    let changes: Vec<(&str, Change, &str)> = vec![
        (
            "edited",
            Box::new(|log| edit(&log.path(), |lines| lines[1] = lines[1].replace("key-", "kex-"))),
            "edited, removed or moved",
        ),
        ("cut", Box::new(|log| edit(&log.path(), |lines| drop(lines.pop()))), "edited, removed or moved"),
        ("reordered", Box::new(|log| edit(&log.path(), |lines| lines.swap(0, 1))), "edited, removed or moved"),
        ("removed", Box::new(|log| edit(&log.numbered(1), |lines| drop(lines.remove(3)))), "edited, removed or moved"),
        ("added", Box::new(|log| edit(&log.numbered(1), |lines| lines.push("{}".into()))), "added after its end"),
        (
            "a file less",
            Box::new(|log| {
                fs::remove_file(log.numbered(2)).unwrap();
                fs::remove_file(log.numbered(2).with_extension("00000002.digest")).unwrap();
            }),
            "missing",
        ),
        (
            "the oldest less",
            Box::new(|log| {
                fs::remove_file(log.numbered(1)).unwrap();
                fs::remove_file(log.numbered(1).with_extension("00000001.digest")).unwrap();
            }),
            "files 1 to 1 are missing",
        ),
        (
            "swapped files",
            Box::new(|log| {
                let (one, two, aside) = (log.numbered(1), log.numbered(2), log.directory.path().join("aside"));
                for (from, to) in [(&one, &aside), (&two, &one), (&aside, &two)] {
                    fs::rename(from, to).unwrap();
                }
            }),
            "edited, removed or moved",
        ),
        (
            "no digests",
            Box::new(|log| fs::remove_file(log.directory.path().join("audit.log.digest")).unwrap()),
            "has no digests",
        ),
        (
            "a digest less",
            Box::new(|log| edit(&log.directory.path().join("audit.log.digest"), |lines| drop(lines.remove(0)))),
            "a digest is missing",
        ),
        (
            "a forged digest",
            Box::new(|log| {
                edit(&log.directory.path().join("audit.log.digest"), |lines| {
                    lines[0] = lines[0].replace("\"records\":", "\"records\":1")
                });
            }),
            "signature is wrong",
        ),
    ];
    for (what, change, want) in changes {
        let log = Log::new(65_536, 0);
        log.run(150);
        log.run(50);
        assert_eq!(log.problems(), "", "{what}");
        change(&log);
        assert!(log.problems().contains(want), "{what}: {}", log.problems());
    }
}

/// A whole event without its newline belongs to no digest. No question shows it, and only in the current file a crash may have left it.
#[test]
fn a_line_without_its_end_is_no_record() {
    let log = Log::new(65_536, 0);
    log.run(200);
    let shown = || {
        let mut events = 0;
        let unreadable = search(&log.path(), &Query::default(), |_, _| {
            events += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
        (events, unreadable)
    };
    assert_eq!(shown(), (200, 0));
    let event = fs::read_to_string(log.path()).unwrap().lines().next().unwrap().to_owned();
    let add = |path: &Path| fs::write(path, fs::read_to_string(path).unwrap() + &event).unwrap();
    add(&log.path());
    let verified = log.verify(None);
    assert_eq!((verified.records, verified.uncovered, &verified.problems), (200, 1, &Vec::new()), "{verified:?}");
    assert_eq!(shown(), (200, 1));
    let head = log.run(1);
    let verified = log.verify(Some(&head));
    assert_eq!((verified.records, verified.found, verified.uncovered), (201, 0, 0), "a start removes it: {verified:?}");
    assert_eq!((shown(), &verified.problems), ((201, 0), &Vec::new()));
    add(&log.numbered(1));
    assert!(log.problems().contains("1 records were added after its end"), "{}", log.problems());
    assert_eq!(shown(), (201, 1));
}

/// Without its digests, a file could hold anything.
#[test]
fn a_file_without_a_whole_digest_is_found_out() {
    for left in ["", "{\"version\":2"] {
        for (what, of) in
            [("first", 0..1), ("second", 1..2), ("rotated ones", 0..2), ("all", 0..3), ("current one", 2..3)]
        {
            let log = Log::new(65_536, 0);
            log.run(200);
            let files = [log.rotated(), vec![log.path()]].concat();
            assert_eq!((log.problems().as_str(), files.len()), ("", 3), "{what}");
            for file in &files[of.clone()] {
                edit(file, |lines| lines.truncate(1));
                fs::write(digests_of(file), left).unwrap();
            }
            let problems = log.problems();
            assert_eq!(problems.matches("has no digests").count(), of.len(), "{what} {left}: {problems}");
        }
    }
    let log = Log::new(65_536, 0);
    log.run(0);
    fs::write(digests_of(&log.path()), "").unwrap();
    assert!(log.problems().contains("has no digests"), "a log of nothing");
}

/// A log that is cut off together with its digests looks whole. The digest on the filer shows the cut.
#[test]
fn an_end_that_was_cut_off_with_its_digests_is_found_by_the_anchor() {
    let log = Log::new(65_536, 0);
    log.run(10);
    let copy = ["audit.log", "audit.log.digest"].map(|name| (name, fs::read(log.directory.path().join(name)).unwrap()));
    let head = log.run(10);
    assert_eq!(log.verify(Some(&head)).problems, Vec::<String>::new());
    for (name, content) in copy {
        fs::write(log.directory.path().join(name), content).unwrap();
    }
    assert_eq!(log.problems(), "");
    let problems = log.verify(Some(&head)).problems;
    assert!(problems[0].contains("cut off"), "{problems:?}");
}

#[test]
fn a_log_that_does_not_fit_is_followed_by_a_new_file_and_stays_visible() {
    let log = Log::new(65_536, 0);
    log.run(10);
    edit(&log.path(), |lines| drop(lines.remove(2)));
    log.run(10);
    let verified = log.verify(None);
    assert!(verified.problems[0].contains("edited, removed or moved"), "{verified:?}");
    assert_eq!((verified.files, verified.records), (2, 19));
}

#[test]
fn a_crash_leaves_a_log_that_fits() {
    let log = Log::new(65_536, 0);
    log.run(10);
    // What a process writes before the next digest, and a line of each file that it did not finish.
    let whole = fs::read_to_string(log.path()).unwrap().lines().next().unwrap().to_owned();
    fs::write(log.path(), format!("{}{whole}\n{{\"torn", fs::read_to_string(log.path()).unwrap())).unwrap();
    let digests = log.directory.path().join("audit.log.digest");
    fs::write(&digests, format!("{}{{\"torn", fs::read_to_string(&digests).unwrap())).unwrap();
    log.run(10);
    let verified = log.verify(None);
    assert_eq!((verified.records, verified.found, &verified.problems), (21, 1, &Vec::new()), "{verified:?}");
}

/// A rotation closes the digests, moves both files, and begins two new ones. A process can be killed between any two of these steps.
#[test]
fn a_crash_in_a_rotation_leaves_a_log_that_fits() {
    type Undo = Box<dyn Fn(&Log, &Path)>;
    let back = |from: &Path, to: &Path| fs::rename(from, to).unwrap();
    let rows: Vec<(&str, Undo)> = vec![
        ("no new digests", Box::new(|log, _| fs::write(log.path(), "").unwrap())),
        ("no new file", Box::new(|_, _| ())),
        ("digests not moved", Box::new(move |log, last| back(&digests_of(last), &digests_of(&log.path())))),
        (
            "nothing moved",
            Box::new(move |log, last| {
                back(&digests_of(last), &digests_of(&log.path()));
                back(last, &log.path());
            }),
        ),
    ];
    for (what, undo) in rows {
        let log = Log::new(65_536, 0);
        log.run(200);
        let last = log.rotated().pop().unwrap();
        let records = log.verify(None).records - lines_of(&log.path());
        fs::remove_file(log.path()).unwrap();
        fs::remove_file(digests_of(&log.path())).unwrap();
        undo(&log, &last);
        let killed = log.verify(None);
        let is_missing = killed.problems.iter().any(|problem| problem.ends_with("is missing"));
        assert_eq!((is_missing, killed.records), (!log.path().exists(), records), "{what}: {killed:?}");
        assert!(is_missing || killed.problems.is_empty(), "{what}: {killed:?}");
        let head = log.run(1);
        let verified = log.verify(Some(&head));
        assert_eq!((verified.files, verified.records), (3, records + 1), "{what}: {verified:?}");
        assert_eq!((verified.found, &verified.problems), (0, &Vec::new()), "{what}: {verified:?}");
    }
}

/// A record without any digest in its file would look as if somebody had emptied the digests.
#[tokio::test]
async fn a_rotation_that_fails_halfway_leaves_no_record_without_a_digest() {
    let log = Log::new(65_536, 1);
    log.run(100);
    // Old files cannot be removed, and that comes before the digest of the new file's beginning.
    fs::remove_file(digests_of(&log.rotated()[0])).unwrap();
    let auditing = log.start(true).unwrap();
    for number in 0..100 {
        take(&auditing, record(&format!("key-{number}"))).await.unwrap();
        assert!(fs::metadata(digests_of(&log.path())).unwrap().len() > 0, "{number}");
    }
    auditing.stop();
    assert!(!log.numbered(1).exists());
}

#[test]
fn old_files_are_removed_and_the_rest_is_verified() {
    let log = Log::new(65_536, 2);
    let head = log.run(1000);
    let verified = log.verify(Some(&head));
    assert_eq!((verified.files, &verified.problems), (3, &Vec::new()), "{verified:?}");
    assert!(!log.numbered(1).exists());
}

#[test]
fn one_path_has_one_writer() {
    let log = Log::new(65_536, 0);
    let first = log.start(false).unwrap();
    let Err(why) = log.start(false) else { panic!("two gateways write one file") };
    assert!(why.contains("a path of its own"), "{why}");
    first.stop();
}

#[test]
fn one_record_is_one_line_and_each_key_of_delete_objects_is_one_too() {
    let log = Log::new(65_536, 0);
    let auditing = log.start(false).unwrap();
    give(&auditing, record("a\n{\"eventName\":\"Forged\"}\n"));
    let object = |key: &str, error: Option<&str>| AuditedObject {
        key: key.into(),
        version_id: None,
        error: error.map(str::to_owned),
    };
    let error = Some(AuditedError { code: "AccessDenied".into(), message: String::new() });
    give(
        &auditing,
        AuditRecord {
            operation: "DeleteObjects",
            objects: vec![object("x", None), object("y", Some("AccessDenied"))],
            target: AuditedTarget { bucket: Some("reef".into()), ..AuditedTarget::default() },
            error,
            ..record("")
        },
    );
    auditing.stop();
    let text = fs::read_to_string(log.path()).unwrap();
    let events: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<_> = events
        .iter()
        .map(|event| (event["eventName"].as_str().unwrap(), event["requestParameters"]["key"].as_str()))
        .collect();
    let key = "a\n{\"eventName\":\"Forged\"}\n";
    assert_eq!(
        seen,
        [("GetObject", Some(key)), ("DeleteObjects", None), ("DeleteObject", Some("x")), ("DeleteObject", Some("y"))]
    );
    assert_eq!(events[3]["errorCode"], "AccessDenied");
    assert!(!text.contains('\u{2028}') && !text.contains('\u{202e}') && !text.contains('\r'));
}

/// No audit, no answer: a sink that cannot write refuses requests, loses nothing, and goes on when it can.
#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let log = Log::new(65_536, 0);
    let auditing = log.start(true).unwrap();
    take(&auditing, record("first")).await.unwrap();
    // The directory becomes a file, so that rotation fails as on a full disk.
    let (directory, aside) = (log.directory.path().to_owned(), log.directory.path().with_extension("aside"));
    fs::rename(&directory, &aside).unwrap();
    (0..100).for_each(|number| give(&auditing, record(&format!("key-{number}"))));
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while auditing.ready().is_ok() {
        assert!(std::time::Instant::now() < until, "requests are still carried out");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(auditing.ready().unwrap_err().contains("audit log"));
    fs::rename(&aside, &directory).unwrap();
    while auditing.ready().is_err() {
        assert!(std::time::Instant::now() < until, "requests are refused for ever");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    take(&auditing, record("last")).await.unwrap();
    auditing.stop();
    let verified = log.verify(None);
    assert_eq!((verified.records, &verified.problems), (102, &Vec::new()), "{verified:?}");
}

/// A thread that has ended writes nothing: a request would be carried out, and leave no record.
#[tokio::test]
async fn a_sink_that_has_ended_refuses_in_mode_block_only() {
    for blocks in [true, false] {
        let log = Log::new(65_536, 0);
        let auditing = log.start(blocks).unwrap();
        take(&auditing, record("first")).await.unwrap();
        assert_eq!(auditing.ready(), Ok(()), "{blocks}");
        auditing.stop();
        let ready = auditing.ready().map_err(|why| why.contains("no longer written (sink `file`)"));
        assert_eq!(ready, if blocks { Err(true) } else { Ok(()) });
        assert_eq!(take(&auditing, record("late")).await.is_err(), blocks);
    }
}

impl Log {
    /// A log as the first form of digests has it: a file that was closed, and the one after it.
    fn of_version_1(&self) {
        let key = DigestKey::parse(&self.key).unwrap();
        let mut previous = NO_DIGEST.to_owned();
        for (file, path, closed) in [(1, self.numbered(1), true), (2, self.path(), false)] {
            let mut chain = Chain::of_version(1, &previous);
            let lines = format!("{{\"file\":{file},\"line\":1}}\n{{\"file\":{file},\"line\":2}}\n");
            chain.add(lines.as_bytes());
            let digest = Digest {
                version: 1,
                log: "a1".into(),
                file,
                oldest: 1,
                bytes: chain.bytes,
                records: chain.records,
                found: 0,
                hash: chain.hash(),
                previous,
                time: "2026-01-31T12:00:00Z".into(),
                closed,
                key: chain::fingerprint(&key.public()),
            };
            let line = key.sign(&digest);
            previous = chain::link(&line);
            fs::write(&path, lines).unwrap();
            fs::write(format!("{}.digest", path.display()), format!("{line}\n")).unwrap();
        }
    }
}

/// A file keeps the form of its digests until it is rotated. Both forms are read, and changes of both are found.
#[test]
fn a_log_in_an_older_form_is_continued_and_verified() {
    // The hash of the first form: that of "previous, line 1", then of "hash, line 2".
    let mut chain = Chain::of_version(1, NO_DIGEST);
    chain.add(b"a\nb\n");
    assert_eq!(chain.hash(), "5581674b59eb3a25f2b6a462d61c9264f1dc07716d54822f686be6cbfa0c5718");
    let log = Log::new(65_536, 0);
    log.of_version_1();
    assert_eq!(log.problems(), "");
    log.run(10);
    let verified = log.verify(None);
    assert_eq!((verified.files, verified.records, &verified.problems), (2, 14, &Vec::new()), "{verified:?}");
    let head = log.run(100);
    let verified = log.verify(Some(&head));
    assert_eq!((verified.files, verified.records, &verified.problems), (3, 114, &Vec::new()), "{verified:?}");
    let versions = |path: PathBuf| -> Vec<String> {
        let text = fs::read_to_string(format!("{}.digest", path.display())).unwrap();
        text.lines().map(|line| line.split_once(',').unwrap().0.to_owned()).collect()
    };
    assert!(versions(log.numbered(2)).iter().all(|version| version == "{\"version\":1"));
    assert!(versions(log.path()).iter().all(|version| version == "{\"version\":2"));
    edit(&log.numbered(1), |lines| lines.swap(0, 1));
    assert!(log.problems().contains("edited, removed or moved"), "{}", log.problems());
}

/// Blocks, their edges and what is left over: the same bytes have the same hash, however they come in.
#[test]
fn a_hash_does_not_depend_on_how_lines_come_in() {
    let lines: Vec<String> = (0..4000).map(|number| format!("{}\n", "x".repeat(number % 97))).collect();
    let text = lines.concat();
    for version in [1, 2] {
        let mut at_once = Chain::of_version(version, NO_DIGEST);
        at_once.add(text.as_bytes());
        let mut one_by_one = Chain::of_version(version, NO_DIGEST);
        for line in &lines {
            one_by_one.add(line.as_bytes());
            one_by_one.hash();
        }
        assert_eq!((at_once.hash(), at_once.records), (one_by_one.hash(), 4000), "{version}");
        let mut other = Chain::of_version(version, &"1".repeat(64));
        other.add(text.as_bytes());
        assert_ne!(at_once.hash(), other.hash(), "{version}: the digest before counts");
    }
}
