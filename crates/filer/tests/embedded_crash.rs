//! Kills a process that writes to an embedded filer, at random moments, and checks that everything acknowledged is
//! still there.
//!
//! The writer is this test program itself, started again with `CRASH_DIRECTORY` set. It reports each step before and
//! after it. Acknowledged steps must have happened. A step in progress may or may not have happened, but never
//! partially.

#![expect(clippy::unwrap_used, reason = "helpers of tests: any error fails the test")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use filer::{Attributes, EmbeddedFiler, Entry, Filer, ListOptions, Mutation, Transaction, WriteTarget};
use futures_util::{TryStreamExt, stream};

const DIRECTORY: &str = "CRASH_DIRECTORY";
const SEED: &str = "CRASH_SEED";
const WRITERS: u64 = 8;
/// How many keys each writer has. Steps after the first round replace or remove what exists.
const KEYS: u64 = 12;
const ROUNDS: u64 = 8;
/// Sizes that are kept with the entry, of small and larger files, and of more than one chunk.
const SIZES: [usize; 8] = [0, 10, 1000, 8192, 8193, 50_000, 1_100_000, 8_400_000];

/// What a step leaves at a path: a version and a size, or nothing.
type State = Option<(u64, usize)>;

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn content(version: u64, bytes: usize) -> Vec<u8> {
    let mut state = version;
    let words = (0..bytes.div_ceil(4)).flat_map(|_| (next(&mut state) as u32).to_le_bytes());
    words.take(bytes).collect()
}

fn say(word: &str, path: &str, state: State) {
    let (version, bytes) = state.map_or((0, 0), |(version, bytes)| (version, bytes));
    let there = if state.is_some() { "put" } else { "delete" };
    let mut out = std::io::stdout().lock();
    // The parent may have stopped listening. Then it is about to kill this process.
    let _ = writeln!(out, "{word} {path} {there} {version} {bytes}");
    let _ = out.flush();
}

async fn step(filer: &EmbeddedFiler, directory: &str, name: &str, state: State) {
    let (directory, name) = (directory.to_owned(), name.to_owned());
    let mutation = match state {
        None => Mutation::Delete { directory, name, delete_data: true, recursive: false },
        Some((version, bytes)) => {
            let body = Box::pin(stream::iter([Ok(Bytes::from(content(version, bytes)))]));
            let written = filer.write(&WriteTarget::default(), body).await.unwrap();
            let attributes = Attributes { file_size: bytes as u64, mtime: version as i64, ..Attributes::default() };
            let entry = Entry { name, chunks: written.chunks, attributes: Some(attributes), ..Entry::default() };
            Mutation::Put { directory, entry: Box::new(entry) }
        }
    };
    filer.transact(Transaction { mutations: vec![mutation], ..Transaction::default() }).await.unwrap();
}

