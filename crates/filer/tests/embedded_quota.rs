//! Quotas of buckets: what is stored never exceeds them, and what frees bytes is never refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests: any error fails the test")]

use bytes::Bytes;
use filer::embedded::Quotas;
use filer::{Attributes, EmbeddedFiler, Entry, Filer, FilerError, Mutation, Transaction, WriteTarget};
use futures_util::future::join_all;
use futures_util::stream;

async fn entry(filer: &EmbeddedFiler, name: &str, bytes: usize) -> Entry {
    let content = Bytes::from(vec![7; bytes]);
    let written = filer.write(&WriteTarget::default(), Box::pin(stream::iter([Ok(content)]))).await.unwrap();
    let attributes = Some(Attributes { file_size: bytes as u64, ..Attributes::default() });
    Entry { name: name.to_owned(), chunks: written.chunks, attributes, ..Entry::default() }
}

async fn put(filer: &EmbeddedFiler, directory: &str, name: &str, bytes: usize) -> Result<(), FilerError> {
    let entry = Box::new(entry(filer, name, bytes).await);
    transact(filer, vec![Mutation::Put { directory: directory.to_owned(), entry }]).await
}

fn removal(directory: &str, name: &str) -> Mutation {
    Mutation::Delete { directory: directory.to_owned(), name: name.to_owned(), delete_data: true, recursive: true }
}

async fn transact(filer: &EmbeddedFiler, mutations: Vec<Mutation>) -> Result<(), FilerError> {
    filer.transact(Transaction { mutations, ..Transaction::default() }).await
}

fn quotas(others: Option<u64>, named: &[(&str, Option<u64>)]) -> Quotas {
    Quotas { others, named: named.iter().map(|(name, quota)| ((*name).to_owned(), *quota)).collect() }
}

#[track_caller]
fn is_refused(result: Result<(), FilerError>, bucket: &str) {
    let error = result.unwrap_err();
    assert!(matches!(&error, FilerError::ReadOnly(path) if path == &format!("/buckets/{bucket}/")), "{error}");
}

#[tokio::test]
async fn a_bucket_holds_no_more_than_its_quota() {
    let directory = tempfile::tempdir().unwrap();
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    put(&filer, "/buckets/b/deep/er", "before", 600).await.unwrap();
    put(&filer, "/buckets/free", "before", 5000).await.unwrap();
    filer.limit(quotas(Some(1000), &[("free", None), ("small", Some(10))])).await.unwrap();
    let rows = |bytes| vec![("b".to_owned(), bytes, 1000)];
    assert_eq!(filer.quotas(), rows(600));

    is_refused(put(&filer, "/buckets/b", "k", 401).await, "b");
    assert_eq!(filer.lookup("/buckets/b/k").await.unwrap(), None, "what is refused is not there");
    put(&filer, "/buckets/b", "k", 400).await.unwrap();
    is_refused(filer.accepts("/buckets/b/").await, "b");
    filer.accepts("/buckets/free/").await.unwrap();
    filer.accepts("/etc/iam/").await.unwrap();
    is_refused(put(&filer, "/buckets/b", "one", 1).await, "b");
    put(&filer, "/buckets/b", "empty", 0).await.unwrap();
    is_refused(put(&filer, "/buckets/small", "k", 11).await, "small");
    put(&filer, "/buckets/free", "more", 5000).await.unwrap();
    put(&filer, "/buckets", "file", 5000).await.unwrap();

    // A replacement counts the difference, and several steps of a transaction count together.
    put(&filer, "/buckets/b", "k", 300).await.unwrap();
    put(&filer, "/buckets/b", "k", 400).await.unwrap();
    let moved =
        Mutation::Put { directory: "/buckets/b".to_owned(), entry: Box::new(entry(&filer, "moved", 400).await) };
    transact(&filer, vec![moved, removal("/buckets/b", "k")]).await.unwrap();
    assert_eq!(filer.quotas(), rows(1000));
    transact(&filer, vec![removal("/buckets/b", "deep")]).await.unwrap();
    assert_eq!(filer.quotas(), rows(400));
    transact(&filer, vec![removal("/buckets", "b")]).await.unwrap();
    assert_eq!(filer.quotas(), []);
    put(&filer, "/buckets/b", "k", 1000).await.unwrap();

    filer.limit(Quotas::default()).await.unwrap();
    put(&filer, "/buckets/b", "k", 3000).await.unwrap();
    filer.limit(quotas(None, &[("b", Some(100))])).await.unwrap();
    assert_eq!(filer.quotas(), [("b".to_owned(), 3000, 100)]);
    put(&filer, "/buckets/b", "k", 2000).await.expect("what makes a bucket smaller is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_the_same_time_do_not_exceed_it_together() {
    let directory = tempfile::tempdir().unwrap();
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    filer.limit(quotas(Some(1000), &[])).await.unwrap();
    let names: Vec<String> = (0..50).map(|number| format!("k{number}")).collect();
    let results = join_all(names.iter().map(|name| put(&filer, "/buckets/b", name, 100))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 10);
    assert_eq!(filer.quotas(), [("b".to_owned(), 1000, 1000)]);
    drop(filer);
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    filer.limit(quotas(Some(1100), &[])).await.unwrap();
    assert_eq!(filer.quotas(), [("b".to_owned(), 1000, 1100)], "counted again after a restart");
}
