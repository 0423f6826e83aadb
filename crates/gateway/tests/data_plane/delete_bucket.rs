//! DeleteBucket and writes below the bucket at the same time: one of the two gives way, wherever they meet.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Reply, World, seaweedfs};
use async_trait::async_trait;
use bucket::attributes::LIFE;
use filer::{
    Below, BytesIn, BytesOut, EmbeddedFiler, Entry, Feed, FeedFilter, FileChunk, Filer, FilerConfiguration, FilerError,
    ListOptions, Mutation, Transaction, WriteTarget, Written,
};
use tokio::sync::oneshot;

/// A filer that holds up one transaction until it is released, and that either checks what transactions require or,
/// like SeaweedFS, does not.
pub struct Stopping {
    inner: Arc<dyn Filer>,
    checks_required: bool,
    stop: Mutex<Option<Stop>>,
    /// How often deleting volumes fails.
    failures: AtomicUsize,
    _directory: Option<tempfile::TempDir>,
}

struct Stop {
    before: fn(&Mutation) -> bool,
    arrived: oneshot::Sender<()>,
    go_on: oneshot::Receiver<()>,
}

/// A transaction that is held up.
pub struct Held {
    pub arrived: oneshot::Receiver<()>,
    pub go_on: oneshot::Sender<()>,
}

impl Stopping {
    pub fn new(checks_required: bool) -> Arc<Self> {
        let directory = tempfile::tempdir().unwrap();
        let inner = EmbeddedFiler::open(directory.path()).unwrap();
        let (inner, _directory) = (Arc::new(inner), Some(directory));
        Arc::new(Self { inner, checks_required, stop: Mutex::default(), failures: AtomicUsize::new(0), _directory })
    }

    pub fn over(inner: Arc<dyn Filer>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            checks_required: false,
            stop: Mutex::default(),
            failures: AtomicUsize::new(0),
            _directory: None,
        })
    }

    /// Holds up the next transaction that has such a step.
    pub fn stop_before(&self, before: fn(&Mutation) -> bool) -> Held {
        let ((arrived, has_arrived), (go_on, may_go_on)) = (oneshot::channel(), oneshot::channel());
        *self.stop.lock().unwrap() = Some(Stop { before, arrived, go_on: may_go_on });
        Held { arrived: has_arrived, go_on }
    }

    async fn hold_up(&self, transaction: &Transaction) {
        let stop = {
            let mut stop = self.stop.lock().unwrap();
            match &*stop {
                Some(waiting) if transaction.mutations.iter().any(waiting.before) => stop.take(),
                _ => None,
            }
        };
        if let Some(stop) = stop {
            stop.arrived.send(()).unwrap();
            stop.go_on.await.unwrap();
        }
    }
}

#[async_trait]
impl Filer for Stopping {
    async fn configuration(&self) -> Result<FilerConfiguration, FilerError> {
        Ok(FilerConfiguration { checks_required: self.checks_required, ..self.inner.configuration().await? })
    }
    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError> {
        self.inner.lookup(path).await
    }
    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        self.inner.list(directory, options).await
    }
    async fn below(&self, directory: &str, limit: usize) -> Result<Option<Below>, FilerError> {
        self.inner.below(directory, limit).await
    }
    async fn transact(&self, transaction: Transaction) -> Result<(), FilerError> {
        self.hold_up(&transaction).await;
        assert!(self.checks_required || transaction.requires.is_none());
        self.inner.transact(transaction).await
    }
    async fn write(&self, target: &WriteTarget, body: BytesIn<'_>) -> Result<Written, FilerError> {
        self.inner.write(target, body).await
    }
    async fn read(&self, entry: &Entry, from: u64, length: u64) -> Result<BytesOut, FilerError> {
        self.inner.read(entry, from, length).await
    }
    async fn resolve_chunks(&self, chunks: &[FileChunk]) -> Result<Vec<FileChunk>, FilerError> {
        self.inner.resolve_chunks(chunks).await
    }
    async fn delete_chunks(&self, chunks: Vec<FileChunk>) {
        self.inner.delete_chunks(chunks).await;
    }
    async fn delete_collection(&self, collection: &str) -> Result<(), FilerError> {
        let fails = |left: usize| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fails).is_ok() {
            return Err(FilerError::Unavailable("the master is unreachable".to_owned()));
        }
        self.inner.delete_collection(collection).await
    }
    async fn members(&self) -> Result<Vec<String>, FilerError> {
        self.inner.members().await
    }
    async fn put_through(&self, filer: &str, directory: &str, entry: Entry) -> Result<(), FilerError> {
        self.inner.put_through(filer, directory, entry).await
    }
    async fn lookup_through(&self, filer: &str, path: &str) -> Result<Option<Entry>, FilerError> {
        self.inner.lookup_through(filer, path).await
    }
    async fn subscribe(&self, filter: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError> {
        self.inner.subscribe(filter).await
    }
}

