//! Uploads that are recorded, and what becomes of those whose gateway is gone, against a real cluster.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::Duration;

use bytes::Bytes;
use filer::seaweedfs::{FilerAddress, LeftUploads, Options, SeaweedFiler, Security, Sweeper, Swept, left_uploads};
use filer::{
    Attributes, BytesIn, Entry, FileChunk, Filer, FilerError, ListOptions, Mutation, Transaction, WriteTarget, Written,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use prost::Message;

use testkit::weed::{ClusterOptions, WeedCluster};

const MIB: usize = 1 << 20;
const ROOT: &str = "/seaweedfs/kelpgate/uploads";
const GRACE: Duration = Duration::from_secs(1);

async fn start() -> WeedCluster {
    let options = ClusterOptions { max_mb: 1, ..ClusterOptions::default() };
    let started = tokio::task::spawn_blocking(|| WeedCluster::start(options)).await.unwrap();
    let cluster = started.unwrap_or_else(|error| panic!("{error}"));
    gateway(&cluster).transact(put("/buckets/bucket", entry("another", Vec::new()))).await.unwrap();
    cluster
}

fn gateway(cluster: &WeedCluster) -> SeaweedFiler {
    let mut options = Options::new(FilerAddress::parse_list(&cluster.filers()).unwrap(), Security::default());
    options.journals_uploads = true;
    SeaweedFiler::connect(options)
}

/// Rounds of a gateway that came later, until an upload left behind must have been noticed, claimed and judged.
async fn sweep(cluster: &WeedCluster) -> SeaweedFiler {
    let filer = gateway(cluster);
    let mut sweeper = Sweeper::new(&filer, GRACE);
    for _ in 0..30 {
        sweeper.round().await.unwrap();
        tokio::time::sleep(GRACE / 10).await;
    }
    filer
}

fn content() -> Bytes {
    (0..2 * MIB + 1000).map(|at| (at % 251) as u8).collect::<Vec<_>>().into()
}

fn body(content: Bytes) -> BytesIn<'static> {
    Box::pin(stream::iter([Ok(content)]))
}

fn target(name: &str) -> WriteTarget {
    WriteTarget { path: format!("/buckets/bucket/{name}"), collection: "bucket".to_owned(), ..Default::default() }
}

async fn write(filer: &SeaweedFiler, name: &str) -> Written {
    filer.write(&target(name), body(content())).await.unwrap()
}

fn entry(name: &str, chunks: Vec<FileChunk>) -> Entry {
    let file_size = content().len() as u64;
    let attributes = Attributes { file_size, file_mode: 0o660, mtime: 1_700_000_000, ..Default::default() };
    Entry { name: name.to_owned(), chunks, attributes: Some(attributes), ..Default::default() }
}

fn put(directory: &str, entry: Entry) -> Transaction {
    let lock_key = format!("{directory}/{}", entry.name);
    let mutations = vec![Mutation::Put { directory: directory.to_owned(), entry: Box::new(entry) }];
    Transaction { lock_key, mutations, ..Transaction::default() }
}

async fn is_whole(filer: &SeaweedFiler, entry: &Entry) -> bool {
    let Ok(bytes) = filer.read(entry, 0, content().len() as u64).await else { return false };
    bytes.try_collect::<Vec<_>>().await.is_ok_and(|pieces| pieces.concat() == content())
}

/// The names of all files about uploads, without those of gateways.
async fn files(filer: &SeaweedFiler) -> Vec<String> {
    let mut names = Vec::new();
    let all = ListOptions { limit: 1000, ..ListOptions::default() };
    for gateway in filer.list(ROOT, all.clone()).await.unwrap() {
        let found = filer.list(&format!("{ROOT}/{}", gateway.name), all.clone()).await.unwrap();
        names.extend(found.into_iter().map(|file| file.name).filter(|name| name.contains('.')));
    }
    names
}

/// Makes the files of an upload of one chunk whose gateway is gone.
async fn leave(filer: &SeaweedFiler, id: &str, bucket: &str, chunk: &FileChunk) {
    let intent = Entry { name: format!("{id}.intent"), content: bucket.into(), ..Entry::default() };
    let list = Entry { name: format!("{id}.chunks-0"), content: chunk.file_id.clone().into(), ..Entry::default() };
    for file in [intent, list] {
        filer.transact(put(&format!("{ROOT}/dead"), file)).await.unwrap();
    }
}

