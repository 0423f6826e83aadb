//! The SeaweedFS filer against a real cluster: SeaweedFS reads what it writes, it reads what SeaweedFS writes, and
//! failures show.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use filer::seaweedfs::{FilerAddress, FilerCall, Options, SeaweedFiler, Security};
use filer::{
    Attributes, BodyError, Change, Condition, Entry, Feed, FeedFilter, FeedItem, FileChunk, Filer, FilerError,
    ListOptions, Mutation, Transaction, WriteTarget, Written,
};
use futures_util::{StreamExt, stream};
use tokio::net::{TcpListener, TcpStream};

use testkit::weed::{ClusterOptions, WeedCluster};

const MIB: usize = 1 << 20;

fn client_with(cluster: &WeedCluster, change: impl FnOnce(&mut Options)) -> SeaweedFiler {
    let security = Security::load(Some(cluster.directory()), &|_| None).unwrap();
    let mut options = Options::new(FilerAddress::parse_list(&cluster.filers()).unwrap(), security);
    change(&mut options);
    SeaweedFiler::connect(options)
}

fn client(cluster: &WeedCluster) -> SeaweedFiler {
    client_with(cluster, |_| {})
}

/// Forwards connections to a filer. When it is told to, those that exist fall silent, and later ones work.
struct Cut {
    address: String,
    silent: tokio::sync::watch::Sender<bool>,
}