/// Not a test of its own: this is what the killed process runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let filer = Arc::new(EmbeddedFiler::open(directory).unwrap());
    println!("\nopen");
    let writers = (0..WRITERS).map(|writer| {
        let filer = filer.clone();
        tokio::spawn(async move {
            let mut random = seed.wrapping_mul(1000) + writer;
            // Ends when it is killed, or by itself otherwise.
            for number in 0..100_000 {
                let directory = format!("/w{writer}");
                let name = format!("k{}", next(&mut random) % KEYS);
                let version = seed * 1_000_000 + number + 1;
                // Large bodies are rare, so that there are many moments of each kind.
                let largest = if next(&mut random).is_multiple_of(16) { SIZES.len() as u64 } else { 6 };
                let bytes = SIZES[(next(&mut random) % largest) as usize];
                let state = (!next(&mut random).is_multiple_of(5)).then_some((version, bytes));
                let path = format!("{directory}/{name}");
                say("try", &path, state);
                step(&filer, &directory, &name, state).await;
                say("done", &path, state);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// What may be found at each path: what was last acknowledged, and what has been tried since.
#[derive(Default)]
struct Expected {
    paths: HashMap<String, Vec<State>>,
    acknowledged: u64,
}

impl Expected {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let [word, path, there, version, bytes] = words[..] else { return };
        // The kill may have cut off the last line.
        let (Ok(version), Ok(bytes)) = (version.parse(), bytes.parse()) else { return };
        let state = (there == "put").then_some((version, bytes));
        let possible = self.paths.entry(path.to_owned()).or_insert_with(|| vec![None]);
        match word {
            "try" => possible.push(state),
            "done" => {
                *possible = vec![state];
                self.acknowledged += 1;
            }
            _ => {}
        }
    }
}

/// Runs the writer for a while and kills it.
fn round(directory: &Path, seed: u64, alive: Duration, expected: &mut Expected) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line.trim() != "open" {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the writer opens the directory");
    }
    assert!(EmbeddedFiler::open(directory).is_err(), "a directory is open in one process only");
    let reader = std::thread::spawn(move || {
        let mut heard = Vec::new();
        for line in lines.split(b'\n') {
            heard.push(line.unwrap());
        }
        heard
    });
    std::thread::sleep(alive);
    // SIGKILL
    child.kill().unwrap();
    child.wait().unwrap();
    for line in reader.join().unwrap() {
        expected.hear(&String::from_utf8_lossy(&line));
    }
}

async fn check(filer: &EmbeddedFiler, expected: &mut Expected) {
    for (path, possible) in &mut expected.paths {
        let entry = filer.lookup(path).await.unwrap();
        let found = entry.as_ref().map(|entry| (entry.attributes().mtime as u64, entry.content_bytes() as usize));
        assert!(possible.contains(&found), "`{path}` is {found:?}, acknowledged or tried were {possible:?}");
        if let (Some(entry), Some((version, bytes))) = (entry, found) {
            let pieces = filer.read(&entry, 0, bytes as u64).await.unwrap();
            let pieces: Vec<Bytes> = pieces.try_collect().await.unwrap();
            assert!(pieces.concat() == content(version, bytes), "the {bytes} bytes of `{path}` version {version}");
        }
        *possible = vec![found];
    }
}

fn data_files(directory: &Path) -> usize {
    let directories = std::fs::read_dir(directory.join("data")).unwrap();
    directories.map(|directory| std::fs::read_dir(directory.unwrap().path()).unwrap().count()).sum()
}

/// Data files that entries name.
async fn named_files(filer: &EmbeddedFiler, directory: &Path) -> usize {
    let all = ListOptions { limit: 1000, ..ListOptions::default() };
    let mut named = 0;
    for writer in filer.list("/", all.clone()).await.unwrap() {
        for entry in filer.list(&format!("/{}", writer.name), all.clone()).await.unwrap() {
            let is_file = |id: &str| {
                let name = id.trim_start_matches("local,");
                (0..=255).any(|of| directory.join(format!("data/{of:02x}/{name}")).exists())
            };
            named += entry.chunks.iter().filter(|chunk| is_file(&chunk.file_id)).count();
        }
    }
    named
}

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = 20_261_122;
    let mut expected = Expected::default();
    for seed in 0..ROUNDS {
        let alive = Duration::from_millis(next(&mut random) % 900);
        round(directory.path(), seed, alive, &mut expected);
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        check(&filer, &mut expected).await;
    }
    assert!(
        expected.acknowledged > 100,
        "only {} steps were acknowledged, which is too few for a result",
        expected.acknowledged
    );
    println!("{} steps were acknowledged", expected.acknowledged);

    // Data that was written and never named is removed in the end, and nothing else is.
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    let named = named_files(&filer, directory.path()).await;
    assert!(named > 0);
    let begun = Instant::now();
    while data_files(directory.path()) != named {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} files, {named} named", data_files(directory.path()));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    check(&filer, &mut expected).await;
}

#[test]
fn a_first_start_can_be_killed_at_any_moment() {
    for round in 0..16 {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture"])
            .env(DIRECTORY, directory.path().join("new"))
            .env(SEED, "1")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (begun, made) = (Instant::now(), directory.path().join("new"));
        while !made.exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the first start does not begin");
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(2 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        EmbeddedFiler::open(directory.path().join("new")).unwrap_or_else(|error| unreachable!("{round}: {error}"));
    }
}
