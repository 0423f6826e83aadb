use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;

use super::frame::Kind;
use super::serve::Client;
use crate::embedded::EmbeddedFiler;
use crate::{Entry, Filer, Mutation, Transaction, WriteTarget};

async fn put(filer: &EmbeddedFiler, name: &str, body: &[u8]) {
    let body = Box::pin(stream::iter([Ok(Bytes::copy_from_slice(body))]));
    let chunks = filer.write(&WriteTarget::default(), body).await.unwrap().chunks;
    let entry = Box::new(Entry { name: name.to_owned(), chunks, ..Entry::default() });
    let mutations = vec![Mutation::Put { directory: "/d".to_owned(), entry }];
    filer.transact(Transaction { mutations, ..Transaction::default() }).await.unwrap();
}

async fn delete(filer: &EmbeddedFiler, name: &str) {
    let (directory, name) = ("/d".to_owned(), name.to_owned());
    let mutations = vec![Mutation::Delete { directory, name, delete_data: true, recursive: false }];
    filer.transact(Transaction { mutations, ..Transaction::default() }).await.unwrap();
}

fn data_files(directory: &Path) -> usize {
    let directories = std::fs::read_dir(directory.join("data")).unwrap();
    directories.map(|directory| std::fs::read_dir(directory.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn freed_data_stays_while_a_backup_runs() {
    let directory = tempfile::tempdir().unwrap();
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    put(&filer, "kept", &[1; 20_000]).await;
    put(&filer, "freed", &[2; 20_000]).await;
    let mut client = Client::connect(directory.path()).unwrap();
    while client.next().unwrap().kind != Kind::End {}
    delete(&filer, "freed").await;
    // Data is freed after 3 s, in rounds of a second.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(data_files(directory.path()), 2);
    assert_eq!(client.copied().unwrap().kind, Kind::Kept);
    drop(client);
    while data_files(directory.path()) != 1 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn closing_does_not_wait_for_a_client() {
    let directory = tempfile::tempdir().unwrap();
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    put(&filer, "a", &[1; 20_000]).await;
    let mut client = Client::connect(directory.path()).unwrap();
    while client.next().unwrap().kind != Kind::End {}
    drop(filer);
    assert!(client.copied().is_err());
    EmbeddedFiler::open(directory.path()).unwrap();
}