impl Cut {
    /// `filer` is `host:port`; its port for gRPC is 10,000 above.
    async fn before(filer: &str) -> Cut {
        let port: u16 = filer.rsplit_once(':').unwrap().1.parse().unwrap();
        let target = format!("127.0.0.1:{}", port + 10_000);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("{filer}.{}", listener.local_addr().unwrap().port());
        let (silent, falls_silent) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (target, mut falls_silent) = (target.clone(), falls_silent.clone());
                falls_silent.mark_unchanged();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = falls_silent.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Cut { address, silent }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_a_cut_leaves_behind_is_replaced() {
    let cluster = start(ClusterOptions::default()).await;
    let cut = Cut::before(&cluster.filer(0)).await;
    let options = |options: &mut Options| {
        options.filers = FilerAddress::parse_list(&cut.address).unwrap();
        options.request_timeout = Duration::from_secs(3);
    };
    let filer = client_with(&cluster, options);
    filer.configuration().await.unwrap();
    for round in 0..2 {
        // What may be sent twice is answered on a new connection.
        cut.silent.send_replace(true);
        assert!(filer.lookup("/").await.unwrap().is_some(), "round {round}");
        // A write is not, but the next one is.
        cut.silent.send_replace(true);
        let written = filer.transact(put("/cut", small("w", b"x"))).await;
        assert!(matches!(written, Err(FilerError::Unavailable(_))), "round {round}: {written:?}");
        filer.transact(put("/cut", small("w", b"x"))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_filer_is_asked_soon_if_one_is_silent() {
    let cluster = start(ClusterOptions::default()).await;
    let cut = Cut::before(&cluster.filer(0)).await;
    let both = format!("{},{}", cut.address, cluster.filer(0));
    let options = |options: &mut Options| {
        options.filers = FilerAddress::parse_list(&both).unwrap();
        options.request_timeout = Duration::from_secs(60);
    };
    let filer = client_with(&cluster, options);
    let collection = |name: &str| WriteTarget { collection: name.to_owned(), ..target("/buckets/cut/k") };
    filer.write(&collection("before"), body(b"x", 1)).await.unwrap();
    cut.silent.send_replace(true);
    let begun = Instant::now();
    filer.write(&collection("cut"), body(b"x", 1)).await.unwrap();
    cut.silent.send_replace(true);
    assert!(filer.lookup("/").await.unwrap().is_some());
    filer.list("/", ListOptions { limit: 1, ..ListOptions::default() }).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "half of the time limit is for the other one");
}

async fn start(options: ClusterOptions) -> WeedCluster {
    let started = tokio::task::spawn_blocking(|| WeedCluster::start(options)).await.unwrap();
    started.unwrap_or_else(|error| panic!("{error}"))
}

/// Bytes that do not compress and differ at every offset.
fn noise(length: usize) -> Vec<u8> {
    let mut state = length as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(step).collect()
}

fn body(data: &[u8], piece: usize) -> filer::BytesIn<'static> {
    let pieces: Vec<_> = data.chunks(piece.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Box::pin(stream::iter(pieces))
}

fn target(path: &str) -> WriteTarget {
    WriteTarget { path: path.to_owned(), collection: "bucket".to_owned(), ..Default::default() }
}

fn entry(name: &str, written: Written) -> Entry {
    let attributes = Attributes {
        file_size: written.bytes,
        file_mode: 0o660,
        mtime: 1_700_000_000,
        md5: written.md5.to_vec(),
        ..Default::default()
    };
    Entry { name: name.to_owned(), chunks: written.chunks, attributes: Some(attributes), ..Default::default() }
}

fn small(name: &str, content: &[u8]) -> Entry {
    let attributes = Attributes { file_size: content.len() as u64, file_mode: 0o660, ..Default::default() };
    Entry { name: name.to_owned(), content: content.to_vec(), attributes: Some(attributes), ..Default::default() }
}

fn put(directory: &str, entry: Entry) -> Transaction {
    Transaction {
        lock_key: format!("{directory}/{}", entry.name),
        mutations: vec![Mutation::Put { directory: directory.to_owned(), entry: Box::new(entry) }],
        ..Default::default()
    }
}

fn delete(directory: &str, name: &str, recursive: bool) -> Transaction {
    let step =
        Mutation::Delete { directory: directory.to_owned(), name: name.to_owned(), delete_data: true, recursive };
    Transaction { lock_key: format!("{directory}/{name}"), mutations: vec![step], ..Default::default() }
}

async fn collect(stream: filer::BytesOut) -> Result<Vec<u8>, FilerError> {
    let pieces: Vec<_> = stream.collect().await;
    pieces.into_iter().try_fold(Vec::new(), |mut all, piece| {
        all.extend_from_slice(&piece?);
        Ok(all)
    })
}

async fn read(filer: &SeaweedFiler, entry: &Entry, from: u64, length: u64) -> Result<Vec<u8>, FilerError> {
    collect(filer.read(entry, from, length).await?).await
}

/// One HTTP request to SeaweedFS: status and body.
async fn http(address: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let head =
        format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    let (address, body) = (address.to_owned(), body.to_vec());
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

fn calls(filer: &SeaweedFiler, call: FilerCall) -> u64 {
    filer.metrics().rows().iter().find(|row| row.call == call).unwrap().calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_filer() {
    let cluster = start(ClusterOptions { max_mb: 1, ..Default::default() }).await;
    let filer = client(&cluster);
    let configuration = filer.wait_until_reachable().await;
    assert_eq!((configuration.buckets_root.as_str(), configuration.chunk_bytes), ("/buckets", MIB));
    assert!(configuration.version.contains("4.48") && !configuration.cipher, "{configuration:?}");

    wire::matches_the_live_server(&cluster.filer(0)).await;
    data_round_trips(&filer, &cluster.filer(0)).await;
    weed_writes_and_we_read(&filer, &cluster.filer(0)).await;
    overlaps_holes_and_damage(&filer).await;
    manifests(&filer, &cluster.filer(0)).await;
    entries_and_listings(&filer).await;
    errors_of_transactions(&filer).await;
    races(&filer).await;
    change_feed(&filer).await;
    broken_bodies_leave_nothing(&filer).await;
    rules_of_filer_conf(&filer, &cluster.master()).await;
    figures(&filer).await;

    filer.delete_collection("bucket").await.unwrap();
    filer.delete_collection("never-was").await.unwrap();
}

async fn data_round_trips(filer: &SeaweedFiler, http_address: &str) {
    for (size, piece) in
        [(0, 1), (1, 1), (1000, 7), (MIB - 1, 65_536), (MIB, 65_536), (MIB + 1, 65_536), (5 * MIB + 3, 100_003)]
    {
        let data = noise(size);
        let name = format!("round-{size}");
        let written = filer.write(&target(&format!("/buckets/bucket/{name}")), body(&data, piece)).await.unwrap();
        assert_eq!((written.bytes, written.chunks.len()), (size as u64, size.div_ceil(MIB)), "{name}");
        filer.transact(put("/buckets/bucket", entry(&name, written))).await.unwrap();
        let stored = filer.lookup(&format!("/buckets/bucket/{name}")).await.unwrap().unwrap();
        assert_eq!(stored.content_bytes(), size as u64);
        let size = size as u64;
        for (from, length) in [
            (0, size),
            (0, 0),
            (size / 2, size - size / 2),
            (size.saturating_sub(1), 1.min(size)),
            (size / 3, size / 3),
        ] {
            let got = read(filer, &stored, from, length).await.unwrap();
            assert!(got == data[from as usize..(from + length) as usize], "{name}: {length} from {from}");
        }
        let (status, got) = http(http_address, "GET", &format!("/buckets/bucket/{name}"), "", b"").await;
        assert!(status == 200 && got == data, "weed reads {name}: {status}, {} bytes", got.len());
    }
}

async fn weed_writes_and_we_read(filer: &SeaweedFiler, http_address: &str) {
    let text: Vec<u8> = "a line that repeats itself\n".bytes().cycle().take(3 * MIB + 17).collect();
    for (name, query, kind, data) in [
        ("plain.bin", "", "application/octet-stream", noise(2 * MIB + 5)),
        ("text.txt", "", "text/plain", text),
        ("inline.txt", "", "text/plain", b"small".to_vec()),
    ] {
        let path = format!("/buckets/bucket/weed/{name}{query}");
        let (status, _) = http(http_address, "PUT", &path, &format!("Content-Type: {kind}\r\n"), &data).await;
        assert_eq!(status, 201, "{name}");
        let stored = filer.lookup(&format!("/buckets/bucket/weed/{name}")).await.unwrap().unwrap();
        match name {
            "text.txt" => assert!(stored.chunks.iter().any(|chunk| chunk.is_compressed), "{name}"),
            "inline.txt" => assert_eq!(stored.content, data),
            _ => assert!(!stored.chunks.is_empty()),
        }
        let size = data.len() as u64;
        for (from, length) in [(0, size), (1, size - 1), (size / 2, 3.min(size / 2))] {
            let got = read(filer, &stored, from, length).await.unwrap();
            assert!(got == data[from as usize..(from + length) as usize], "{name}: {length} from {from}");
        }
    }
}

async fn overlaps_holes_and_damage(filer: &SeaweedFiler) {
    let chunk = async |letter: u8, offset: i64, modified_ts_ns: i64| {
        let written = filer.write(&target("/buckets/bucket/overlap"), body(&[letter; 100], 100)).await.unwrap();
        FileChunk { offset, modified_ts_ns, ..written.chunks[0].clone() }
    };
    let (a, b) = (chunk(b'a', 0, 2).await, chunk(b'b', 50, 1).await);
    let attributes = Attributes { file_size: 220, ..Default::default() };
    let overlapping = Entry {
        name: "overlap".to_owned(),
        chunks: vec![b, a.clone()],
        attributes: Some(attributes),
        ..Default::default()
    };
    let want = [vec![b'a'; 100], vec![b'b'; 50], vec![0; 70]].concat();
    assert_eq!(read(filer, &overlapping, 0, 220).await.unwrap(), want);
    assert_eq!(read(filer, &overlapping, 90, 100).await.unwrap(), want[90..190]);

    let lone = |chunk: FileChunk| Entry { name: "lone".to_owned(), chunks: vec![chunk], ..Default::default() };
    let longer = lone(FileChunk { size: 101, ..a.clone() });
    let shorter = lone(FileChunk { size: 99, ..a.clone() });
    let secret = lone(FileChunk { sse_type: 3, ..a.clone() });
    assert!(matches!(read(filer, &longer, 0, 101).await, Err(FilerError::Damaged(..))), "longer than stored");
    assert!(matches!(read(filer, &shorter, 0, 99).await, Err(FilerError::Damaged(..))), "shorter than stored");
    assert!(matches!(read(filer, &secret, 0, 100).await, Err(FilerError::Encrypted)), "under SSE");
    filer.delete_chunks(vec![a.clone()]).await;
    let gone = read(filer, &lone(a.clone()), 0, 100).await;
    assert!(matches!(gone, Err(FilerError::Damaged(..))), "deleted: {gone:?}");
    let nowhere = lone(FileChunk { file_id: "9999,01637037d6".to_owned(), fid: None, ..a });
    let nowhere = read(filer, &nowhere, 0, 100).await;
    assert!(matches!(nowhere, Err(FilerError::Unavailable(..))), "no such volume: {nowhere:?}");
}

async fn manifests(filer: &SeaweedFiler, http_address: &str) {
    let data = noise(100);
    let written = filer.write(&target("/buckets/bucket/manifest"), body(&data, 100)).await.unwrap();
    let chunk = |index: i64| FileChunk { offset: index * 100, modified_ts_ns: index, ..written.chunks[0].clone() };
    let chunks: Vec<_> = (0..10_001).map(chunk).collect();
    let big = Written { chunks: chunks.clone(), bytes: 1_000_100, md5: [0; 16] };
    filer.transact(put("/buckets/bucket", entry("manifest", big))).await.unwrap();
    let stored = filer.lookup("/buckets/bucket/manifest").await.unwrap().unwrap();
    assert_eq!(stored.chunks.iter().map(|chunk| chunk.is_chunk_manifest).collect::<Vec<_>>(), [true, false]);
    assert_eq!(stored.content_bytes(), 1_000_100);
    let resolved = filer.resolve_chunks(&stored.chunks).await.unwrap();
    assert_eq!(
        resolved.iter().map(|chunk| chunk.offset).collect::<Vec<_>>(),
        chunks.iter().map(|chunk| chunk.offset).collect::<Vec<_>>()
    );
    for (from, length) in [(0_usize, 150_usize), (499_990, 400), (999_950, 150)] {
        let want: Vec<u8> = (from..from + length).map(|at| data[at % 100]).collect();
        assert_eq!(read(filer, &stored, from as u64, length as u64).await.unwrap(), want, "{from}");
        let range = format!("Range: bytes={from}-{}\r\n", from + length - 1);
        assert_eq!(
            http(http_address, "GET", "/buckets/bucket/manifest", &range, b"").await,
            (206, want),
            "weed, {from}"
        );
    }
}

async fn entries_and_listings(filer: &SeaweedFiler) {
    let directory = "/buckets/list";
    for name in ["b", "a", "a-b", "c.txt", "é"] {
        let mut entry = small(name, b"x");
        entry.extended.insert("Seaweed-X-Amz-ETag".to_owned(), b"abc".to_vec());
        filer.transact(put(directory, entry)).await.unwrap();
    }
    filer.transact(put(&format!("{directory}/d"), small("inside", b"x"))).await.unwrap();
    let options = |prefix: &str, start_from: &str, inclusive, limit| ListOptions {
        prefix: prefix.to_owned(),
        start_from: start_from.to_owned(),
        inclusive,
        limit,
        omit_chunks: true,
    };
    for (directory, options, want) in [
        (directory, options("", "", false, 100), vec!["a", "a-b", "b", "c.txt", "d", "é"]),
        ("/buckets/list/", options("", "", false, 2), vec!["a", "a-b"]),
        (directory, options("a", "", false, 100), vec!["a", "a-b"]),
        (directory, options("", "b", false, 100), vec!["c.txt", "d", "é"]),
        (directory, options("", "b", true, 2), vec!["b", "c.txt"]),
        (directory, options("", "bb", true, 1), vec!["c.txt"]),
        ("/buckets/none", options("", "", false, 100), vec![]),
        ("/buckets/list/a", options("", "", false, 100), vec![]),
    ] {
        let names: Vec<_> =
            filer.list(directory, options.clone()).await.unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, want, "{directory} {options:?}");
    }
    let (_, first) = filer.lookup_with_first_file(directory, &[]).await.unwrap();
    assert_eq!(first.map(|entry| entry.name).as_deref(), Some("a"), "it comes with the directory");
    for (path, want) in [
        ("/buckets/list/a", Some(false)),
        ("/buckets/list/a/", None),
        ("/buckets/list/d", Some(true)),
        ("/buckets/list/d/", Some(true)),
        ("/buckets/list/none", None),
        ("/buckets", Some(true)),
        ("/", Some(true)),
    ] {
        let found = filer.lookup(path).await.unwrap().map(|entry| entry.is_directory);
        assert_eq!(found, want, "{path}");
    }
    let patch = |name: &str, content: Option<&[u8]>| Transaction {
        lock_key: format!("{directory}/{name}"),
        mutations: vec![Mutation::Patch {
            directory: directory.to_owned(),
            name: name.to_owned(),
            set: BTreeMap::from([("k".to_owned(), vec![0, 255])]),
            remove: vec!["Seaweed-X-Amz-ETag".to_owned()],
            content: content.map(<[u8]>::to_vec),
        }],
        ..Default::default()
    };
    filer.transact(patch("a", None)).await.unwrap();
    filer.transact(patch("b", Some(b"new"))).await.unwrap();
    filer.transact(patch("absent", Some(b"new"))).await.unwrap();
    let a = filer.lookup("/buckets/list/a").await.unwrap().unwrap();
    assert_eq!((a.extended, a.content), (BTreeMap::from([("k".to_owned(), vec![0, 255])]), b"x".to_vec()));
    assert_eq!(filer.lookup("/buckets/list/b").await.unwrap().unwrap().content, b"new");
    assert!(filer.lookup("/buckets/list/absent").await.unwrap().is_none());
}

async fn errors_of_transactions(filer: &SeaweedFiler) {
    let directory = "/buckets/err";
    filer.transact(put(directory, small("file", b"x"))).await.unwrap();
    filer.transact(put("/buckets/err/dir", small("inside", b"x"))).await.unwrap();
    let folder = |name: &str| Entry {
        name: name.to_owned(),
        is_directory: true,
        attributes: Some(Attributes { file_mode: 0o20000000777, ..Default::default() }),
        ..Default::default()
    };
    let path = |name: &str| format!("{directory}/{name}");
    let long = "n".repeat(300);
    for (what, transaction, want) in [
        ("file over directory", put(directory, small("dir", b"y")), Err(FilerError::ExistingIsDirectory(path("dir")))),
        ("directory over file", put(directory, folder("file")), Err(FilerError::ExistingIsFile(path("file")))),
        ("directory over directory", put(directory, folder("dir")), Ok(())),
        ("name of 300 bytes", put(directory, small(&long, b"")), Err(FilerError::NameTooLong(path(&long)))),
        ("delete full directory", delete(directory, "dir", false), Err(FilerError::NotEmpty(path("dir")))),
        ("delete nothing", delete(directory, "absent", false), Ok(())),
        ("delete tree", delete(directory, "dir", true), Ok(())),
        ("replace", put(directory, small("file", b"z")), Ok(())),
        ("no steps", Transaction { lock_key: path("file"), ..Default::default() }, Ok(())),
    ] {
        let got = filer.transact(transaction).await;
        assert_eq!(format!("{got:?}"), format!("{want:?}"), "{what}");
    }
    // SeaweedFS 4.48 turns the file into a directory that keeps its content: nothing is lost, and a read finds it.
    filer.transact(put("/buckets/err/file", small("below", b"x"))).await.unwrap();
    let promoted = filer.lookup("/buckets/err/file").await.unwrap().unwrap();
    assert!(promoted.is_directory && promoted.content == b"z", "{promoted:?}");

    let mut tagged = small("tagged", b"x");
    tagged.attributes.as_mut().unwrap().mtime = 1_000;
    tagged.extended.insert("Seaweed-X-Amz-ETag".to_owned(), b"abc-2".to_vec());
    filer.transact(put(directory, tagged.clone())).await.unwrap();
    let list = |etags: &[&str]| etags.iter().map(|etag| (*etag).to_owned()).collect::<Vec<_>>();
    for (name, conditions, holds) in [
        ("tagged", vec![Condition::Exists], true),
        ("tagged", vec![Condition::NotExists], false),
        ("absent", vec![Condition::Exists], false),
        ("absent", vec![Condition::NotExists], true),
        ("tagged", vec![Condition::EtagMatches(list(&["abc-2"]))], true),
        ("tagged", vec![Condition::EtagMatches(list(&["x", "abc-2"]))], true),
        ("tagged", vec![Condition::EtagMatches(list(&["x"]))], false),
        ("tagged", vec![Condition::EtagMatches(list(&["*"]))], true),
        ("absent", vec![Condition::EtagMatches(list(&["*"]))], false),
        ("absent", vec![Condition::EtagMatches(list(&["x"]))], false),
        ("tagged", vec![Condition::EtagDiffers(list(&["x"]))], true),
        ("tagged", vec![Condition::EtagDiffers(list(&["x", "abc-2"]))], false),
        ("tagged", vec![Condition::EtagDiffers(list(&["*"]))], false),
        ("absent", vec![Condition::EtagDiffers(list(&["*"]))], true),
        ("absent", vec![Condition::EtagDiffers(list(&["x"]))], true),
        ("tagged", vec![Condition::UnmodifiedSince(1_000)], true),
        ("tagged", vec![Condition::UnmodifiedSince(999)], false),
        ("tagged", vec![Condition::ModifiedSince(999)], true),
        ("tagged", vec![Condition::ModifiedSince(1_000)], false),
        ("tagged", vec![Condition::Exists, Condition::EtagMatches(list(&["x"]))], false),
    ] {
        // There are no steps: only the condition is checked.
        let transaction = Transaction { lock_key: path(name), conditions: conditions.clone(), ..Default::default() };
        let got = filer.transact(transaction).await;
        assert_eq!(got.is_ok(), holds, "{name} {conditions:?}: {got:?}");
        assert!(holds || matches!(got, Err(FilerError::PreconditionFailed)), "{name} {conditions:?}: {got:?}");
        let elsewhere = Transaction {
            lock_key: path("other"),
            condition_key: Some(path(name)),
            conditions: conditions.clone(),
            ..Default::default()
        };
        assert_eq!(filer.transact(elsewhere).await.is_ok(), holds, "condition_key {name} {conditions:?}");
    }
}

async fn races(filer: &SeaweedFiler) {
    let directory = "/buckets/race";
    let once = |index: usize, conditions: Vec<Condition>| {
        let (filer, mut transaction) = (filer.clone(), put(directory, small("one", format!("{index}").as_bytes())));
        transaction.conditions = conditions;
        async move { filer.transact(transaction).await }
    };
    let made = futures_util::future::join_all((0..16).map(|index| once(index, vec![Condition::NotExists]))).await;
    assert_eq!(made.iter().filter(|result| result.is_ok()).count(), 1, "{made:?}");
    let etag = filer.lookup("/buckets/race/one").await.unwrap().unwrap().etag();
    let swap = Condition::EtagMatches(vec![etag]);
    let mut tagged = put(directory, small("one", b"x"));
    if let Mutation::Put { entry, .. } = &mut tagged.mutations[0] {
        entry.extended.insert("Seaweed-X-Amz-ETag".to_owned(), b"v1".to_vec());
    }
    filer.transact(tagged).await.unwrap();
    let stale = once(99, vec![swap]).await;
    assert!(matches!(stale, Err(FilerError::PreconditionFailed)), "{stale:?}");
    let swap = Condition::EtagMatches(vec!["v1".to_owned()]);
    let swapped = futures_util::future::join_all((0..16).map(|index| once(index, vec![swap.clone()]))).await;
    assert_eq!(swapped.iter().filter(|result| result.is_ok()).count(), 1, "{swapped:?}");
}

/// The next change, skipping heartbeats.
async fn next_change(feed: &mut Feed) -> Result<Change, FilerError> {
    let next = async {
        loop {
            match feed.next().await {
                Some(Ok(FeedItem::Change(change))) => return Ok(change),
                Some(Ok(FeedItem::Heartbeat { .. })) => {}
                Some(Err(error)) => return Err(error),
                None => panic!("a feed ends with an error"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), next).await.expect("a change arrives")
}

async fn change_feed(filer: &SeaweedFiler) {
    filer.transact(put("/etc/feed", small("before", b"1"))).await.unwrap();
    let filter = FeedFilter { prefixes: vec!["/etc/feed/".to_owned()], directories: vec!["/buckets".to_owned()] };
    let mut feeds = filer.subscribe(filter).await.unwrap();
    let (label, feed) = &mut feeds[0];
    assert_eq!(filer.members().await.unwrap(), std::slice::from_ref(label));
    filer.transact(put("/etc/feed/deep", small("x", b"1"))).await.unwrap();
    filer.transact(put("/etc/feedother", small("y", b"1"))).await.unwrap();
    filer.transact(put("/buckets/inner/deep", small("y", b"1"))).await.unwrap();
    filer.transact(put("/etc/feed/deep", small("x", b"2"))).await.unwrap();
    filer.transact(delete("/etc/feed/deep", "x", false)).await.unwrap();
    let mut seen = Vec::new();
    let mut last_ns = 0;
    while seen.len() < 5 {
        let change = next_change(feed).await.unwrap();
        assert!(change.ts_ns > last_ns && change.new_directory.is_empty(), "{change:?}");
        last_ns = change.ts_ns;
        let content =
            |entry: Option<Box<Entry>>| entry.map(|entry| (entry.name, String::from_utf8(entry.content).unwrap()));
        seen.push((change.directory, content(change.old), content(change.new)));
    }
    let item = |name: &str, content: &str| Some((name.to_owned(), content.to_owned()));
    let deep = "/etc/feed/deep".to_owned();
    assert_eq!(
        seen,
        [
            ("/etc/feed".to_owned(), None, item("deep", "")),
            (deep.clone(), None, item("x", "1")),
            ("/buckets".to_owned(), None, item("inner", "")),
            (deep.clone(), item("x", "1"), item("x", "2")),
            (deep, item("x", "2"), None),
        ]
    );
    let beat = tokio::time::timeout(Duration::from_secs(12), feed.next()).await.expect("a heartbeat arrives");
    assert!(matches!(beat, Some(Ok(FeedItem::Heartbeat { ts_ns })) if ts_ns > last_ns), "{beat:?}");
}

async fn broken_bodies_leave_nothing(filer: &SeaweedFiler) {
    let before = calls(filer, FilerCall::VolumeDelete);
    // The chunks have time to be stored before the body ends early.
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Err(BodyError("reset".to_owned()))
    };
    let broken = stream::iter([Ok(Bytes::from(noise(2 * MIB + 1)))]).chain(stream::once(late));
    let failed = filer.write(&target("/buckets/bucket/broken"), Box::pin(broken)).await;
    assert!(matches!(failed, Err(FilerError::Body(_))), "{failed:?}");
    let endless = stream::iter([Ok(Bytes::from(noise(2 * MIB)))]).chain(stream::pending());
    let place = target("/buckets/bucket/x");
    let dropped = tokio::time::timeout(Duration::from_secs(1), filer.write(&place, Box::pin(endless))).await;
    assert!(dropped.is_err());
    let begun = Instant::now();
    while calls(filer, FilerCall::VolumeDelete) < before + 4 {
        assert!(begun.elapsed() < Duration::from_secs(5), "four chunks are freed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A path with its own rule does not get places that were kept for the bucket's other paths.
async fn rules_of_filer_conf(filer: &SeaweedFiler, master: &str) {
    let conf = br#"{"version":1,"locations":[{"locationPrefix":"/buckets/bucket/ruled/","ttl":"7d"}]}"#;
    filer.transact(put("/etc/seaweedfs", small("filer.conf", conf))).await.unwrap();
    let begun = Instant::now();
    loop {
        // So many that the stock is filled again, for the path with the rule.
        let mut ruled = filer.write(&target("/buckets/bucket/ruled/x"), body(b"x", 1)).await.unwrap();
        for _ in 0..20 {
            ruled = filer.write(&target("/buckets/bucket/ruled/x"), body(b"x", 1)).await.unwrap();
        }
        let other = filer.write(&target("/buckets/bucket/other"), body(b"x", 1)).await.unwrap();
        let lives = [ttl_of(master, &other).await, ttl_of(master, &ruled).await];
        assert!(lives[0].contains("\"Count\":0"), "{lives:?}");
        if lives[1] != lives[0] {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the rule is noticed: {lives:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The time to live of the volume that holds a chunk, as the master lists it.
async fn ttl_of(master: &str, written: &Written) -> String {
    let volume: u64 = written.chunks[0].file_id.split(',').next().unwrap().parse().unwrap();
    let (_, answer) = http(master, "GET", "/vol/status", "", b"").await;
    let status: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    let mut open = vec![&status];
    while let Some(value) = open.pop() {
        if value["Id"].as_u64() == Some(volume) {
            return value["Ttl"].to_string();
        }
        open.extend(value.as_object().into_iter().flat_map(|map| map.values()));
        open.extend(value.as_array().into_iter().flatten());
    }
    panic!("the master does not list volume {volume}: {status}")
}

/// Prints what a call costs in this build. Asserts nothing.
async fn figures(filer: &SeaweedFiler) {
    let kib = noise(1024);
    let written = filer.write(&target("/buckets/bucket/kib"), body(&kib, 1024)).await.unwrap();
    filer.transact(put("/buckets/bucket", entry("kib", written))).await.unwrap();
    let stored = filer.lookup("/buckets/bucket/kib").await.unwrap().unwrap();
    const ROUNDS: u32 = 300;
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        filer.lookup("/buckets/bucket/kib").await.unwrap().unwrap();
    }
    let lookup = begun.elapsed() / ROUNDS;
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        filer.write(&target("/buckets/bucket/kib"), body(&kib, 1024)).await.unwrap();
    }
    let write = begun.elapsed() / ROUNDS;
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        read(filer, &stored, 0, 1024).await.unwrap();
    }
    eprintln!("lookup {lookup:?}, write 1 KiB {write:?}, read 1 KiB {:?}", begun.elapsed() / ROUNDS);
    let data = noise(64 * MIB);
    let begun = Instant::now();
    let written = filer.write(&target("/buckets/bucket/large"), body(&data, 65_536)).await.unwrap();
    let write = begun.elapsed();
    let large = entry("large", written);
    let begun = Instant::now();
    let mut stream = filer.read(&large, 0, data.len() as u64).await.unwrap();
    let mut bytes = 0;
    while let Some(piece) = stream.next().await {
        bytes += piece.unwrap().len();
    }
    assert_eq!(bytes, data.len());
    eprintln!("64 MiB: written in {write:?}, read in {:?}", begun.elapsed());
    for row in filer.metrics().rows() {
        eprintln!(
            "{:>24} {:>6} calls {:>3} errors {:>6} us",
            row.call.name(),
            row.calls,
            row.errors,
            row.nanoseconds / row.calls.max(1) / 1000
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_claims_of_every_filer() {
    let cluster = start(ClusterOptions { max_mb: 1, ..Default::default() }).await;
    filer::conformance::run(&client(&cluster)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_cipher_and_replicas() {
    let options = ClusterOptions {
        volume_servers: 2,
        replication: "010".to_owned(),
        write_key: "write-key-of-the-test".to_owned(),
        read_key: "read-key-of-the-test".to_owned(),
        encrypt_volume_data: true,
        max_mb: 1,
        ..Default::default()
    };
    let mut cluster = start(options).await;
    let filer = client(&cluster);
    assert!(filer.configuration().await.unwrap().cipher);
    data_round_trips(&filer, &cluster.filer(0)).await;
    weed_writes_and_we_read_ciphered(&filer, &cluster.filer(0)).await;

    // For a client without the keys, uploads carry the master's token, reads are refused, and deletions go through the
    // filer.
    let keyless =
        SeaweedFiler::connect(Options::new(FilerAddress::parse_list(&cluster.filers()).unwrap(), Security::default()));
    let written = keyless.write(&target("/buckets/bucket/keyless"), body(b"secret", 6)).await.unwrap();
    let stored = entry("keyless", written.clone());
    assert_eq!(read(&filer, &stored, 0, 6).await.unwrap(), b"secret");
    let refused = read(&keyless, &stored, 0, 6).await;
    let says_what_to_do = matches!(&refused, Err(FilerError::Other(text)) if text.contains("jwt.signing.read.key"));
    assert!(says_what_to_do, "{refused:?}");
    keyless.delete_chunks(written.chunks).await;
    let begun = Instant::now();
    while read(&filer, &stored, 0, 6).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the filer frees what it was given");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let data = noise(3 * MIB);
    let written = filer.write(&target("/buckets/bucket/replicated"), body(&data, 65_536)).await.unwrap();
    let stored = entry("replicated", written);
    cluster.kill_volume(0);
    for _ in 0..4 {
        assert!(read(&filer, &stored, 0, data.len() as u64).await.unwrap() == data, "one replica is enough");
    }
}

async fn weed_writes_and_we_read_ciphered(filer: &SeaweedFiler, http_address: &str) {
    let text: Vec<u8> = "enciphered and compressed\n".bytes().cycle().take(2 * MIB + 9).collect();
    let (status, _) = http(http_address, "PUT", "/buckets/bucket/c.txt", "Content-Type: text/plain\r\n", &text).await;
    assert_eq!(status, 201);
    let stored = filer.lookup("/buckets/bucket/c.txt").await.unwrap().unwrap();
    assert!(stored.chunks.iter().all(|chunk| chunk.cipher_key.len() == 32), "{stored:?}");
    assert!(read(filer, &stored, 0, text.len() as u64).await.unwrap() == text);
    assert!(read(filer, &stored, MIB as u64 - 5, 10).await.unwrap() == text[MIB - 5..MIB + 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates() {
    let cluster = start(ClusterOptions { tls: true, max_mb: 1, ..Default::default() }).await;
    let filer = client(&cluster);
    let data = noise(2 * MIB + 1);
    let written = filer.write(&target("/buckets/bucket/tls"), body(&data, 65_536)).await.unwrap();
    filer.transact(put("/buckets/bucket", entry("tls", written))).await.unwrap();
    let stored = filer.lookup("/buckets/bucket/tls").await.unwrap().unwrap();
    assert!(read(&filer, &stored, 0, data.len() as u64).await.unwrap() == data);

    // Connections without certificates, or with those of another authority, are refused.
    let other = start(ClusterOptions { tls: true, ..Default::default() }).await;
    let foreign = Security::load(Some(other.directory()), &|_| None).unwrap();
    for (what, security) in [("none", Security::default()), ("foreign", foreign)] {
        let options = Options::new(FilerAddress::parse_list(&cluster.filers()).unwrap(), security);
        let refused = SeaweedFiler::connect(options).lookup("/").await;
        assert!(matches!(refused, Err(FilerError::Unavailable(_))), "{what}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_filers_and_their_failures() {
    let mut cluster = start(ClusterOptions { filers: 2, ..Default::default() }).await;
    let filer = client_with(&cluster, |options| options.request_timeout = Duration::from_secs(2));
    filer.transact(put("/buckets/two", small("a", b"1"))).await.unwrap();
    let filter = FeedFilter { prefixes: vec!["/".to_owned()], directories: vec![] };
    let feeds = filer.subscribe(filter.clone()).await.unwrap();
    // Members are sorted by address, not in the order in which the processes were started.
    let first = cluster.filer(0);
    let (mut dead, mut alive): (Vec<_>, Vec<_>) = feeds.into_iter().partition(|(member, _)| member.starts_with(&first));
    let [(_, dead)] = dead.as_mut_slice() else { panic!("{first} is a member") };
    let [(_, alive)] = alive.as_mut_slice() else { panic!("{first} has one other beside it") };

    // One filer hangs: reads fail over within the time limit, and later reads ask the other filer at once.
    cluster.pause_filer(0).unwrap();
    for bound in [Duration::from_secs(4), Duration::from_secs(1)] {
        let begun = Instant::now();
        filer.lookup("/buckets").await.unwrap();
        assert!(begun.elapsed() < bound, "{:?}", begun.elapsed());
    }
    // Both hang: an error, within the time limit.
    cluster.pause_filer(1).unwrap();
    for outcome in
        [filer.lookup("/buckets").await.map(|_| ()), filer.transact(put("/buckets/two", small("b", b"1"))).await]
    {
        assert!(matches!(outcome, Err(FilerError::Unavailable(_))), "{outcome:?}");
    }
    let begun = Instant::now();
    assert!(filer.list("/buckets", ListOptions { limit: 10, ..Default::default() }).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    cluster.resume_filer(0).unwrap();
    cluster.resume_filer(1).unwrap();
    filer.wait_until_reachable().await;

    // One filer dies: its feed ends with an error, the other one's continues.
    cluster.kill_filer(0);
    while next_change(dead).await.is_ok() {}
    assert!(dead.next().await.is_none());
    // The dead filer still owns half of the ring. Writes without conditions continue once the broken connections are
    // noticed (a request that may have been carried out is never sent again). Writes with conditions wait.
    let begun = Instant::now();
    for index in 0..8 {
        while let Err(error) = filer.transact(put("/buckets/two", small(&format!("n{index}"), b"1"))).await {
            assert!(matches!(error, FilerError::Unavailable(_)), "{error}");
            assert!(begun.elapsed() < Duration::from_secs(10), "{error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    filer.transact(put("/buckets/two", small("after", b"1"))).await.unwrap();
    for index in 0..8 {
        let mut conditional = put("/buckets/two", small(&format!("c{index}"), b"1"));
        conditional.conditions = vec![Condition::NotExists];
        while let Err(error) = filer.transact(conditional.clone()).await {
            assert!(matches!(error, FilerError::Unavailable(_)), "{error}");
            assert!(begun.elapsed() < Duration::from_secs(60), "a dead filer leaves the ring");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    eprintln!("conditional writes waited {:?} for the ring", begun.elapsed());
    loop {
        let change = next_change(alive).await.unwrap();
        if change.new.is_some_and(|entry| entry.name == "after") {
            break;
        }
    }
    // The master no longer lists a dead filer, and lists it again when it is back.
    let settled = async |count: usize| {
        let begun = Instant::now();
        while filer.members().await.unwrap().len() != count {
            assert!(begun.elapsed() < Duration::from_secs(20), "the master lists {count} filers");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        filer.subscribe(filter.clone()).await.unwrap().len()
    };
    assert_eq!(settled(1).await, 1);
    cluster.restart_filer(0).unwrap();
    assert_eq!(settled(2).await, 2);
}

/// Compares the messages declared in the sources with the reflection service of a live server.
#[path = "seaweedfs/wire.rs"]
mod wire;
