//! A completion and an abort of one upload at the same moment: one of the two gives way, wherever they meet.

use std::time::Duration;

use bucket::attributes::{ABORTED, RESERVED_UNTIL};
use filer::{Entry, ListOptions, Mutation, Transaction};
use futures_util::TryStreamExt;

use crate::delete_bucket::Stopping;
use crate::support::{Reply, World, seaweedfs};

const ANY: &[(&str, &str)] = &[];
const IF_ABSENT: &[(&str, &str)] = &[("if-none-match", "*")];

/// An upload with one part.
struct Upload<'w> {
    world: &'w World,
    path: String,
    id: String,
}

impl<'w> Upload<'w> {
    async fn begin(world: &'w World, path: String) -> Self {
        let id = world.ask_admin(&format!("POST {path}?uploads")).await.element("UploadId");
        let upload = Self { world, path, id };
        assert_eq!(upload.part().await, "200 ");
        upload
    }

    fn line(&self, method: &str, more: &str) -> String {
        format!("{method} {}?uploadId={}{more}", self.path, self.id)
    }

    async fn part(&self) -> String {
        self.world.send_as("admin", &self.line("PUT", "&partNumber=1"), &[], "bytes").await.outcome()
    }

    async fn complete(&self, headers: &[(&str, &str)]) -> Reply {
        let etag = "4b3a6218bb3e3a7303e8a171a60fcf92"; // of `bytes`
        let part = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
        let list = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
        self.world.send_as("admin", &self.line("POST", ""), headers, list).await
    }

    async fn abort(&self) -> String {
        self.world.ask_admin(&self.line("DELETE", "")).await.outcome()
    }

    async fn object(&self) -> String {
        let reply = self.world.ask_admin(&format!("GET {}", self.path)).await;
        if reply.status.is_success() { reply.text().to_owned() } else { reply.outcome() }
    }
}

/// Before which step the completion is held up.
type Before = fn(&Mutation) -> bool;

fn reserves(step: &Mutation) -> bool {
    matches!(step, Mutation::Patch { set, .. } if set.contains_key(RESERVED_UNTIL))
}

fn puts_an_object(step: &Mutation) -> bool {
    matches!(step, Mutation::Put { directory, .. } if !directory.contains("/.uploads"))
}

async fn meet(filer: &Stopping, world: &World) {
    for bucket in ["plain", "versioned"] {
        let rows = [
            (IF_ABSENT, reserves as Before, "204 ", "404 NoSuchUpload", "404 NoSuchKey"),
            (ANY, puts_an_object, "204 ", "404 NoSuchUpload", "404 NoSuchKey"),
            (IF_ABSENT, puts_an_object, "409 OperationAborted", "200 ", "bytes"),
        ];
        for (headers, before, aborted, completed, object) in rows {
            let upload = Upload::begin(world, format!("/{bucket}/k")).await;
            let held = filer.stop_before(before);
            let (got, ()) = tokio::join!(upload.complete(headers), async {
                held.arrived.await.unwrap();
                assert_eq!(upload.abort().await, aborted, "{bucket} {headers:?} {completed}");
                held.go_on.send(()).unwrap();
            });
            assert_eq!(got.outcome(), completed, "{bucket} {headers:?}: {}", got.text());
            assert_eq!(upload.object().await, object, "{bucket} {headers:?}");
            assert_eq!(upload.abort().await, "404 NoSuchUpload", "{bucket} {headers:?}");
        }
    }
}

impl Upload<'_> {
    /// The files of its parts.
    async fn files(&self) -> Vec<Entry> {
        let bucket = self.path.split('/').nth(1).unwrap();
        let options = ListOptions { limit: 9, ..ListOptions::default() };
        self.world.filer.list(&format!("/buckets/{bucket}/.uploads/{}", self.id), options).await.unwrap()
    }
}

/// Waits until the data of a part is freed.
async fn is_freed(world: &World, part: &Entry) -> bool {
    for _ in 0..100 {
        let read = match world.filer.read(part, 0, part.content_bytes()).await {
            Ok(bytes) => bytes.try_collect::<Vec<_>>().await.map(drop),
            Err(error) => Err(error),
        };
        if read.is_err() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// A part that arrives after the parts were read is not in the object. It is freed, and the object keeps its data.
async fn a_late_part(filer: &Stopping, world: &World) {
    for (path, headers) in [("/plain/late", ANY), ("/versioned/late", ANY), ("/plain/late-if", IF_ABSENT)] {
        let upload = Upload::begin(world, path.to_owned()).await;
        let used = upload.files().await;
        let held = filer.stop_before(puts_an_object);
        let (got, late) = tokio::join!(upload.complete(headers), async {
            held.arrived.await.unwrap();
            assert_eq!(upload.part().await, "200 ", "{path}");
            let late = upload.files().await.into_iter().find(|file| !used.contains(file));
            held.go_on.send(()).unwrap();
            late.unwrap()
        });
        assert_eq!(got.outcome(), "200 ", "{path}: {}", got.text());
        assert!(is_freed(world, &late).await, "{path}");
        assert_eq!(upload.object().await, "bytes", "{path}");
        assert_eq!(upload.part().await, "404 NoSuchUpload", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_and_a_completion_exclude_each_other() {
    let filer = Stopping::new(true);
    let world = World::following(filer.clone(), false).await;
    meet(&filer, &world).await;
    a_late_part(&filer, &world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_and_a_completion_exclude_each_other_on_seaweedfs() {
    let (_cluster, filer) = seaweedfs().await;
    let filer = Stopping::over(filer);
    let world = World::following(filer.clone(), false).await;
    meet(&filer, &world).await;
    a_late_part(&filer, &world).await;
}

/// What an interruption leaves: an upload that was not removed, or a reservation of a gateway that is gone.
#[tokio::test]
async fn uploads_with_marks_that_were_left() {
    let world = World::start().await;
    let mark = async |upload: &Upload<'_>, attribute: &str, value: &str| {
        let (directory, name) = ("/buckets/plain/.uploads".to_owned(), upload.id.clone());
        let set = [(attribute.to_owned(), value.into())].into();
        let mutations = vec![Mutation::Patch { directory, name, set, remove: vec![], content: None }];
        let transaction = Transaction { lock_key: "/".to_owned(), mutations, ..Transaction::default() };
        world.filer.transact(transaction).await.unwrap();
    };
    let upload = Upload::begin(&world, "/plain/k".to_owned()).await;
    mark(&upload, RESERVED_UNTIL, "99999999999").await;
    assert_eq!(upload.complete(ANY).await.outcome(), "409 OperationAborted");
    assert_eq!(upload.complete(IF_ABSENT).await.outcome(), "409 ConditionalRequestConflict");
    assert_eq!((upload.abort().await, upload.part().await), ("409 OperationAborted".to_owned(), "200 ".to_owned()));
    mark(&upload, RESERVED_UNTIL, "1000").await;
    mark(&upload, ABORTED, "true").await;
    for headers in [ANY, IF_ABSENT] {
        assert_eq!(upload.complete(headers).await.outcome(), "404 NoSuchUpload", "{headers:?}");
    }
    assert_eq!(upload.part().await, "404 NoSuchUpload");
    assert_eq!(world.ask_admin(&upload.line("GET", "")).await.outcome(), "200 ");
    assert_eq!(world.ask_admin("GET /plain?uploads").await.elements("UploadId"), [upload.id.as_str()]);
    assert_eq!((upload.abort().await, upload.abort().await), ("204 ".to_owned(), "404 NoSuchUpload".to_owned()));
}