/// Every kind of write that creates an entry below a bucket.
const WRITES: [&str; 7] = ["object", "form", "copy", "marker", "create upload", "part", "complete"];

/// Creates the bucket `b1x`, and what the write needs.
async fn prepare(world: &World, write: &str) -> String {
    assert_eq!(world.ask("PUT /b1x").await.outcome(), "200 ");
    world.put("/other/source", "bytes").await;
    if !matches!(write, "part" | "complete") {
        return String::new();
    }
    let id = world.ask_admin("POST /b1x/deep/key?uploads").await.element("UploadId");
    if write == "complete" {
        let part = format!("PUT /b1x/deep/key?partNumber=1&uploadId={id}");
        assert_eq!(world.send_as("admin", &part, &[], "bytes").await.outcome(), "200 ");
    }
    id
}

async fn run(world: &World, write: &str, upload_id: &str) -> Reply {
    match write {
        "object" => world.send("PUT /b1x/deep/key", &[], "bytes").await,
        "copy" => world.send("PUT /b1x/deep/key", &[("x-amz-copy-source", "other/source")], "").await,
        "marker" => world.send("PUT /b1x/deep/key/", &[], "").await,
        "create upload" => world.ask_admin("POST /b1x/deep/key?uploads").await,
        "part" => {
            let line = format!("PUT /b1x/deep/key?partNumber=1&uploadId={upload_id}");
            world.send_as("admin", &line, &[], "bytes").await
        }
        "form" => {
            let field = |name: &str, value: &str| {
                format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            };
            let body = format!("{}{}--x--\r\n", field("key", "deep/key"), field("file", "bytes"));
            world.send("POST /b1x", &[("content-type", "multipart/form-data; boundary=x")], body).await
        }
        _ => {
            let etag = "4b3a6218bb3e3a7303e8a171a60fcf92"; // of `bytes`
            let part = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
            let list = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
            world.send_as("admin", &format!("POST /b1x/deep/key?uploadId={upload_id}"), &[], list).await
        }
    }
}

fn puts_below_the_bucket(step: &Mutation) -> bool {
    matches!(step, Mutation::Put { directory, .. } if directory.starts_with("/buckets/b1x"))
}

fn decides(step: &Mutation) -> bool {
    matches!(step, Mutation::Patch { set, .. } if set.get(LIFE).is_some_and(|text| text.windows(9).any(|part| part == b".deleted.")))
}

fn removes_the_bucket(step: &Mutation) -> bool {
    matches!(step, Mutation::Delete { directory, name, .. } if directory == "/buckets" && name == "b1x")
}