/// Waits until the files about uploads are as wanted.
async fn until(filer: &SeaweedFiler, wanted: impl Fn(&[String]) -> bool) {
    let waiting = async {
        while !wanted(&files(filer).await) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the files change within 30 s");
}

async fn until_settled(filer: &SeaweedFiler) {
    until(filer, <[String]>::is_empty).await;
}

fn has_intent(names: &[String]) -> bool {
    names.iter().any(|name| name.ends_with(".intent"))
}

fn swept(freed_chunks: u64, left: i64) -> Swept {
    Swept { freed_chunks, left }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_left_behind_is_freed_and_it_can_not_commit_any_more() {
    let cluster = start().await;
    let frozen = gateway(&cluster);
    let written = write(&frozen, "k").await;
    let unnamed = entry("k", written.chunks.clone());
    assert!(is_whole(&frozen, &unnamed).await);
    assert!(!files(&frozen).await.is_empty(), "the upload is recorded");

    let filer = sweep(&cluster).await;
    assert!(!is_whole(&filer, &unnamed).await, "nobody needs the chunks");
    assert_eq!((files(&filer).await, filer.swept()), (vec![], swept(3, 0)));
    for _ in 0..2 {
        let late = frozen.transact(put("/buckets/bucket", unnamed.clone())).await;
        assert!(matches!(late, Err(FilerError::Busy(_))), "{late:?}");
    }
    assert_eq!(filer.lookup("/buckets/bucket/k").await.unwrap(), None);
    frozen.delete_chunks(written.chunks).await;
    until_settled(&filer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_freezes_in_the_middle_of_a_body_can_not_commit_any_more() {
    let cluster = start().await;
    let frozen = gateway(&cluster);
    let (thaw, thaws) = tokio::sync::oneshot::channel::<()>();
    let uploading = {
        let frozen = frozen.clone();
        tokio::spawn(async move {
            let rest = stream::once(async move {
                thaws.await.unwrap();
                Ok(Bytes::from(vec![7; MIB]))
            });
            let body = stream::iter([Ok(content())]).chain(rest);
            frozen.write(&target("k"), Box::pin(body)).await
        })
    };
    until(&frozen, has_intent).await;
    let filer = sweep(&cluster).await;
    assert!(!has_intent(&files(&filer).await));
    thaw.send(()).unwrap();
    let written = uploading.await.unwrap().unwrap();
    let late = frozen.transact(put("/buckets/bucket", entry("k", written.chunks))).await;
    assert!(matches!(late, Err(FilerError::Busy(_))), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_shows_its_heartbeat_keeps_its_uploads() {
    let cluster = start().await;
    let (slow, other) = (gateway(&cluster), gateway(&cluster));
    let written = write(&slow, "k").await;
    let mut sweeper = Sweeper::new(&other, GRACE);
    for _ in 0..30 {
        slow.heartbeat().await.unwrap();
        sweeper.round().await.unwrap();
        tokio::time::sleep(GRACE / 10).await;
    }
    let committed = entry("k", written.chunks);
    slow.transact(put("/buckets/bucket", committed.clone())).await.unwrap();
    until_settled(&other).await;
    sweep(&cluster).await;
    assert!(is_whole(&other, &committed).await);
    slow.sign_off().await;
    other.sign_off().await;
}

/// While it was frozen or no filer answered, others may have had no way to show a heartbeat.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweeper_that_looked_away_waits_anew() {
    let cluster = start().await;
    let (slow, other) = (gateway(&cluster), gateway(&cluster));
    let written = write(&slow, "k").await;
    let mut sweeper = Sweeper::new(&other, GRACE);
    for _ in 0..3 {
        sweeper.round().await.unwrap();
        tokio::time::sleep(GRACE * 2).await;
    }
    assert_eq!(other.swept(), swept(0, 0));
    slow.transact(put("/buckets/bucket", entry("k", written.chunks))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_committed_is_never_freed() {
    let cluster = start().await;
    let killed = gateway(&cluster);
    let written = write(&killed, "k").await;
    let unnamed = entry("k", written.chunks);
    let intent = files(&killed).await.into_iter().find(|name| name.ends_with(".intent")).unwrap();
    let directory = killed.list(ROOT, ListOptions { limit: 9, ..Default::default() }).await.unwrap().remove(0).name;
    let directory = format!("{ROOT}/{directory}");
    let mark = Entry { name: intent.replace(".intent", ".commit"), ..Entry::default() };
    killed.transact(put(&directory, mark)).await.unwrap();

    let filer = sweep(&cluster).await;
    assert!(is_whole(&filer, &unnamed).await);
    assert_eq!(filer.swept(), swept(0, 1));
    // Its entry is found, and that settles it.
    filer.transact(put("/buckets/bucket", unnamed.clone())).await.unwrap();
    let filer = sweep(&cluster).await;
    assert_eq!((files(&filer).await, filer.swept()), (vec![], swept(0, 0)));
    assert!(is_whole(&filer, &unnamed).await);
}

/// A store that was restored, or that lost its last writes, has an intent whose upload is an object.
#[tokio::test(flavor = "multi_thread")]
async fn an_intent_that_came_back_frees_nothing_that_an_entry_names() {
    let cluster = start().await;
    let filer = gateway(&cluster);
    let mut kept = Vec::new();
    for path in [
        "/buckets/bucket/plain",
        "/buckets/bucket/deep/down/here",
        "/buckets/bucket/k.versions/v_1",
        "/buckets/bucket/.uploads/1/0001.part",
    ] {
        let (directory, name) = path.rsplit_once('/').unwrap();
        let named = entry(name, write(&filer, "k").await.chunks);
        filer.transact(put(directory, named.clone())).await.unwrap();
        kept.push(named);
    }
    let listed = write(&filer, "k").await;
    let manifest = filer::entry::FileChunkManifest { chunks: listed.chunks.clone() }.encode_to_vec();
    let mut folded = filer.write(&target("k"), body(manifest.into())).await.unwrap().chunks.remove(0);
    (folded.is_chunk_manifest, folded.size) = (true, content().len() as u64);
    let named = entry("folded", vec![folded]);
    filer.transact(put("/buckets/bucket", named.clone())).await.unwrap();
    kept.push(named);

    for (number, chunk) in kept.iter().flat_map(|entry| &entry.chunks).chain(&listed.chunks).enumerate() {
        leave(&filer, &number.to_string(), "/buckets/bucket", chunk).await;
    }
    let later = sweep(&cluster).await;
    for entry in &kept {
        assert!(is_whole(&later, entry).await, "{}", entry.name);
    }
    assert_eq!(later.swept(), swept(0, 0));
    let left = later.list(&format!("{ROOT}/dead"), ListOptions { limit: 100, ..Default::default() }).await.unwrap();
    assert_eq!(left, [], "they are settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_judged_is_left_alone() {
    let cluster = start().await;
    let filer = gateway(&cluster);
    let chunks = write(&filer, "k").await.chunks;
    // The manifest of another object cannot be read: it may name anything.
    let lost = FileChunk { is_chunk_manifest: true, file_id: "1,01637037d6".to_owned(), size: 9, ..Default::default() };
    filer.transact(put("/buckets/bucket", entry("lost", vec![lost]))).await.unwrap();
    let mut sweeper = Sweeper::new(&filer, Duration::ZERO);
    for (id, bucket) in [("1", "/buckets/bucket"), ("2", "/buckets"), ("3", "/"), ("4", "/buckets/bucket/c"), ("5", "")]
    {
        leave(&filer, id, bucket, &chunks[0]).await;
    }
    let failed = sweeper.round().await;
    assert!(matches!(&failed, Err(FilerError::Damaged(what, _)) if what.contains("1,01637037d6")), "{failed:?}");
    assert!(is_whole(&filer, &entry("k", chunks)).await);
    assert_eq!(filer.swept(), swept(0, 5));
    assert_eq!(left_uploads(&filer).await.unwrap(), LeftUploads { waiting: 5, maybe_committed: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_cannot_be_settled_does_not_keep_the_others() {
    let cluster = start().await;
    let filer = gateway(&cluster);
    let chunks = write(&filer, "k").await.chunks;
    // These cannot be claimed, or not be settled: a directory is in the place of a file.
    leave(&filer, "1", "/buckets/bucket", &chunks[0]).await;
    filer.transact(put(&format!("{ROOT}/dead/1.claim"), entry("in the way", Vec::new()))).await.unwrap();
    filer.transact(put(&format!("{ROOT}/dead/2.chunks-0"), entry("in the way", Vec::new()))).await.unwrap();
    leave(&filer, "3", "/buckets/bucket", &chunks[1]).await;
    let failed = Sweeper::new(&filer, Duration::ZERO).round().await;
    assert!(matches!(failed, Err(FilerError::ExistingIsDirectory(_))), "{failed:?}");
    assert_eq!(filer.swept(), swept(1, 2));
    let names = files(&filer).await;
    assert!(!names.iter().any(|name| name.starts_with("3.")) && has_intent(&names), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_uploads_to_a_bucket_that_is_gone() {
    let cluster = start().await;
    let dead = gateway(&cluster);
    write(&dead, "k").await;
    let (directory, name) = ("/buckets".to_owned(), "bucket".to_owned());
    let removal = Mutation::Delete { directory, name, delete_data: true, recursive: true };
    let removal =
        Transaction { lock_key: "/buckets/bucket".into(), mutations: vec![removal], ..Transaction::default() };
    dead.transact(removal).await.unwrap();
    dead.delete_collection("bucket").await.unwrap();
    let filer = sweep(&cluster).await;
    assert_eq!((files(&filer).await, filer.swept()), (vec![], swept(0, 0)));
}