/// What is below the bucket's directory, and whether the directory exists.
async fn left(world: &World) -> (Option<Entry>, Vec<Entry>) {
    let below = world.filer.list("/buckets/b1x", ListOptions { limit: 9, ..ListOptions::default() }).await.unwrap();
    (world.entry("b1x").await, below)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_after_the_deletion_leaves_nothing() {
    for checks_required in [true, false] {
        for write in WRITES {
            let filer = Stopping::new(checks_required);
            let world = World::following(filer.clone(), false).await;
            comes_late(&filer, &world, write).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_after_the_deletion_leaves_nothing_on_seaweedfs() {
    let (_cluster, filer) = seaweedfs().await;
    let filer = Stopping::over(filer);
    let world = World::following(filer.clone(), false).await;
    for write in WRITES {
        comes_late(&filer, &world, write).await;
    }
}

async fn comes_late(filer: &Stopping, world: &World, write: &str) {
    let id = prepare(world, write).await;
    let held = filer.stop_before(puts_below_the_bucket);
    let (late, ()) = tokio::join!(run(world, write, &id), async {
        held.arrived.await.unwrap();
        assert_eq!(world.ask("DELETE /b1x").await.outcome(), "204 ", "{write}");
        held.go_on.send(()).unwrap();
    });
    let want: &[&str] = if matches!(write, "part" | "complete") {
        &["404 NoSuchBucket", "404 NoSuchUpload"] // The upload was deleted with the bucket.
    } else {
        &["404 NoSuchBucket"]
    };
    assert!(want.contains(&&*late.outcome()), "{write}: {}", late.outcome());
    assert_eq!(left(world).await, (None, vec![]), "{write}, checks {}", filer.checks_required);
    assert_eq!(world.ask("HEAD /b1x").await.status, 404, "{write}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_between_the_check_and_the_decision_keeps_the_bucket() {
    for write in ["object", "form", "copy", "marker", "complete"] {
        let filer = Stopping::new(false);
        let world = World::following(filer.clone(), false).await;
        let id = prepare(&world, write).await;
        let held = filer.stop_before(decides);
        let (deleted, ()) = tokio::join!(world.ask("DELETE /b1x"), async {
            held.arrived.await.unwrap();
            let written = run(&world, write, &id).await;
            assert!(written.status.is_success(), "{write}: {}", written.text());
            held.go_on.send(()).unwrap();
        });
        assert_eq!(deleted.outcome(), "409 BucketNotEmpty", "{write}");
        assert_eq!(world.keys("b1x").await.len(), 1, "{write}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_after_the_decision_is_refused() {
    for write in WRITES {
        let filer = Stopping::new(false);
        let world = World::following(filer.clone(), true).await;
        let id = prepare(&world, write).await;
        let held = filer.stop_before(removes_the_bucket);
        let (deleted, ()) = tokio::join!(world.ask("DELETE /b1x"), async {
            held.arrived.await.unwrap();
            let refused = run(&world, write, &id).await.outcome();
            assert!(refused == "404 NoSuchBucket" || refused == "409 OperationAborted", "{write}: {refused}");
            assert_eq!(world.ask("DELETE /b1x").await.outcome(), "404 NoSuchBucket");
            assert!(!world.ask("GET /").await.elements("Name").contains(&"b1x".to_owned()), "{write}");
            held.go_on.send(()).unwrap();
        });
        assert_eq!(deleted.outcome(), "204 ", "{write}");
        assert_eq!(left(&world).await, (None, vec![]), "{write}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_decided_for_a_deleted_bucket_does_not_write_into_the_next_one() {
    for checks_required in [true, false] {
        for write in ["object", "form", "copy", "marker"] {
            let filer = Stopping::new(checks_required);
            let world = World::following(filer.clone(), false).await;
            prepare(&world, write).await;
            let held = filer.stop_before(puts_below_the_bucket);
            let (late, ()) = tokio::join!(run(&world, write, ""), async {
                held.arrived.await.unwrap();
                assert_eq!(world.ask("DELETE /b1x").await.outcome(), "204 ", "{write}");
                assert_eq!(world.ask("PUT /b1x").await.outcome(), "200 ", "{write}");
                held.go_on.send(()).unwrap();
            });
            assert_eq!(late.outcome(), "404 NoSuchBucket", "{write}");
            assert_eq!(world.ask("HEAD /b1x").await.status, 200, "{write}");
            assert_eq!(world.keys("b1x").await, Vec::<String>::new(), "{write}, checks {checks_required}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_interrupted_by_a_crash_blocks_no_one() {
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (long_ago, just_now) = ((now_s - 61).to_string(), now_s.to_string());
    let announced = "1.deleting.2".to_owned();
    let decided = |since: &str| format!("1.deleted.{since}.2");
    for (life, requests) in [
        (&announced, &[("PUT /b1x/k", "200 "), ("DELETE /b1x", "409 BucketNotEmpty")][..]),
        (&announced, &[("DELETE /b1x", "204 "), ("PUT /b1x/k", "404 NoSuchBucket")]),
        (&announced, &[("PUT /b1x", "200 "), ("HEAD /b1x", "200 ")]),
        (&decided(&just_now), &[("PUT /b1x/k", "404 NoSuchBucket"), ("PUT /b1x", "409 OperationAborted")]),
        (&decided(&just_now), &[("DELETE /b1x", "404 NoSuchBucket"), ("HEAD /b1x", "404 ")]),
        (&decided(&long_ago), &[("PUT /b1x", "200 "), ("PUT /b1x/k", "200 ")]),
        (&decided(&long_ago), &[("DELETE /b1x", "404 NoSuchBucket"), ("PUT /b1x", "200 ")]),
    ] {
        let world = World::following(Stopping::new(true), false).await;
        assert_eq!(world.ask("PUT /b1x").await.outcome(), "200 ");
        world.put("/b1x/first", "").await;
        assert_eq!(world.ask("DELETE /b1x/first").await.outcome(), "204 ");
        world.patch_bucket("b1x", &[(LIFE, life)]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        for (line, want) in requests {
            assert_eq!(world.ask(line).await.outcome(), *want, "{life}: {line}");
        }
        let stored = world.entry("b1x").await.map(|entry| entry.extended_text(LIFE).unwrap_or_default().to_owned());
        assert!(stored.is_none_or(|stored| stored == **life || !stored.contains(".delet")), "nothing new is left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_briefly_unreachable_master_does_not_leave_a_bucket_half_deleted() {
    let filer = Stopping::new(true);
    let world = World::following(filer.clone(), false).await;
    assert_eq!(world.ask("PUT /b1x").await.outcome(), "200 ");
    filer.failures.store(2, Ordering::Relaxed);
    assert_eq!(world.ask("DELETE /b1x").await.outcome(), "204 ");
    assert_eq!(world.ask("PUT /b1x").await.outcome(), "200 ", "the name is free at once");
}

/// The number of races: `KELPGATE_BUCKET_RACES`.
fn races() -> usize {
    std::env::var("KELPGATE_BUCKET_RACES").ok().and_then(|number| number.parse().ok()).unwrap_or(140)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_in_a_race() {
    for auto_create in [false, true] {
        let world = World::following(Stopping::new(true), auto_create).await;
        let (mut kept, mut deleted) = (0, 0);
        for race in 0..races() / 2 {
            let write = WRITES[race % WRITES.len()];
            let id = prepare(&world, write).await;
            // Each side starts first in half of the races, by up to 20 ms.
            let head_start = Duration::from_micros((race as u64 * 7919) % 20_000);
            let (first, second) =
                if race % 2 == 0 { (Duration::ZERO, head_start) } else { (head_start, Duration::ZERO) };
            let (written, gone) = tokio::join!(
                async {
                    tokio::time::sleep(first).await;
                    run(&world, write, &id).await
                },
                async {
                    tokio::time::sleep(second).await;
                    world.ask("DELETE /b1x").await
                }
            );
            let context = format!("race {race}, {write}: {} against {}", written.outcome(), gone.outcome());
            let is_object = !matches!(write, "create upload" | "part");
            let is_there = world.entry("b1x/deep/key").await.is_some();
            if is_object && written.status.is_success() {
                assert!(is_there, "{context}: the object is lost");
                assert!(auto_create || !gone.status.is_success(), "{context}: both succeeded");
            } else {
                assert!(!is_there, "{context}: a refused write is there");
            }
            if gone.status.is_success() && !auto_create {
                assert_eq!(left(&world).await, (None, vec![]), "{context}: the bucket is back");
            }
            kept += usize::from(is_there);
            deleted += usize::from(gone.status.is_success());
            for line in ["DELETE /b1x/deep/key", "DELETE /b1x/deep/key/", "DELETE /b1x"] {
                world.ask(line).await;
            }
        }
        eprintln!("auto-create {auto_create}: {} races, {kept} objects kept, {deleted} buckets deleted", races() / 2);
    }
}
